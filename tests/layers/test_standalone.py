"""An interpreter's archive as a layer: what of it is in the image, and what is refused."""

from __future__ import annotations

import gzip
import tarfile

import pytest

from cog_oci.layers import realise
from cog_oci.layers import standalone as module
from cog_oci.layers.standalone import DamagedInterpreterError, StandaloneLayer
from cog_oci.lock import InterpreterArchive
from cog_oci.store import Store
from tests.standalone_archive import LICENSE, packed, small


def layer(store, data: bytes, version: str = "3.12.14") -> StandaloneLayer:
    digest = store.add(data)
    return StandaloneLayer(
        InterpreterArchive(
            name="cpython",
            version=version,
            file="20260101/cpython.tar.gz",
            sha256=digest.removeprefix("sha256:"),
            size=len(data),
            architecture="amd64",
        )
    )


def opened(store, data: bytes) -> dict:
    with layer(store, data).open(store) as entries:
        return {
            entry.path.removeprefix("opt/python/"): (
                entry.kind,
                entry.mode,
                entry.target or b"".join(entry.content.chunks()),
            )
            for entry in entries
            if entry.kind != "directory"
        }


def test_what_runs_is_kept_and_what_only_builders_need_is_not(store):
    found = opened(store, packed(small()))

    assert set(found) == {
        "bin/python3.12",
        "bin/python3",
        "lib/python3.12/os.py",
        "lib/python3.12/LICENSE.txt",
        "lib/python3.12/EXTERNALLY-MANAGED",
        "lib/python3.12/unittest/case.py",
        "lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py",
        "lib/libpython3.12.so.1.0",
        "lib/libpython3.12.so",
        "share/terminfo/x/xterm",
    }
    assert found["bin/python3.12"] == ("file", 0o755, b"\x7fELF the interpreter")
    assert found["bin/python3"] == ("symlink", 0o777, "python3.12")
    assert found["lib/python3.12/LICENSE.txt"] == ("file", 0o644, LICENSE)


def test_what_compilers_are_told_names_the_place_in_the_image(store):
    found = opened(store, packed(small()))

    assert found["lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py"][2] == (
        b"build_time_vars = {'prefix': '/opt/python', 'LIBDIR': '/opt/python/lib', 'INSTALL': '/usr/bin/install -c'}\n"
    )


def test_pip_is_told_where_packages_go(store):
    assert b"/opt/venv" in opened(store, packed(small()))["lib/python3.12/EXTERNALLY-MANAGED"][2]


def test_the_order_in_the_archive_does_not_show(store, tmp_path):
    files = small()
    one = realise(layer(store, packed(files)), store)
    other = Store(tmp_path / "other")
    two = realise(layer(other, packed(dict(reversed(files.items())))), other)

    assert one.diff_id == two.diff_id


def test_a_hard_link_stays_one(store):
    link = tarfile.TarInfo("python/bin/python")
    link.type, link.linkname = tarfile.LNKTYPE, "python/bin/python3.12"

    assert opened(store, packed(small(), [link]))["bin/python"] == ("hardlink", 0o644, "opt/python/bin/python3.12")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (member("python/../../etc/passwd"), "outside of python/: python/../../etc/passwd"),
        (member("/etc/passwd"), "outside of python/: /etc/passwd"),
        (member("etc/passwd"), "outside of python/"),
        (
            member("python/lib/x", tarfile.SYMTYPE, "../../../etc"),
            "a link out of python/: python/lib/x to ../../../etc",
        ),
        (member("python/lib/x", tarfile.SYMTYPE, "/etc"), "a link out of python/"),
        (member("python/lib/x", tarfile.LNKTYPE, "../etc/passwd"), "outside of python/"),
        (member("python/lib/x", tarfile.LNKTYPE, "python/lib/none"), "a hard link to what is not in it: python/lib/x"),
        (member("python/dev", tarfile.CHRTYPE), "neither file, folder nor link: python/dev"),
        (member("python/fifo", tarfile.FIFOTYPE), "neither file, folder nor link"),
    ],
)
def test_what_no_interpreter_has_in_it_is_refused_by_name(store, bad, words):
    with pytest.raises(DamagedInterpreterError) as caught:
        opened(store, packed(small(), [bad]))

    assert words in str(caught.value)
    assert str(caught.value).startswith("cpython.tar.gz has")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no archive at all", "cannot be unpacked"),
        (packed(small())[:-20], "cannot be unpacked"),
        (gzip.compress(b"no tar" * 1000), "is no tar"),
        (packed(small("3.13.1")), "has no python/bin/python3.12"),
        (packed({"bin/python3.12": b""}), "has no python/lib/python3.12/os.py"),
    ],
)
def test_what_is_no_such_archive_is_said(store, data, words):
    with pytest.raises(DamagedInterpreterError, match=words):
        opened(store, data)


def test_an_archive_that_never_ends_is_not_unpacked(store, monkeypatch):
    monkeypatch.setattr(module, "_LARGEST", 1 << 20)

    with pytest.raises(DamagedInterpreterError, match="larger than 1048576 bytes"):
        opened(store, gzip.compress(bytes(3 << 20)))

    assert list((store.root / "tmp").iterdir()) == []
