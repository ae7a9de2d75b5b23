"""What an image holds: every member as its tar has it, the root as a container sees it, and whose files those are."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.contents import (
    Copies,
    DamagedLayerError,
    FileUsage,
    Hidden,
    Member,
    Root,
    read_contents,
    read_layer,
    usage,
)
from cog_oci.errors import CogError
from cog_oci.layers._tar import END, Entry, header, in_order, padding
from cog_oci.oci import Descriptor
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from tests.conftest import make_wheel, need
from tests.image_maker import Listed, made, member, of_tars, tar
from tests.transports.stored import NAME, write_layout


def members(data: bytes) -> dict[str, Member]:
    return {one.path: one for one in read_layer(io.BytesIO(data), "it").members}


def contents(image, store, folder):
    """What is in this image, once it is a layout."""
    shutil.rmtree(folder / "layout", ignore_errors=True)
    with open_source(str(write_layout(folder / "layout", store, image))) as source:
        (stored,) = source.images()
        return stored, read_contents(source, stored)


def seen(root: Root) -> dict[str, tuple[str, str]]:
    """Kind and content, by path."""
    return {path: (root.get(path).member.kind, root.get(path).member.sha256) for path in root}


def file(path: str, size: int = 1, **fields) -> Member:
    return Member(path=path, kind="file", size=size, sha256=hashlib.sha256(path.encode()).hexdigest(), **fields)


def folder(path: str, **fields) -> Member:
    return Member(path=path, kind="directory", **fields)


def test_a_member_is_what_its_header_says(store):
    data = tar(
        member("./a/", kind=tarfile.DIRTYPE, mode=0o1777),
        member("./a/f", b"hello", mode=0o4755, uid=7, gid=8, mtime=99),
        member("a/s", kind=tarfile.SYMTYPE, linkname="../x"),
        member("a/h", kind=tarfile.LNKTYPE, linkname="./a/f"),
        member("dev/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("p", kind=tarfile.FIFOTYPE),
        member("/abs/../up/../../x"),
        member(
            "c", b"1", pax_headers={"SCHILY.xattr.security.capability": "cap", "SCHILY.xattr.a": "b", "mtime": "1.5"}
        ),
    )

    found = members(data)

    sha256 = hashlib.sha256(b"hello").hexdigest()
    assert found["a"] == folder("a", mode=0o1777)
    assert found["a/f"] == Member(path="a/f", kind="file", mode=0o4755, uid=7, gid=8, mtime=99, size=5, sha256=sha256)
    assert (found["a/s"].kind, found["a/s"].target) == ("symlink", "../x")
    assert (found["a/h"].kind, found["a/h"].target, found["a/h"].size) == ("hardlink", "a/f", 0)
    assert (found["dev/null"].kind, found["dev/null"].target) == ("character device", "1:3")
    assert found["p"].kind == "pipe"
    assert "x" in found
    assert found["c"].attributes == (("a", "b"), ("security.capability", "cap"))


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."}
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(paths, st.binary(max_size=2000), max_size=6))
def test_what_our_writer_writes_is_read_back(files):
    parents = {path.rsplit("/", n)[0] for path in files for n in range(1, path.count("/") + 1)}
    entries = in_order(Entry.file(path, data) for path, data in files.items() if path not in parents)
    plain = b"".join(
        header(entry) + b"".join(entry.content.chunks() if entry.content else ()) + padding(entry.size)
        for entry in entries
    )

    layer = read_layer(io.BytesIO(plain + END), "it", keep=lambda _path: True)

    assert layer.size == len(plain + END)
    assert [(one.path, one.kind, one.size) for one in layer.members] == [
        (entry.path, entry.kind, entry.size) for entry in entries
    ]
    assert layer.kept == {path: data for path, data in files.items() if path not in parents}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(form):
    name = "/".join(["n" * 40] * 3)

    assert members(tar(member(name, b"x" * 700), form=form))[name].size == 700


def test_a_name_that_is_no_utf8_is_kept():
    assert "\udcff" in members(tar(member("\udcff", b"x")))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:700],
        lambda data: data[:512] + data[1024:1400],
        lambda data: data[:1030] + b"\x01" + data[1031:],
        lambda data: b"no tar at all" + data[13:],
        lambda data: data[:300],
    ],
    ids=["in a content", "in a header", "a flipped byte", "no tar", "in the first header"],
)
def test_damage_is_an_error_and_not_the_end(damage):
    data = tar(member("a", b"x" * 400), member("b", b"y"))

    with pytest.raises(DamagedLayerError, match="layer 'it' is no tar that can be read"):
        read_layer(io.BytesIO(damage(data)), "it")


KINDS = (
    tar(member("n" * 120, b"x" * 300), member("l", kind=tarfile.LNKTYPE, linkname="t" * 120)),
    tar(member("n" * 120, b"x" * 300), member("l", kind=tarfile.LNKTYPE, linkname="t" * 120), form=tarfile.GNU_FORMAT),
    tar(member("s", b"12", pax_headers={"GNU.sparse.map": "0,1,3,1", "GNU.sparse.size": "20", "mtime": "nan"})),
    tar(member("s", b"0\n" + bytes(600), pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2559), st.sampled_from(b"\0\xff01,xgLKS=\n"), st.booleans())
def test_whatever_is_written_over_a_tar_it_is_read_or_an_error_of_ours(data, at, byte, forged):
    damaged = bytearray(data)
    damaged[at] = byte
    if forged:  # with a checksum that is right
        block = at - at % 512
        damaged[block + 148 : block + 156] = b" " * 8
        damaged[block + 148 : block + 156] = b"%06o\0 " % sum(damaged[block : block + 512])

    try:
        read_layer(io.BytesIO(damaged), "it")
    except DamagedLayerError as error:
        assert str(error).startswith("layer 'it' is no tar that can be read: ")  # noqa: PT017 - most are fine


def test_an_archive_may_end_without_its_end_mark_and_be_empty():
    data = tar(member("a", b"x" * 400))

    assert list(members(data[:1024])) == ["a"]
    assert members(bytes(1024)) == {}


def test_memory_does_not_depend_on_the_size_of_a_file():
    class Zeros:
        """A tar of one file of 96 MiB, made while it is read."""

        left = 96 << 20
        head = tarfile.TarInfo("big")
        head.size = left
        ready = head.tobuf()

        def read(self, size: int) -> bytes:
            if self.ready:
                data, self.ready = self.ready[:size], self.ready[size:]
                return data
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    tracemalloc.start()
    try:
        layer = read_layer(Zeros(), "it")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert layer.members[0].size == 96 << 20
    assert peak < 16 << 20


def test_a_layer_hides_what_it_replaces_and_removes():
    root = Root(
        [
            [
                folder("d"),
                file("d/a", 10),
                file("d/b", 20),
                file("d/c/deep", 30),
                file("e", 5),
                folder("t"),
                file("t/x", 3),
            ],
            [file("d/.wh.a"), file("d/b", 21), file("e", 6), Member(path="t", kind="symlink", target="d")],
            [file(".wh.d")],
        ]
    )

    assert list(root) == ["e", "t"]
    assert root.hidden == [
        Hidden("d/c/deep", 30, 0, 2),
        Hidden("d/b", 21, 1, 2),
        Hidden("d/b", 20, 0, 1),
        Hidden("d/a", 10, 0, 1),
        Hidden("e", 5, 0, 1),
        Hidden("t/x", 3, 0, 1),
    ]


def test_a_whiteout_is_about_the_layers_below_wherever_it_is_in_its_own():
    root = Root([[folder("d"), file("d/a")], [file("d/new"), file("d/.wh..wh..opq"), file("b"), file(".wh.b")]])

    assert list(root) == ["b", "d", "d/new"]


def test_a_folder_that_no_layer_has_is_made_for_what_is_in_it():
    root = Root([[file("a/b/c"), file("f")], [file("f/g")]])

    assert list(root) == ["a", "a/b", "a/b/c", "f", "f/g"]
    assert root.get("a/b").member.mode == 0o755
    assert root.hidden == [Hidden("f", 1, 0, 1)]


def test_a_folder_that_is_named_again_keeps_what_is_in_it():
    root = Root([[folder("d", mode=0o755), file("d/a")], [folder("d", mode=0o700)]])

    assert list(root) == ["d", "d/a"]
    assert root.get("d").member.mode == 0o700
    assert root.hidden == []


def test_a_hard_link_is_the_file_that_it_leads_to_and_its_bytes_are_there_once():
    link = Member(path="b", kind="hardlink", target="a")
    below = [file("a", 100), link]

    assert Root([below]).get("b").member.size == 100
    assert (root := Root([below])).get("b").inode is root.get("a").inode
    assert Root([below, [file(".wh.a")]]).hidden == []
    assert Root([below, [file(".wh.a"), file(".wh.b")]]).hidden == [Hidden("a", 100, 0, 1)]
    assert Root([below, [Member(path="a", kind="hardlink", target="b")]]).hidden == []


trees = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "a/b", "a/c", "a/b/c", "d", ".wh.a", ".wh.d", "a/.wh.b", "a/.wh..wh..opq"]),
            st.sampled_from(["file", "directory"]),
            st.integers(0, 9),
        ),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_every_byte_that_is_carried_is_seen_or_hidden(layers):
    built = [
        [file(path, size) if kind == "file" or ".wh." in path else folder(path) for path, kind, size in layer]
        for layer in layers
    ]
    root = Root(built)

    carried = sum(one.size for layer in built for one in layer if ".wh." not in one.path)
    visible = sum(root.get(path).member.size for path in root)
    assert carried == visible + sum(one.size for one in root.hidden)
    assert all(one.layer <= one.by for one in root.hidden)


def test_a_path_leads_through_links_to_folders():
    root = Root(
        [
            [
                folder("usr/lib"),
                file("usr/lib/x"),
                Member(path="lib", kind="symlink", target="usr/lib"),
                Member(path="lib64", kind="symlink", target="/lib"),
                Member(path="loop", kind="symlink", target="loop"),
                Member(path="up", kind="symlink", target="../../usr"),
            ]
        ]
    )

    assert root.resolve("lib/x") == root.resolve("lib64/x") == root.resolve("up/lib/x") == "usr/lib/x"
    assert root.resolve("lib") == "lib"
    assert root.resolve("loop/x") == "loop/x"
    assert root.resolve("../usr/./lib/../lib/x") == "usr/lib/x"


def test_a_path_may_be_deep():
    path = "/".join(["d"] * 3000)
    root = Root([[file(path)], [file(".wh.d")]])

    assert list(root) == []
    assert root.resolve(path) == path


STATUS = b"""Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4
Description: something
 Status: not a field

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def test_packages_are_found_with_their_files(store, tmp_path):
    site = "opt/venv/lib/python3.13/site-packages"
    record = b"num_py/__init__.py,,\n../../../bin/num,sha256=x,1\nnum_py-1.0.dist-info/RECORD,,\nnot/there.py,,\n"
    image = made(
        store,
        Listed(
            "base",
            [
                Entry.file("var/lib/dpkg/status", STATUS),
                Entry.file("var/lib/dpkg/info/base-files.list", "/.\n/etc\n/etc/os\n"),
                Entry.file("var/lib/dpkg/info/libc6:amd64.list", "/lib\n/lib/libc.so\n"),
                Entry.file("var/lib/dpkg/info/libc6:amd64.md5sums", "x"),
                Entry.file("etc/os", "os"),
                Entry.file("usr/lib/libc.so", "libc" * 100),
                Entry.symlink("lib", "usr/lib"),
            ],
        ),
        Listed(
            "python",
            [
                Entry.file(f"{site}/num_py/__init__.py", "1"),
                Entry.file(f"{site}/num_py/__pycache__/__init__.cpython-313.pyc", "compiled"),
                Entry.file(f"{site}/num_py-1.0.dist-info/RECORD", record),
                Entry.file("opt/venv/bin/num", "#!"),
                Entry.file("src/run.py", "run"),
            ],
        ),
    )

    stored, found = contents(image, store, tmp_path)

    assert [(one.kind, one.name, one.version) for one in found.packages] == [
        ("debian", "base-files", "12.4"),
        ("debian", "libc6", "2.36-9"),
        ("python", "num-py", "1.0"),
    ]
    assert {path: owner.name for path, owner in found.owners.items()} == {
        "etc/os": "base-files",
        "var/lib/dpkg/info/base-files.list": "base-files",
        "lib": "libc6",  # dpkg lists every folder on the way to a file
        "usr/lib/libc.so": "libc6",
        "var/lib/dpkg/info/libc6:amd64.list": "libc6",
        "var/lib/dpkg/info/libc6:amd64.md5sums": "libc6",
        f"{site}/num_py/__init__.py": "num-py",
        f"{site}/num_py/__pycache__/__init__.cpython-313.pyc": "num-py",
        f"{site}/num_py-1.0.dist-info/RECORD": "num-py",
        "opt/venv/bin/num": "num-py",
    }
    owners = {(one.kind, one.name): (one.files, one.size) for one in usage(stored, found).owners}
    assert owners["debian", "libc6"] == (3, 400 + len("/lib\n/lib/libc.so\n") + len("x"))
    assert owners["rest", "/src"] == (1, 3)
    assert owners["rest", "/var/lib"] == (1, len(STATUS))


def test_packages_of_an_image_without_dpkg_are_found(store, tmp_path):
    image = made(
        store,
        Listed(
            "base",
            [
                Entry.file("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2025\nArchitecture: all\n"),
                Entry.file("var/lib/dpkg/status.d/tzdata.md5sums", f"{'0' * 32}  usr/share/zone\n"),
                Entry.file("usr/share/zone", "z"),
            ],
        ),
    )

    _, found = contents(image, store, tmp_path)

    assert [(one.name, one.version, one.files) for one in found.packages] == [("tzdata", "2025", ("usr/share/zone",))]


def test_a_record_that_is_none_lists_what_comes_before(store, tmp_path):
    record = b"x.py,,\n" + b"y" * 200_000 + b",,\nz.py,,\n"
    entries = [Entry.file(name, b"1") for name in ("s/x.py", "s/z.py")]
    image = made(store, Listed("python", [Entry.file("s/x-1.dist-info/RECORD", record), *entries]))

    (package,) = contents(image, store, tmp_path)[1].packages

    assert package.files == ("s/x.py",)


def test_a_package_that_a_layer_above_removes_is_not_there(store, tmp_path):
    image = made(
        store,
        Listed("python", [Entry.file("s/x-1.dist-info/RECORD", "x.py,,\n"), Entry.file("s/x.py", "x")]),
        Listed("code", [Entry.file("s/.wh.x-1.dist-info", "")]),
    )

    assert contents(image, store, tmp_path)[1].packages == []


def test_a_real_wheel_is_found_whole(store, tmp_path):
    from cog_oci.layers import realise
    from cog_oci.layers.wheels import group
    from tests.conftest import keep_wheel

    wheel = keep_wheel(
        store,
        make_wheel(tmp_path, "some", {"some/a.py": b"1" * 50}, entry_points="[console_scripts]\ntool = some.a:f\n"),
    )
    layers = tuple(realise(one, store) for one in group("3.13", "/usr/bin/python3.13", (wheel,)))

    from cog_oci.oci import Image, ImageConfig, Platform

    _, found = contents(Image(Platform("linux", "amd64"), ImageConfig(), layers), store, tmp_path)

    (package,) = found.packages
    assert (package.name, package.version) == ("some", "1.0")
    assert "opt/venv/bin/tool" in package.files
    assert package.folder == "/opt/venv/lib/python3.13/site-packages"


def test_usage_counts_what_is_carried_and_what_for_nothing(store, tmp_path):
    big, small = b"b" * 9000, b"s" * 100
    image = of_tars(
        store,
        tar(member("a/big", big), member("a/small", small), member("a/link", kind=tarfile.LNKTYPE, linkname="a/big")),
        tar(member("b/big", big), member("b/small", small), member("a/.wh.small"), member("c/none", b"")),
    )

    stored, found = contents(image, store, tmp_path)
    used = usage(stored, found)

    assert [(one.stored, one.plain, one.contents, one.files) for one in used.layers] == [
        (stored.layers[0].descriptor.size, found.layers[0].size, 9100, 2),
        (stored.layers[1].descriptor.size, found.layers[1].size, 9100, 4),
    ]
    assert used.files == (
        FileUsage("a/big", 9000, 0, ""),
        FileUsage("b/big", 9000, 1, ""),
        FileUsage("b/small", 100, 1, ""),
        FileUsage("c/none", 0, 1, ""),
    )
    assert used.hidden == (Hidden("a/small", 100, 0, 1),)
    assert used.copies == (Copies(hashlib.sha256(big).hexdigest(), 9000, ("a/big", "b/big")),)
    assert used.copies[0].wasted == 9000


def test_a_layer_that_two_images_have_is_read_once(store, tmp_path):
    base = Listed("base", [Entry.file("a", "1")])
    image = made(store, base, base, Listed("code", [Entry.file("b", "2")]))
    archive.write_file(tmp_path / "image.tar", Archive([image.stored()], NAME), store)
    asked: list[Descriptor] = []

    with open_source(str(tmp_path / "image.tar")) as source:
        (stored,) = source.images()
        opened = source.blob
        source.blob = lambda descriptor: asked.append(descriptor) or opened(descriptor)
        known: dict = {}
        first = read_contents(source, stored, known=known)
        second = read_contents(source, stored, known=known)

    assert len(asked) == 2
    assert list(first.root) == list(second.root) == ["a", "b"]


def test_a_damaged_blob_is_named_before_what_it_does_to_its_tar(store, tmp_path):
    image = made(store, Listed("base", [Entry.file("a", os.urandom(5000))]))
    place = write_layout(tmp_path / "layout", store, image)
    blob = place / "blobs" / "sha256" / image.layers[0].descriptor.digest.removeprefix("sha256:")
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)

    with open_source(str(place)) as source, pytest.raises(CogError, match="is not what the image says"):
        read_contents(source, source.images()[0])


@pytest.mark.engine
def test_the_root_is_the_one_that_umoci_unpacks(store, tmp_path):
    need("umoci", "skopeo")
    image = of_tars(
        store,
        tar(
            member("d/", kind=tarfile.DIRTYPE, mode=0o755),
            *(member(f"d/{name}", name.encode()) for name in ("a", "b", "c")),
            member("e/", kind=tarfile.DIRTYPE, mode=0o755),
            member("e/x", b"x"),
            member("e/y", kind=tarfile.LNKTYPE, linkname="e/x"),
            member("f", b"file"),
            member("g/", kind=tarfile.DIRTYPE, mode=0o755),
            member("g/h", b"h"),
        ),
        tar(
            member("d/", kind=tarfile.DIRTYPE, mode=0o750),
            member("d/.wh.a"),
            member("d/b", b"new"),
            member("e/", kind=tarfile.DIRTYPE, mode=0o755),
            member("e/.wh..wh..opq"),
            member("e/z", b"z"),
            member("f/", kind=tarfile.DIRTYPE, mode=0o755),
            member("f/inside", b"i"),
            member("g", kind=tarfile.SYMTYPE, linkname="d"),
        ),
        tar(member(".wh.f"), member("i", b"i"), member("j", kind=tarfile.LNKTYPE, linkname="i")),
    )
    place = write_layout(tmp_path / "layout2", store, image)
    subprocess.run(["skopeo", "copy", "-q", f"oci:{place}", f"oci:{tmp_path / 'named'}:x"], check=True)
    subprocess.run(
        ["umoci", "unpack", "--rootless", "--image", f"{tmp_path / 'named'}:x", str(tmp_path / "bundle")],
        check=True,
        capture_output=True,
    )

    def real(path) -> tuple[str, str]:
        if path.is_symlink():
            return "symlink", ""
        return ("directory", "") if path.is_dir() else ("file", hashlib.sha256(path.read_bytes()).hexdigest())

    rootfs = tmp_path / "bundle" / "rootfs"
    unpacked = {path.relative_to(rootfs).as_posix(): real(path) for path in rootfs.rglob("*")}
    assert seen(contents(image, store, tmp_path)[1].root) == unpacked
