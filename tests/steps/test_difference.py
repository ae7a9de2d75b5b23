"""What a command changes in a root, as root and as an ordinary user: run for real, in a small root of this machine's tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from cog_oci.layers._tar import Entry
from cog_oci.store import Store
from tests.small_root import small_root

pytestmark = pytest.mark.namespaces

AS = {"root": (), "ordinary": ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")}
BELOW = [
    Entry.directory("data"),
    Entry.file("data/kept", "kept"),
    Entry.file("data/changed", "before"),
    Entry.file("data/gone", "gone"),
    Entry.file("data/inner/one", "1"),
    Entry.file("data/inner/two", "2"),
    Entry.directory("tmp", 0o1777),
    Entry.file("lib/module.py", "x = 1\n"),
    Entry.file("lib/__pycache__/module.cpython-313.pyc", b"....\3\0\0\0"),
    Entry.file("lib/__pycache__/other.cpython-313.pyc", b"....\3\0\0\0"),
]
_RUN = """
import json, sys
from pathlib import Path
from cog_oci.errors import CogError
from cog_oci.store import Store
from cog_oci.steps import Command, difference
from tests.small_root import small_image
from tests.steps.test_difference import BELOW
from tests.image_maker import Listed

store = Store(Path(sys.argv[1]))
asked = json.loads(sys.argv[2])
files = {path: (mode, text.encode()) for path, (mode, text) in asked.pop("files", {}).items()}
asked["mounts"] = {place: Path(folder) for place, folder in asked.pop("mounts", {}).items()}
command = Command(arguments=("/bin/sh", "-c", asked.pop("script")), files=files, **asked)
lines = []
try:
    with difference(small_image(store, Listed("below", BELOW)), command, store, lines.append) as entries:
        found = [
            [e.path, e.kind, oct(e.mode), e.uid, e.gid, e.target,
             b"".join(e.content.chunks()).decode() if e.content else "", [[n, v.hex()] for n, v in e.xattrs]]
            for e in entries
        ]
    print(json.dumps({"lines": lines, "entries": found}))
except CogError as error:
    print(json.dumps({"lines": lines, "error": f"{type(error).__name__}: {error}"}))
"""


def ran(store: Store, user: str, script: str, **how) -> dict:
    """What a script prints, and its difference by path: kind, mode, owner, group, target, content, attributes."""
    small_root()  # skips
    done = subprocess.run(
        [*AS[user], sys.executable, "-c", _RUN, str(store.root), json.dumps({"script": script, **how})],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return {**answer, "entries": {path: tuple(rest) for path, *rest in answer.get("entries", [])}}


def nothing_is_left(store: Store) -> bool:
    return not list((store.root / "tmp").iterdir())


@pytest.mark.parametrize("user", AS)
def test_what_is_added_changed_and_removed_is_the_difference_and_nothing_else(store, user):
    done = ran(
        store,
        user,
        "cat /data/changed; echo after > /data/changed; rm /data/gone; mkdir -m 0700 /new; echo 1 > /new/file;"
        " ln -s ../data /new/link; ln /new/file /data/same; touch /data/kept; chmod 0600 /data/inner/one;"
        " echo x > /tmp/x; echo secret > /etc/hosts",
    )

    assert done["lines"] == ["before"]
    assert done["entries"] == {
        "data": ("directory", "0o755", 0, 0, "", "", []),
        "data/.wh.gone": ("file", "0o644", 0, 0, "", "", []),
        "data/changed": ("file", "0o644", 0, 0, "", "after\n", []),
        "data/inner": ("directory", "0o755", 0, 0, "", "", []),
        "data/inner/one": ("file", "0o600", 0, 0, "", "1", []),
        "data/same": ("file", "0o644", 0, 0, "", "1\n", []),
        "new": ("directory", "0o700", 0, 0, "", "", []),
        "new/file": ("hardlink", "0o644", 0, 0, "data/same", "", []),
        "new/link": ("symlink", "0o777", 0, 0, "../data", "", []),
    }
    assert nothing_is_left(store)


@pytest.mark.parametrize("user", AS)
def test_a_folder_that_was_made_anew_hides_what_was_in_it_at_every_depth(store, user):
    done = ran(store, user, "rm -r /data; mkdir -p /data/inner; echo 3 > /data/inner/two; echo k > /data/kept")

    assert sorted(done["entries"]) == [
        *("data", "data/.wh.changed", "data/.wh.gone"),
        *("data/inner", "data/inner/.wh.one", "data/inner/two", "data/kept"),
    ]


@pytest.mark.parametrize("user", AS)
def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(store, user):
    done = ran(store, user, "rm -r /data/inner /data/kept; echo f > /data/inner; mkdir /data/kept")

    assert {path: row[0] for path, row in done["entries"].items()} == {
        "data": "directory",
        "data/inner": "file",
        "data/kept": "directory",
    }


def test_bytecode_of_a_module_that_changes_goes_with_it_and_none_with_a_time_stamp_comes(store):
    done = ran(
        store,
        "root",
        r"echo 'x = 2' > /lib/module.py; printf '....\0\0\0\0' > /lib/__pycache__/new.cpython-313.pyc;"
        r"printf '....\1\0\0\0' > /lib/__pycache__/checked.cpython-313.pyc",
    )

    assert [path for path in done["entries"] if path.startswith("lib/")] == [
        "lib/__pycache__",
        "lib/__pycache__/.wh.module.cpython-313.pyc",
        "lib/__pycache__/checked.cpython-313.pyc",
        "lib/module.py",
    ]


@pytest.mark.parametrize("user", AS)
def test_files_for_one_command_are_there_with_their_mode_and_leave_nothing(store, user):
    files = {"/etc/pip.conf": (0o400, "t0ken-of-mine"), "/run/secrets/deep/one": (0o400, "other")}

    done = ran(store, user, "cat /etc/pip.conf /run/secrets/deep/one; stat -c ' %a' /etc/pip.conf", files=files)

    assert "".join(done["lines"]) == "t0ken-of-mineother 400"
    assert done["entries"] == {}
    assert not any(b"t0ken-of-mine" in path.read_bytes() for path in store.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("user", AS)
def test_a_command_that_fails_leaves_nothing_and_says_how_it_ended(store, user):
    done = ran(store, user, "echo half > /data/half; echo oops >&2; exit 3")

    assert done["error"] == "CommandError: the command ended with status 3"
    assert done["lines"] == ["oops"]
    assert nothing_is_left(store)


def test_what_no_layer_can_hold_is_refused_by_its_name(store):
    done = ran(store, "root", "mkdir /p; cp /bin/sh /p/sh; mkfifo /p/pipe; echo x > /p/.wh.y")

    assert "UnfitChangeError: it left behind what no layer can hold: /p/.wh.y is a file whose name" in done["error"]
    assert "/p/pipe is a named pipe" in done["error"]


def test_what_it_has_left_running_is_ended_before_the_difference_is_taken(store):
    done = ran(store, "root", "(sleep 1000; echo late > /late) & echo early > /early")

    assert list(done["entries"]) == ["early"]


@pytest.mark.parametrize(("user", "owner"), [("root", 100), ("ordinary", 0)])
def test_owners_are_kept_where_there_are_several_and_else_everything_is_roots(store, user, owner):
    done = ran(store, user, "echo x > /x; chown 100:100 /x; setpriv --reuid=65534 --clear-groups cat /x")

    assert done["lines"] == ["x"]
    assert done["entries"]["x"][2:4] == (owner, owner)


@pytest.mark.root
def test_capabilities_of_a_file_are_kept(store, tmp_path):
    value = (0x02000001).to_bytes(4, "little") + (1 << 10).to_bytes(4, "little") + bytes(12)  # <linux/capability.h>
    given = tmp_path / "given"
    given.mkdir()
    (given / "x").write_bytes(b"x")
    os.setxattr(given / "x", "security.capability", value)

    done = ran(store, "root", "cp --preserve=xattr /given/x /x", mounts={"/given": str(given)})

    assert done["entries"]["x"][6] == [["security.capability", value.hex()]]
    assert list(done["entries"]) == ["x"]


def test_two_runs_in_two_stores_give_the_same(tmp_path):
    script = "mkdir /a; for i in 3 1 2; do echo $i > /a/$i; done; ln /a/1 /a/0; echo $SOURCE_DATE_EPOCH; ls -a /a; cat /proc/sys/kernel/hostname"

    first, second = (ran(Store(tmp_path / name), "root", script) for name in ("one", "two"))

    assert first == second
    assert first["lines"][-1] == "cog-oci"


def test_nothing_of_the_host_is_within_reach(store):
    done = ran(store, "root", "cat /proc/self/mountinfo; echo 1 > /proc/sys/vm/drop_caches || true; ls /../..")

    mounts = {line.split()[4] for line in done["lines"] if " - " in line}
    assert "/" in mounts
    assert not [place for place in mounts if not place.startswith(("/proc", "/dev", "/etc/")) and place != "/"]
    assert any("Read-only file system" in line for line in done["lines"])
    assert not {"var", "home", "work", "root"} & set(done["lines"])


def test_a_sandbox_that_fails_is_not_taken_for_the_command(store):
    done = ran(store, "root", "true", mounts={"/given": "/nonexistent/folder"})

    assert "CogError: the sandbox ended with status" in done["error"]
    assert "/nonexistent/folder cannot be mounted at" in done["lines"][0]
    assert nothing_is_left(store)


def test_a_result_that_cannot_be_kept_is_not_taken_for_the_command_either(store):
    # The program that looks for changes is asked for something that makes no sense.
    script = "from cog_oci.steps import _difference; _difference.LEFT_OUT = '('\n" + _RUN
    small_root()  # skips
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.root), json.dumps({"script": "echo x > /x"})],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "CogError: what the command changed could not be kept" in json.loads(done.stdout)["error"]
    assert nothing_is_left(store)


def test_a_command_hears_of_a_pipe_that_nobody_reads(store):
    (status,) = [line for line in ran(store, "root", "cat /proc/self/status")["lines"] if line.startswith("SigIgn:")]

    assert not int(status.split()[1], 16) & (1 << (signal.SIGPIPE - 1))


def test_a_step_is_the_same_bytes_where_this_machine_has_another_encoding(store, tmp_path, monkeypatch):
    if shutil.which("localedef") is None:
        pytest.skip("needs localedef")
    made = ["localedef", "-f", "ISO-8859-1", "-i", "de_DE", str(tmp_path / "de_DE.ISO-8859-1")]
    if subprocess.run(made, capture_output=True, check=False).returncode > 1:  # 1: with warnings
        pytest.skip("needs the sources of locales")
    script = "echo $NAME ö > /data/ö; ln -s ü /data/ä; ls /run/ö"
    how = {"env": {"NAME": "é"}, "files": {"/run/ö/ß": [0o644, ""]}}

    here = ran(store, "root", script, **how)
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "de_DE.ISO-8859-1")
    there = ran(store, "root", script, **how)

    assert here["entries"]["data/ö"][-2] == "é ö\n"
    assert here["lines"] == ["ß"]
    assert there == here
