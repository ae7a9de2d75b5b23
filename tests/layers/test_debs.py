"""Unpacked packages: what is where, who wins, and what is refused by name."""

from __future__ import annotations

import errno
import io
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers import realise
from cog_oci.layers._deb import DamagedDebError, read_package, unpack
from cog_oci.layers._tar import Entry
from cog_oci.layers._unpack import FileConflictError, slimmed
from cog_oci.layers._untar import members
from cog_oci.layers.debs import DebLayer
from tests.conftest import need
from tests.layers.deb_builder import COMPRESS, ar, deb, entries_of, file, folder, hardlink, keep, symlink, tar


def layer(store, *debs: bytes, below: tuple[bytes, ...] = ()) -> dict[str, Entry]:
    """The entries of a layer of these debs, by path, without those under /var (dpkg's database is there)."""
    found = entries_of(store, *debs, below=below)
    return {path: entry for path, entry in found.items() if path.split("/")[0] != "var"}


def fault(store, content: bytes) -> str:
    with pytest.raises(DamagedDebError) as caught, DebLayer("trixie", (keep(store, content, "bad"),)).open(store):
        pass
    assert caught.value.deb == "bad_1.0_amd64.deb"
    assert not list((store.root / "tmp").iterdir())
    return caught.value.fault


@pytest.mark.parametrize("compression", COMPRESS)
def test_every_compression_of_a_deb_is_read(store, compression):
    found = layer(store, deb("a", {"usr/bin/a": file(b"program", 0o755)}, compression=compression))

    assert b"".join(found["usr/bin/a"].content.chunks()) == b"program"
    assert found["usr/bin/a"].mode == 0o755


def test_modes_owners_and_links_are_those_of_the_archive(store):
    found = layer(
        store,
        deb(
            "a",
            {
                "usr/bin/su": file(b"s", 0o4755),
                "tmp": folder(0o1777),
                "tmp/mail": folder(0o2775, gid=8),
                "usr/bin/s": symlink("su"),
            },
        ),
    )

    assert found["usr/bin/su"].mode == 0o4755
    assert (found["tmp"].mode, found["tmp/mail"].mode, found["tmp/mail"].gid) == (0o1777, 0o2775, 8)
    assert found["usr/bin/s"] == Entry.symlink("usr/bin/s", "su")


def test_the_first_path_of_hard_links_is_the_file(store):
    found = layer(store, deb("a", [("usr/bin/z", file(b"one", 0o755)), ("usr/bin/b", hardlink("./usr/bin/z"))]))

    assert found["usr/bin/b"] == Entry.file("usr/bin/b", b"one", 0o755)
    assert (found["usr/bin/z"].kind, found["usr/bin/z"].target) == ("hardlink", "usr/bin/b")


def test_equal_files_of_two_packages_are_no_hard_links(store):
    found = layer(store, deb("a", {"usr/a": file(b"same")}), deb("b", {"usr/b": file(b"same")}))

    assert found["usr/a"].kind == found["usr/b"].kind == "file"


def test_what_lies_outside_usr_on_bookworm_is_put_into_it_behind_links(store):
    found = layer(
        store,
        deb(
            "a",
            {
                "bin": folder(),
                "bin/sh": symlink("dash"),
                "lib64": folder(),
                "lib64/ld.so": file(b"l"),
                "sbin": folder(),
                "sbin/x": file(b"x"),
            },
        ),
    )

    assert {path: entry.target for path, entry in found.items() if entry.kind == "symlink"} == {
        "bin": "usr/bin",
        "lib64": "usr/lib64",
        "sbin": "usr/sbin",
        "usr/bin/sh": "dash",
    }
    assert found["usr/sbin/x"].kind == found["usr/lib64/ld.so"].kind == "file"


def test_what_only_people_read_is_left_out_and_licences_stay(store):
    found = layer(
        store,
        deb(
            "a",
            {
                "usr/share/doc/a/copyright": file(b"MIT"),
                "usr/share/doc/a/changelog.gz": file(b"x"),
                "usr/share/doc/b": symlink("a"),
                "usr/share/man/man1/a.1.gz": file(b"x"),
                "usr/share/info/a.info": file(b"x"),
                "usr/share/lintian/overrides/a": file(b"x"),
                "usr/share/locale/de/LC_MESSAGES/a.mo": file(b"x"),
            },
        ),
    )

    assert {path for path, entry in found.items() if entry.kind != "directory"} == {
        "usr/share/doc/a/copyright",
        "usr/share/doc/b",
        "usr/share/locale/de/LC_MESSAGES/a.mo",
    }
    assert not slimmed("usr/share/doc/a")


def test_two_packages_with_one_path_are_refused_by_name(store):
    with pytest.raises(FileConflictError) as caught:
        layer(store, deb("one", {"usr/x": file(b"1")}), deb("two", {"usr/x": file(b"2")}))

    assert caught.value.path == "usr/x"
    assert set(caught.value.packages) == {"one", "two"}


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_package_that_replaces_another_wins_whatever_the_order(store, names):
    winner, loser = names

    found = layer(
        store,
        deb(winner, {"usr/x": file(b"winner")}, Replaces=f"other, {loser} (<< 2)"),
        deb(loser, {"usr/x": file(b"loser")}),
    )

    assert found["usr/x"] == Entry.file("usr/x", b"winner")


def test_the_same_file_in_two_packages_is_one_file(store):
    found = layer(store, deb("a", {"usr/x": file(b"x")}), deb("b", {"usr/x": file(b"x")}))

    assert found["usr/x"].kind == "file"


def test_a_system_layer_has_its_own_files_and_the_directories_above_them(store):
    below = deb("a", {"srv": folder(0o700), "srv/b": folder(0o1777), "srv/a": file(b"a")})

    found = layer(store, deb("b", {"srv": folder(), "srv/b": folder(), "srv/b/c": file(b"c")}), below=(below,))

    assert {path: entry.mode for path, entry in found.items()} == {"srv": 0o700, "srv/b": 0o1777, "srv/b/c": 0o644}


def test_a_system_package_may_replace_a_file_of_the_base(store):
    below = deb("a", {"usr/x": file(b"old")})

    found = layer(store, deb("b", {"usr/x": file(b"new")}, Replaces="a"), below=(below,))

    assert found["usr/x"] == Entry.file("usr/x", b"new")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("/etc/x", file())], "not a path below the root"),
        ([("./a/../../x", file())], "not a path below the root"),
        ([("./a//x", file())], "not a path below the root"),
        ([("./x", file()), ("./x", file())], "/x is in it twice"),
        ([("./x", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})], "a character device: ./x"),
        ([("./x", {"type": tarfile.BLKTYPE})], "a block device: ./x"),
        ([("./x", {"type": tarfile.FIFOTYPE})], "a named pipe: ./x"),
        ([("./x", hardlink("./y"))], "no file before it"),
        ([("./x", hardlink("../y"))], "not a path below the root"),
        ([("./x", symlink("/etc")), ("./x/passwd", file())], "/x/passwd lies in /x, which is a link"),
        ([("./x", file()), ("./x/y", file())], "/x/y lies in /x, which is a file"),
        ([("./x\\..\\..", file()), ("./..", folder())], "not a path below the root"),
    ],
)
def test_what_no_package_may_have_is_refused(store, members, words):
    assert words in fault(store, deb("bad", data=tar(members)))


def test_more_data_than_the_installed_size_allows_is_refused(store):
    bomb = deb("bad", {"x": file(bytes(70 << 20))}, Installed_Size="1", compression=".zst")

    assert "more than the 64 MB" in fault(store, bomb)


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_data_archive_cut_short_is_refused_wherever_the_cut_is(store, compression):
    whole = tar([("./", folder()), ("./x", file(bytes(range(256)) * 40))])
    packed = COMPRESS[compression](whole)
    about = {"debian-binary": b"2.0\n", "control.tar.gz": _control("bad")}
    for cut in (0, 1, len(packed) // 3, len(packed) - 1 if compression else 9000):
        assert "data.tar" in fault(store, ar({**about, f"data.tar{compression}": packed[:cut]}))
    assert "data.tar is cut short" in fault(store, ar({**about, "data.tar.gz": COMPRESS[".gz"](whole[:9000])}))


def test_a_deb_cut_short_is_refused(store):
    assert "data.tar" in fault(store, deb("bad", {"x": file(b"x" * 5000)})[:-100])
    assert "control.tar" in fault(store, b"no ar archive")


def test_a_member_that_is_there_twice_is_refused(store):
    whole = deb("bad", {"x": file()})
    for name, again in (("control.tar", {"control.tar.gz": _control("other")}), ("data.tar", {"data.tar": tar([])})):
        assert f"its {name} is there twice" in fault(store, whole + ar(again)[8:])


def test_a_script_that_is_there_twice_is_refused(store):
    control = file(b"Package: bad\nVersion: 1\nArchitecture: all\n")
    scripts = [("./postinst", file(b"true\n")), ("postinst", file(b"reboot\n"))]
    about = {"debian-binary": b"2.0\n", "control.tar": tar([("./control", control), *scripts]), "data.tar": tar([])}

    assert "its control.tar has postinst twice" in fault(store, ar(about))


def test_a_control_archive_that_never_ends_is_refused(store):
    bomb = COMPRESS[".zst"](tar([("./control", file(bytes(65 << 20)))]))

    assert "control.tar has more than 64 MB" in fault(store, ar({"control.tar.zst": bomb, "data.tar": tar([])}))


@pytest.mark.parametrize("size", [b"-60", b"1_0", b"x", b""])
def test_a_member_without_a_size_is_refused(store, size):
    whole = bytearray(deb("bad"))
    whole[8 + 48 : 8 + 58] = size.ljust(10)

    assert "has no size" in fault(store, bytes(whole))


def test_a_file_behind_the_link_of_another_package_is_refused_by_name(store):
    with pytest.raises(FileConflictError) as caught:
        layer(store, deb("a", {"usr/x": symlink("/etc")}), deb("b", {"usr/x": folder(), "usr/x/y": file()}))

    assert set(caught.value.packages) == {"a", "b"}


def test_a_package_without_a_name_is_refused(store):
    about = {"debian-binary": b"2.0\n", "control.tar.gz": COMPRESS[".gz"](tar([("./control", file(b"Version: 1\n"))]))}

    assert "does not say its name" in fault(store, ar({**about, "data.tar": tar([])}))


def test_a_full_disk_is_not_the_package_s_fault(store):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "no space left on device")

    path = store.path(keep(store, deb("a", {"x": file(b"x")})).digest)

    with pytest.raises(OSError, match="no space") as caught:
        unpack(path, read_package(path, "a.deb"), Full())
    assert caught.value.errno == errno.ENOSPC


def test_a_changed_header_is_noticed(store):
    data = bytearray(tar([("./", folder()), ("./x", file(b"x"))]))
    data[512 + 2] ^= 1

    assert "wrong checksum" in fault(store, deb("bad", data=bytes(data)))


def test_the_layer_depends_on_the_debs_and_not_on_their_order(store):
    one, two = keep(store, deb("a", {"usr/a": file(b"1")})), keep(store, deb("b", {"usr/b": file(b"2")}))

    assert DebLayer("trixie", (one, two)).recipe == DebLayer("trixie", (two, one)).recipe
    assert DebLayer("trixie", (one,)).recipe != DebLayer("trixie", (two,)).recipe
    assert DebLayer("trixie", (one,), (two,)).recipe != DebLayer("trixie", (one, two)).recipe


def test_the_blob_is_the_same_whatever_the_order_of_the_debs(store, tmp_path):
    contents = [deb(name, {f"usr/{name}": file(name.encode())}) for name in ("c", "a", "b")]
    one = realise(DebLayer("trixie", tuple(keep(store, d) for d in contents)), store)
    other_store = type(store)(tmp_path / "other")
    two = realise(DebLayer("trixie", tuple(keep(other_store, d) for d in reversed(contents))), other_store)

    assert one == two


def test_nothing_is_left_in_the_store_s_folder(store):
    layer(store, deb("a", {"usr/a": file(b"1" * 100_000)}))

    assert not list((store.root / "tmp").iterdir())


names = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\0\\"), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(names, min_size=1, max_size=4).map("/".join), st.binary(max_size=1500)), max_size=8))
def test_what_the_standard_library_writes_is_read_back(rows):
    archive = tar((path, file(data, 0o640, uid=7, gid=3_000_000)) for path, data in rows)

    found = [
        (m.path, archive[m.offset : m.offset + m.size], m.mode, m.uid, m.gid)
        for m in members(lambda offset, size: archive[offset : offset + size])
    ]

    assert found == [(path, data, 0o640, 7, 3_000_000) for path, data in rows]


@pytest.mark.oracle
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abcdef/", min_size=1, max_size=150).map(lambda t: f"usr/{t.strip('/')}x"), st.binary()))
def test_dpkg_deb_unpacks_the_same_files(store, tmp_path, contents):
    need("dpkg-deb")
    contents = {
        path: data
        for path, data in contents.items()
        if "//" not in path and not any(other.startswith(f"{path}/") for other in contents)
    }
    built = deb("a", {path: file(data) for path, data in contents.items()})
    root, package = tmp_path / "root", tmp_path / "a.deb"
    shutil.rmtree(root, ignore_errors=True)
    package.write_bytes(built)
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)

    theirs = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    ours = {p: b"".join(e.content.chunks()) for p, e in layer(store, built).items() if e.content is not None}

    assert ours == theirs == contents


def _control(name: str) -> bytes:
    text = f"Package: {name}\nVersion: 1\nArchitecture: amd64\n"
    return COMPRESS[".gz"](tar([("./control", file(text.encode()))]))
