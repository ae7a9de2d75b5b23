"""Layers of anybody's as folders: what engines would show, whiteouts for overlayfs, and nothing outside of the folder."""

from __future__ import annotations

import io
import os
import stat
import tarfile

import pytest

from cog_oci.errors import CogError
from cog_oci.unpacked import unpack
from tests.image_maker import member, tar


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "outside" / "layer"
    made.mkdir(parents=True)
    return made


def unpacked(folder, *members):
    unpack(io.BytesIO(tar(*members)), folder)
    return folder


def link(name: str, target: str) -> tuple:
    return member(name, kind=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple:
    return member(name, kind=tarfile.LNKTYPE, linkname=target)


def directory(name: str, mode: int = 0o755) -> tuple:
    return member(name, kind=tarfile.DIRTYPE, mode=mode)


def is_whiteout(path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(0, 0)


def test_files_directories_and_links_are_where_they_should_be(folder):
    unpacked(
        folder,
        directory("etc", 0o700),
        member("etc/a", b"one", mode=0o640, mtime=12),
        link("b", "etc/a"),
        hard("c", "./etc/a"),
        member("./far/away/d", b"two"),
        member("fifo", kind=tarfile.FIFOTYPE),
    )

    assert stat.S_IMODE((folder / "etc").stat().st_mode) == 0o700
    assert ((folder / "etc/a").read_bytes(), (folder / "etc/a").stat().st_mtime) == (b"one", 12)
    assert (folder / "b").read_bytes() == b"one"
    assert (folder / "c").samefile(folder / "etc/a")
    assert (folder / "far/away/d").read_bytes() == b"two"
    assert stat.S_ISFIFO((folder / "fifo").stat().st_mode)


def test_links_are_followed_as_if_the_folder_were_everything(folder):
    unpacked(
        folder,
        link("run", "/var/run"),
        link("up", "../../../tmp"),
        member("run/pid", b"1"),
        member("up/x", b"2"),
        directory("run/more"),
    )

    assert (folder / "var/run/pid").read_bytes() == b"1"
    assert (folder / "tmp/x").read_bytes() == b"2"
    assert (folder / "run").is_symlink()
    assert [path.name for path in folder.parent.iterdir()] == ["layer"]


@pytest.mark.parametrize(
    "members",
    [
        [member("../x", b"1")],
        [member("a/../../x", b"1")],
        [hard("x", "../secret")],
        [link("a", "b"), link("b", "a"), member("a/x", b"1")],
        [member("a", b"1"), member("a/b", b"2")],
        [member(".wh...", b"")],
        [member("a/.wh.", b"")],
    ],
)
def test_what_leads_nowhere_is_refused(folder, members):
    (folder.parent / "secret").write_text("secret")

    with pytest.raises(CogError, match="a layer has"):
        unpacked(folder, *members)

    assert not (folder.parent / "x").exists()


def test_what_is_no_tar_is_said(folder):
    with pytest.raises(CogError, match="a layer is no tar that can be read"):
        unpack(io.BytesIO(b"no tar" * 500), folder)


@pytest.mark.parametrize("moment", ["nan", "-5", "1e300", "99999999999999999"])
def test_times_that_no_file_system_has_are_no_matter(folder, moment):
    found = unpacked(folder, member("a", b"1", pax_headers={"mtime": moment}))

    assert (found / "a").read_bytes() == b"1"


def test_an_absolute_path_begins_at_the_folder(folder):
    assert (unpacked(folder, member("/etc/x", b"1")) / "etc/x").read_bytes() == b"1"


def test_a_file_never_goes_through_a_link_of_its_own_name(folder):
    (folder.parent / "victim").write_text("untouched")

    unpacked(folder, link("a", str(folder.parent / "victim")), member("a", b"new"))

    assert (folder.parent / "victim").read_text() == "untouched"
    assert (folder / "a").read_bytes() == b"new"


def test_devices_are_not_made(folder):
    assert list(unpacked(folder, member("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)).iterdir()) == []


@pytest.mark.root
def test_whiteouts_are_those_of_overlayfs(folder):
    unpacked(folder, member("deep/.wh.gone"), directory("new"), member("new/.wh..wh..opq"), member("new/x", b"1"))

    assert is_whiteout(folder / "deep/gone")
    assert os.getxattr(folder / "new", "user.overlay.opaque") == b"y"
    assert (folder / "new/x").exists()


@pytest.mark.root
@pytest.mark.parametrize("first", ["whiteout", "file"])
def test_what_a_layer_brings_anew_is_there_wherever_the_whiteout_is(folder, first):
    gone, file = member(".wh.a"), member("a", b"new")
    unpacked(folder, *((gone, file) if first == "whiteout" else (file, gone)))

    assert (folder / "a").read_bytes() == b"new"
    assert sorted(path.name for path in folder.iterdir()) == ["a"]


@pytest.mark.root
@pytest.mark.parametrize("first", ["whiteout", "directory"])
def test_a_directory_in_place_of_one_that_goes_hides_what_was_in_it(folder, first):
    gone, new = member(".wh.d"), directory("d")
    unpacked(folder, *((gone, new) if first == "whiteout" else (new, gone)), member("d/x", b"1"))

    assert os.getxattr(folder / "d", "user.overlay.opaque") == b"y"
    assert (folder / "d/x").read_bytes() == b"1"


def test_the_last_of_several_members_counts(folder):
    unpacked(folder, directory("a"), member("a/x", b"1"), member("a", b"2"), directory("b"), link("c", "b"))
    unpacked(folder, directory("a"), member("a/y", b"3"))

    assert (folder / "a/y").read_bytes() == b"3"
