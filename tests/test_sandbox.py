"""How a layer becomes a folder; what runs in it is tested on real images."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cog_oci.layers import COMPRESSIONS, render
from cog_oci.layers._tar import Entry
from cog_oci.sandbox import Sandbox, SandboxUnavailableError, remove_folder, unavailable
from cog_oci.sandbox._identities import Identities, wished
from cog_oci.stock import Cleared, clear
from tests.image_maker import Listed
from tests.small_root import small_image, small_root

NAMES = ["d", "d/ő.txt", "d/link", "d/ű", "d/é"]


def plain() -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for name, kind, target in zip(
            NAMES, [tarfile.DIRTYPE, b"0", b"2", b"1", b"0"], ["", "", "ő.txt", "d/ő.txt", ""], strict=True
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, target, 0o755
            archive.addfile(info)
    out.seek(0)
    return out


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_are_the_same_bytes_in_every_locale_and_envelope(store, tmp_path, compression, locale):
    blob = render("x", plain(), store, compression=compression)
    script = (
        "import sys; from pathlib import Path; from cog_oci.sandbox._sandbox import _unpack; "
        "_unpack(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))"
    )
    (tmp_path / "root").mkdir()

    subprocess.run(
        [
            *(sys.executable, "-c", script, str(store.path(blob.descriptor.digest))),
            *(blob.descriptor.media_type, str(tmp_path / "root")),
        ],
        env={**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        check=True,
    )

    folder = tmp_path / "root" / "d"
    assert sorted(os.fsencode(path.name) for path in folder.iterdir()) == sorted(n[2:].encode() for n in NAMES[1:])
    assert os.fsencode((folder / "link").readlink()) == "ő.txt".encode()
    assert (folder / os.fsdecode("ő.txt".encode())).stat().st_nlink == 2


def test_a_host_without_unshare_says_so_and_starts_nothing(store, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    assert unavailable() == "there is no `unshare` on PATH"
    with pytest.raises(SandboxUnavailableError, match="no `unshare`"), Sandbox(None, store).start(["true"]):
        pass


_START = """
import json, subprocess, sys
from pathlib import Path
from cog_oci.layers._tar import Entry
from cog_oci.oci import Image
from cog_oci.sandbox import Sandbox
from cog_oci.store import Store
from tests.image_maker import Listed
from tests.image_maker import Listed
from tests.small_root import small_image

store = Store(Path(sys.argv[1]))
links = Listed("links", [Entry.symlink(path, target) for path, target in json.loads(sys.argv[4])])
with Sandbox(small_image(store, links), store).start(
    ["sh", "-c", sys.argv[2]], stdout=subprocess.PIPE, network=sys.argv[3] == "host"
) as process:
    sys.stdout.buffer.write(process.stdout.read())
sys.exit(process.wait())
"""
AS = {"root": (), "ordinary": ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")}


def started(store, user: str, script: str, *, network: str, links: dict[str, str] | None = None) -> str:
    """What the script prints in the small root with these links in it, run by this user."""
    small_root()  # skips
    done = subprocess.run(
        [
            *AS[user],
            sys.executable,
            "-c",
            _START,
            str(store.root),
            script,
            network,
            json.dumps(list((links or {}).items())),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.namespaces
@pytest.mark.parametrize("user", AS)
def test_without_the_network_a_command_has_a_loopback_that_is_up_and_nothing_else(store, user):
    script = "cat /proc/net/dev /proc/net/fib_trie; echo; cat /etc/hosts; ls /etc"
    devices, _, files = started(store, user, script, network="none").partition("\n\n")

    assert [line.split(":")[0].strip() for line in devices.splitlines() if re.match(r"\s*\w+:\s+\d", line)] == ["lo"]
    assert "127.0.0.1" in devices  # as a local route: a device that is down has none
    assert "127.0.0.1\tlocalhost" in files
    assert "resolv.conf" not in files


@pytest.mark.namespaces
@pytest.mark.parametrize("user", AS)
def test_with_the_network_a_command_has_that_of_the_host(store, user):
    inside = started(store, user, "ls -l /proc/self/ns/net", network="host")

    assert str(Path("/proc/self/ns/net").readlink()) in inside


@pytest.mark.namespaces
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1])
def test_a_program_that_is_only_starting_hears_that_it_is_to_end(store, tmp_path, seconds):
    image = small_image(store)
    with Sandbox(image, store).start(["id"], stdout=subprocess.DEVNULL) as process:
        process.wait()  # what is unpacked once is unpacked
    script = "trap 'echo in order; exit 0' TERM; while :; do sleep 0.05; done"
    with (tmp_path / "said").open("wb") as said:
        with Sandbox(image, store).start(["sh", "-c", script], stdout=said.fileno()):
            time.sleep(seconds)  # wherever on its way it is then
            began = time.monotonic()
        took = time.monotonic() - began

    assert (tmp_path / "said").read_text() == "in order\n"
    assert took < 8, "and is not killed after ten"


@pytest.mark.namespaces
def test_what_a_command_is_told_is_in_no_list_of_processes_and_arrives_as_it_is(store):
    told = {"TOKEN": 'it\'s $a `b` \\ "secret"\n', "EMPTY": ""}
    script = "read _; env"

    with Sandbox(small_image(store), store).start(
        ["sh", "-c", script], env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        lists = [Path(f"/proc/{process.pid}/cmdline").read_bytes()]
        inside, _ = process.communicate(b"\n")

    assert b"secret" not in lists[0]
    assert all(f"{name}={value}\n" in inside.decode() for name, value in told.items())


@pytest.mark.namespaces
@pytest.mark.parametrize("network", ["host", "none"])
def test_a_command_hears_of_a_pipe_that_nobody_reads(store, network):
    status = started(store, "root", "cat /proc/self/status", network=network)

    assert not int(status.partition("SigIgn:")[2].split()[0], 16) & (1 << (signal.SIGPIPE - 1))


@pytest.mark.namespaces
@pytest.mark.parametrize("user", AS)
def test_links_of_an_image_lead_nowhere_on_the_host(store, user, tmp_path):
    host = tmp_path / "host"
    host.mkdir()
    links = {"etc/resolv.conf": f"{host}/resolv.conf", "etc/hosts": "../../../../run/hosts", "src": "/run/../../work"}

    seen = started(store, user, f"cat /etc/hosts; ls {host} /run /work; pwd", network="host", links=links)

    assert Path("/etc/hosts").read_text() in seen
    assert "\n127.0.0.1\thost.docker.internal\n" in seen  # as Cog's containers call this machine
    assert {"resolv.conf", "hosts"} <= set(seen.splitlines())
    assert not list(host.iterdir())


@pytest.mark.namespaces
def test_layers_that_a_program_runs_in_are_not_cleared_away_and_others_are_unpacked_again(store):
    image = small_image(store)
    folder = store.unpacked(image.layers[0].diff_id)
    with Sandbox(image, store).start(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        os.utime(folder, (1, 1))
        assert clear(store, 1) == Cleared(0, 0)
        assert process.communicate(b"alive")[0] == b"alive"

    os.utime(folder, (1, 1))
    assert clear(store, 1, remove=remove_folder).files > 10
    assert not list((store.root / "unpacked").iterdir())
    with Sandbox(image, store).start(["sh", "-c", "echo again"], stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == b"again\n"
    assert time.time() - folder.stat().st_mtime < 600


APP = Listed(
    "app",
    [
        Entry.file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1234:55::/home/app:/bin/sh\n"),
        Entry.file("etc/group", "root:x:0:\napp:x:55:\nvideo:x:44:other,app\nclub:x:77:other\n"),
        replace(Entry.directory("home/app", 0o700), uid=1234, gid=55),
        replace(Entry.file("home/app/own", "mine", 0o600), uid=1234, gid=55),
    ],
)
SHOW = 'id -u; id -g; id -G; echo "$HOME"; cat /home/app/own; echo; echo x > /home/app/new && ls /home/app; stat -c %u:%g /home/app'


def as_user(store, user: str, command: str = SHOW, **more) -> list[str]:
    """What the command prints in the image of this user's, line by line."""
    image = small_image(store, APP, user=user)
    with Sandbox(image, store).start(["sh", "-c", command], stdout=subprocess.PIPE, **more) as process:
        return process.communicate()[0].decode().splitlines()


@pytest.mark.namespaces
@pytest.mark.root
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("app", ["1234", "55", "55 44", "/home/app"]),
        ("1234", ["1234", "55", "55 44", "/home/app"]),
        ("app:club", ["1234", "77", "77", "/home/app"]),
        ("1234:9", ["1234", "9", "9", "/home/app"]),
        ("", ["0", "0", "0", "/root"]),
        ("root:root", ["0", "0", "0", "/root"]),
        ("0:club", ["0", "77", "77", "/root"]),
    ],
)
def test_a_program_is_the_user_that_the_image_names(store, user, expected):
    seen = as_user(store, user)

    assert [seen[0], seen[1], " ".join(sorted(set(seen[2].split()), reverse=True)), seen[3]] == expected
    assert seen[4:] == ["mine", "new", "own", "1234:55"]


@pytest.mark.namespaces
@pytest.mark.root
def test_a_user_whom_the_image_does_not_know_is_said_and_another_has_what_docker_gives(store, capfd):
    assert as_user(store, "nobody:1") == []
    assert capfd.readouterr().err == "the image is to run as nobody, who is not in its /etc/passwd\n"
    assert as_user(store, "app:nobodies") == []
    assert capfd.readouterr().err == "the image is to run as nobodies, who is not in its /etc/group\n"
    assert as_user(store, "4321", 'id -u; id -G; echo "$HOME"') == ["4321", "0", "/"]
    assert as_user(store, "app", "echo $HOME", env={"HOME": "/else"}) == ["/else"]


@pytest.mark.namespaces
@pytest.mark.root
@pytest.mark.parametrize("ids", ["1:x", "99999999999:5", "4294967295:5", "9" * 5000 + ":5", "1:" + "9" * 5000])
def test_a_user_with_ids_that_are_none_is_not_there(store, capfd, ids):
    broken = Listed("broken", [Entry.file("etc/passwd", f"root:x:0:0::/root:/bin/sh\nbroken:x:{ids}::/:/bin/sh\n")])

    for user in ("broken", ids):
        with Sandbox(small_image(store, broken, user=user), store).start(["id"], stdout=subprocess.PIPE) as process:
            assert process.communicate()[0] == b""
        assert re.fullmatch(r"the image is to run as \w+, who is not in its /etc/\w+\n", capfd.readouterr().err)


@pytest.mark.namespaces
@pytest.mark.root
def test_a_program_that_gives_up_being_root_does(store):
    drop = "setpriv --reuid=1234 --regid=55 --clear-groups sh -c 'id -u; cat /home/app/own'"

    assert as_user(store, "", drop) == ["1234", "mine"]


@pytest.mark.namespaces
def test_where_there_is_nobody_else_the_image_runs_as_its_root_and_it_is_said(store, monkeypatch, capfd):
    monkeypatch.setattr("cog_oci.sandbox._users.wished", lambda: None)

    assert as_user(store, "app", 'id -u; echo "$HOME"') == ["0", "/root"]
    said = capfd.readouterr().err
    assert said.startswith("note: the image is to run as app, and runs as its root: ")
    assert "/etc/subuid" in said


@pytest.mark.namespaces
@pytest.mark.root
@pytest.mark.parametrize(("works", "who"), [(True, ["5", "1 1"]), (False, ["0", "0 0"])])
def test_subordinate_ids_are_given_by_newuidmap_where_it_lets_us(store, monkeypatch, tmp_path, works, who):
    for kind in ("uid", "gid"):
        program = tmp_path / f"new{kind}map"
        program.write_text(
            "#!/bin/sh\n" + (f'p=$1; shift; printf "%s %s %s\\n" "$@" >/proc/$p/{kind}_map' if works else "exit 1")
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    rows = "0 0 1,1 100000 10"
    wanted = Identities("newuidmap", rows, rows, several=True)
    monkeypatch.setattr("cog_oci.sandbox._users.wished", lambda: wanted)

    assert as_user(store, "5:1", "id -u; echo $(id -g) $(id -G)") == who


@pytest.mark.namespaces
@pytest.mark.parametrize("alone", [True, False])
def test_where_there_is_nobody_else_apt_is_told_so(store, monkeypatch, alone):
    if alone:
        monkeypatch.setattr("cog_oci.sandbox._users.wished", lambda: None)
    elif wished() is None:
        pytest.skip("this user has no other ids")
    image = small_image(store, Listed("apt", [Entry.file("etc/apt/apt.conf.d/01", "x")]))

    with Sandbox(image, store).start(["sh", "-c", "cat /etc/apt/apt.conf.d/00*"], stdout=subprocess.PIPE) as process:
        said = process.communicate()[0]

    assert said == (b'APT::Sandbox::User "root";\n' if alone else b"")
