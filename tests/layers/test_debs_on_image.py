"""Debian packages on somebody else's Debian come out as they do on our own."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cog_oci.blobs import open_plain
from cog_oci.contents import Root, read_layer
from cog_oci.fetch import Fetcher
from cog_oci.layers import realise
from cog_oci.layers._image_files import image_files
from cog_oci.layers.base_image import DebsOnImageLayer
from cog_oci.layers.debs import DebLayer, deb_layers
from cog_oci.lock import BaseImage, BaseLayer
from cog_oci.origins import Origins
from cog_oci.resolver import debian
from cog_oci.resolver._debian_installed import demands
from cog_oci.resolver.base import Base
from tests.image_maker import member, of_tars, tar
from tests.layers.deb_builder import deb, file, folder, keep

STATUS = "var/lib/dpkg/status"
ALTERNATIVE = "#!/bin/sh\nupdate-alternatives --install /usr/bin/awk awk /usr/bin/{name} {priority}\n"
MAWK = deb(
    "mawk", {"usr/bin/mawk": file(b"m", 0o755)}, scripts={"postinst": ALTERNATIVE.format(name="mawk", priority=5)}
)
GAWK = deb(
    "gawk", {"usr/bin/gawk": file(b"g", 0o755)}, scripts={"postinst": ALTERNATIVE.format(name="gawk", priority=9)}
)


def image(*blobs) -> BaseImage:
    layers = tuple(
        BaseLayer(
            name="layer",
            version="",
            file="registry/base",
            sha256=blob.descriptor.digest.removeprefix("sha256:"),
            size=blob.descriptor.size,
            media_type=blob.descriptor.media_type,
            diff_id=blob.diff_id,
            tar=blob.uncompressed_size,
        )
        for blob in blobs
    )
    return BaseImage(
        reference="registry/base",
        manifest="sha256:" + "0" * 64,
        architecture="amd64",
        glibc="2.36",
        env=(),
        user="",
        ports=(),
        volumes=(),
        labels={},
        layers=layers,
    )


def of_members(store, *layers: tuple) -> BaseImage:
    return image(*of_tars(store, *(tar(*members) for members in layers)).layers)


def made(store, base: BaseImage, *debs) -> dict:
    with DebsOnImageLayer(base, tuple(keep(store, one) for one in debs)).open(store) as entries:
        return {entry.path: entry for entry in entries}


def told(files: dict) -> dict:
    """What a container would see of these entries."""
    return {
        path: (
            entry.kind,
            0 if entry.kind == "symlink" else entry.mode,
            entry.uid,
            entry.gid,
            entry.target,
            b"".join(entry.content.chunks()) if entry.content else b"",
        )
        for path, entry in files.items()
    }


def tree(store, *blobs) -> dict:
    with image_files(image(*blobs).layers, store) as files:
        return told(files)


def text(entry) -> str:
    return b"".join(entry.content.chunks()).decode()


def test_a_package_on_an_image_is_what_it_is_on_a_base_of_ours(store):
    below, above = keep(store, MAWK), keep(store, GAWK)
    base = realise(DebLayer("trixie", (below,)), store)
    ours = realise(DebLayer("trixie", (above,), (below,)), store)
    theirs = realise(DebsOnImageLayer(image(base), (above,)), store)

    one, other = tree(store, base, ours), tree(store, base, theirs)

    assert "auto\n/usr/bin/awk\n\n/usr/bin/gawk\n9\n/usr/bin/mawk\n5\n" in text_of(
        other, "var/lib/dpkg/alternatives/awk"
    )
    rows = [sorted(text_of(files, STATUS).strip("\n").split("\n\n")) for files in (one, other)]
    assert rows[0] == rows[1]
    assert {**one, STATUS: ()} == {**other, STATUS: ()}


def text_of(files: dict, path: str) -> str:
    return files[path][5].decode()


def test_nothing_that_is_there_already_is_brought_again(store):
    base = of_members(store, [member("usr/bin/gawk", b"g", mode=0o755), member(STATUS, b"")])

    assert "usr/bin/gawk" not in made(store, base, GAWK)


def test_directories_stay_as_the_image_has_them(store):
    base = of_members(
        store,
        [member("tmp", kind=tarfile.DIRTYPE, mode=0o1777), member("srv", kind=tarfile.DIRTYPE, mode=0o700)],
    )
    found = made(store, base, deb("a", {"tmp": folder(0o755), "tmp/x": file(b"1"), "srv": folder(0o755)}))

    assert found["tmp"].mode == 0o1777
    assert "srv" not in found
    assert found["tmp/x"].kind == "file"


def test_what_lies_behind_a_link_goes_where_it_leads(store):
    base = of_members(
        store,
        [
            member("data/share/x", b""),
            member("usr/share", kind=tarfile.SYMTYPE, linkname="/data/share"),
        ],
    )
    found = made(store, base, deb("a", {"usr/share": folder(), "usr/share/a": file(b"1")}))

    assert "data/share/a" in found
    assert "usr/share" not in found
    assert "usr/share/a" not in found


def test_accounts_are_added_to_those_of_the_image(store):
    scripts = {"postinst": "#!/bin/sh\nadduser --system --group --no-create-home --home /var/lib/it it\n"}
    base = of_members(
        store,
        [
            member("etc/passwd", b"root:x:0:0:root:/root:/bin/bash\ntheirs:x:1000:1000::/home/theirs:/bin/sh\n"),
            member("etc/group", b"root:x:0:\ntheirs:x:1000:\n"),
            member("etc/shadow", b"root:*:1:0:99999:7:::\n"),
            member("etc/gshadow", b"root:*::\n"),
        ],
    )
    found = made(store, base, deb("a", {"usr/share/a": file(b"1")}, scripts=scripts))

    assert text(found["etc/passwd"]).startswith("root:x:0:0:root:/root:/bin/bash\ntheirs:x:1000:1000:")
    assert "\nit:x:" in text(found["etc/passwd"])


def test_dpkg_s_database_loses_nothing(store):
    base = of_members(
        store,
        [
            member(STATUS, b"Package: theirs\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
            member("var/lib/dpkg/triggers/File", b"/usr/lib theirs\n"),
            member("var/lib/dpkg/info/format", b"1\n"),
        ],
    )
    found = made(store, base, deb("a", {"usr/share/a": file(b"1")}, scripts={"triggers": "interest /usr/share/b\n"}))

    assert text(found[STATUS]).startswith("Package: theirs\nStatus: install ok installed\nVersion: 1")
    assert "\n\nPackage: a\nStatus: install ok installed\n" in text(found[STATUS])
    assert text(found["var/lib/dpkg/triggers/File"]) == "/usr/lib theirs\n/usr/share/b a\n"
    assert "var/lib/dpkg/info/a.list" in found
    assert "var/lib/dpkg/info/format" not in found


def test_the_recipe_is_the_image_and_the_packages(store):
    one, other = of_members(store, [member("a", b"1")]), of_members(store, [member("a", b"2")])
    debs = keep(store, MAWK, "mawk"), keep(store, GAWK, "gawk")

    assert DebsOnImageLayer(one, debs).recipe == DebsOnImageLayer(one, debs[::-1]).recipe
    assert DebsOnImageLayer(one, debs).recipe != DebsOnImageLayer(other, debs).recipe
    assert DebsOnImageLayer(one, debs).recipe != DebsOnImageLayer(one, debs[:1]).recipe
    assert DebsOnImageLayer(one, debs).recipe != DebsOnImageLayer(one, debs, ("gawk",)).recipe


@pytest.mark.parametrize(
    "above",
    [
        [member("d/.wh.x")],
        [member(".wh.d")],
        [member("d/.wh..wh..opq"), member("d/new", b"1")],
        [member("d/new", b"1"), member("d/.wh..wh..opq")],
        [member("d", b"now a file")],
        [member("d", kind=tarfile.SYMTYPE, linkname="e")],
        [
            member("l", kind=tarfile.LNKTYPE, linkname="n"),
            member("n", b"1"),
            member("m", kind=tarfile.LNKTYPE, linkname="n"),
        ],
        [member("dev", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        [member(".wh.d"), member("d", kind=tarfile.DIRTYPE), member("d/y", b"2")],
    ],
)
def test_layers_upon_each_other_are_what_engines_make_of_them(store, above):
    below = [
        member("d", kind=tarfile.DIRTYPE, mode=0o750),
        member("d/x", b"1"),
        member("d/deep/er", b"2"),
        member("e", kind=tarfile.DIRTYPE),
    ]
    layers = of_members(store, below, above)
    root = Root(_members(store, layer) for layer in layers.layers)
    seen = {path: root.get(path).member for path in root}

    with image_files(layers.layers, store) as files:
        # Directories that no layer has as such are of no concern to whoever asks for entries.
        assert {p: e.kind for p, e in files.items() if e.kind != "directory"} == {
            p: one.kind for p, one in seen.items() if one.kind not in {"directory", "character device", "hardlink"}
        }


def _members(store, layer):
    with store.path(layer.digest).open("rb") as blob:
        return read_layer(open_plain(blob, layer.media_type), "layer").members


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("3.13", ("imagemagick", "graphviz", "zsh", "dbus")),
    ],
)
def test_real_packages_need_and_become_the_same_as_on_a_base_of_ours(store, python, names):
    now = datetime.now(UTC).replace(microsecond=0)
    fetcher, base = Fetcher(store), Base(python, "amd64")
    origins = Origins(fetcher, now)
    suites = debian.suites(base.suite)
    ours = debian.DebianResolver(fetcher, store, suites, "amd64", origins.archive, now)
    debs = ours.resolve(base.packages, names, preferred=base.pinned_debs).debs
    fetcher.artifacts(debs, origins.locate)
    below, *above = [realise(layer, store) for layer in deb_layers(base.suite, debs)]
    with image_files(image(below).layers, store) as files:
        status = b"".join(files[STATUS].content.chunks())

    theirs = debian.DebianResolver(fetcher, store, suites, "amd64", origins.archive, now, installed=status)
    found = theirs.resolve(demands(status, "amd64"), names).debs
    assert {deb.sha256 for deb in found} == {deb.sha256 for deb in debs if deb.layer == "system"}

    with DebsOnImageLayer(image(below), found).open(store) as entries:
        opened = {entry.path: entry for entry in entries}
        linked = {p: replace(opened[e.target], path=p) if e.kind == "hardlink" else e for p, e in opened.items()}
        one, other = tree(store, below, *above), {**tree(store, below), **told(linked)}
    for path in (STATUS, "var/lib/dpkg/triggers/File"):
        rows = [
            sorted(files.pop(path)[5].strip(b"\n").split(b"\n\n" if path == STATUS else b"\n"))
            for files in (one, other)
        ]
        assert rows[0] == rows[1]
    assert {path for path in {*one, *other} if one.get(path) != other.get(path)} == set()
