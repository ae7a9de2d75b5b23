"""Themes of icons are indexed to the bytes that gtk-update-icon-cache writes."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._deb import ControlFile, Package
from cog_oci.layers._effects.glib import icon_caches
from cog_oci.layers._effects.tree import Tree
from cog_oci.layers._tar import Entry
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, lay_out

ICONS = "usr/share/icons"
PROGRAM = deb("gtk-update-icon-cache", {"usr/bin/gtk-update-icon-cache": file(b"p", 0o755)})
HICOLOR = deb("hicolor-icon-theme", {f"{ICONS}/hicolor/index.theme": file(b"[Icon Theme]\n")})
UPDATE = b"""#!/bin/sh
set -e
if [ "$1" = "configure" ]; then
\tif command -v update-icon-caches >/dev/null; then
\t\tupdate-icon-caches /usr/share/icons/Mine /usr/share/icons/other
\tfi
fi
"""


def theme(files, name: str = "Mine") -> bytes:
    members = {f"{ICONS}/{name}/index.theme": file(b"[Icon Theme]\n")}
    for path, data in files.items():
        members[f"{ICONS}/{name}/{path}"] = file(data)
    return deb("mine", members, scripts={"postinst": UPDATE.decode()})


def read(data: bytes) -> dict[str, list[tuple[str, int]]]:
    """The icons of an index, by its published layout: directories and formats by name."""
    major, minor, table, listed = struct.unpack_from(">HHII", data)
    assert (major, minor) == (1, 0)
    (count,) = struct.unpack_from(">I", data, listed)
    directories = [text(data, place) for place in struct.unpack_from(f">{count}I", data, listed + 4)]
    (buckets,) = struct.unpack_from(">I", data, table)
    found = {}
    for first in struct.unpack_from(f">{buckets}I", data, table + 4):
        at = first
        while at != 0xFFFFFFFF:
            after, name, images = struct.unpack_from(">III", data, at)
            (count,) = struct.unpack_from(">I", data, images)
            rows = (struct.unpack_from(">HHI", data, images + 4 + 8 * number) for number in range(count))
            found[text(data, name)] = [(directories[directory], flags) for directory, flags, _ in rows]
            at = after
    return found


def text(data: bytes, place: int) -> str:
    return data[place : data.index(b"\0", place)].decode()


def test_a_theme_is_indexed_that_its_package_has_indexed(store):
    files = {"16/apps/a.png": b"", "16/apps/a.svg": b"", "32/apps/a.xpm": b"", "32/apps/b.icon": b"", "top.png": b""}

    found = entries_of(store, PROGRAM, theme(files))

    assert read(bytes(found[f"{ICONS}/Mine/icon-theme.cache"].content.data)) == {"a": [("32/apps", 1), ("16/apps", 6)]}
    assert f"{ICONS}/Mine/icon-theme.cache" not in entries_of(store, theme(files))


def test_a_script_may_call_the_program_itself(store):
    script = "#!/bin/sh\ngtk-update-icon-cache -f -q /usr/share/icons/Own || true\n"
    files = {f"{ICONS}/Own/index.theme": file(b""), f"{ICONS}/Own/16/a.png": file(b"")}

    found = entries_of(store, PROGRAM, deb("own", files, scripts={"postinst": script}))

    assert read(bytes(found[f"{ICONS}/Own/icon-theme.cache"].content.data)) == {"a": [("16", 4)]}


def test_icons_that_any_package_adds_to_hicolor_are_indexed(store):
    added = deb("app", {f"{ICONS}/hicolor/16/app.png": file(b"")})

    found = entries_of(store, PROGRAM, HICOLOR, added)
    above = entries_of(store, added, below=(PROGRAM, HICOLOR))

    assert read(bytes(found[f"{ICONS}/hicolor/icon-theme.cache"].content.data)) == {"app": [("16", 4)]}
    assert f"{ICONS}/hicolor/icon-theme.cache" in above
    assert f"{ICONS}/hicolor/icon-theme.cache" not in entries_of(store, PROGRAM, HICOLOR)


stems = st.sampled_from(["a", "b", "folder", "go-next", "go-next-symbolic", "x.y", "16", "C", "", "scalable"])
strange = st.sampled_from([{}, {}, {}, {"16x16/é.png": b""}, {"a b/c.png": b""}])
suffixes = st.sampled_from(["png", "svg", "xpm", "icon", "txt", "png.svg"])
ABOUT = [
    b"[Icon Data]\nEmbeddedTextRectangle=1,2,30,-4\n",
    b"[Icon Data]\nDisplayName=a\nDisplayName[de]=f\xc3\xb6lder\nDisplayName[fr]=a\n",
    b"[Icon Data]\nAttachPoints=1,2|30,40|x\n",
    b"[Icon Data]\nDisplayName=go\\snext\nEmbeddedTextRectangle=1,2,3\nAttachPoints=5,6\n",
    b"nothing of it\n",
    b"[Icon Data]\n",  # without the group, GTK's program takes what happens to be in memory for the number of its keys
]
places = st.lists(st.sampled_from(["16x16", "32x32", "apps", "scalable"]), min_size=1, max_size=3).map("/".join)
icons = st.dictionaries(
    st.tuples(places, stems, suffixes).map(lambda parts: f"{parts[0]}/{parts[1]}.{parts[2]}"),
    st.sampled_from(ABOUT) | st.integers(0, 9),
    max_size=60,
)


@pytest.mark.oracle
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(icons, strange, st.integers(0, 50))
def test_the_bytes_are_those_of_gtk_s_program(tmp_path, files, others, more):
    need("gtk-update-icon-cache")
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    members = entries(files | others, more)
    lay_out(members, root)
    package = Package(
        "mine", {"control": ControlFile(b"Package: mine\n", 0o644), "postinst": ControlFile(UPDATE, 0o755)}
    )

    made = [bytes(entry.content.data) for entry in icon_caches(Tree(members), {"mine": package})]
    subprocess.run(["gtk-update-icon-cache", "--force", "--quiet", root / THEME], check=False, capture_output=True)

    cache = root / THEME / "icon-theme.cache"
    assert made == ([cache.read_bytes()] if cache.exists() else [])


THEME = f"{ICONS}/Mine"


def entries(files, more: int) -> dict[str, Entry]:
    """A theme: files, links to some of them and to a folder, and many icons; and the program that indexes it."""
    members = {path: Entry.file(f"{THEME}/{path}", about) for path, about in files.items() if isinstance(about, bytes)}
    paths = sorted(members)
    for path, number in files.items():
        if isinstance(number, int) and paths:
            target = "../" * path.count("/") + paths[number % len(paths)]
            members[path] = Entry.symlink(f"{THEME}/{path}", target)
    if paths:
        members["linked"] = Entry.symlink(f"{THEME}/linked", paths[0].partition("/")[0])
    members |= {f"many/{number}": Entry.file(f"{THEME}/many/icon-{number}.png", b"") for number in range(more)}
    members["index.theme"] = Entry.file(f"{THEME}/index.theme", b"[Icon Theme]\n")
    members["program"] = Entry.file("usr/bin/gtk-update-icon-cache", b"p")
    return {entry.path: entry for entry in members.values()}


def index(*more: Entry) -> bytes | None:
    """That of a theme with one icon and what else is given, by its path in the theme."""
    own = [Entry.file("index.theme", b""), Entry.file("16/a.png", b""), *more]
    placed = [replace(entry, path=f"{ICONS}/hicolor/{entry.path}") for entry in own]
    tree = Tree({entry.path: entry for entry in [Entry.file("usr/bin/gtk-update-icon-cache", b""), *placed]})
    package = Package("hicolor-icon-theme", {})
    return next(
        (b"".join(entry.content.chunks()) for entry in icon_caches(tree, {"hicolor-icon-theme": package})), None
    )


@pytest.mark.parametrize(
    ("large", "same"),
    [
        ("AttachPoints=" + "9" * 5000 + ",-" + "9" * 5000, "AttachPoints=-1,0"),  # as atoi(3) ends up
        ("EmbeddedTextRectangle=1,2,3," + "9" * 5000, "EmbeddedTextRectangle=1,2,3,x"),
    ],
)
def test_a_number_that_no_int_can_have_is_what_glib_makes_of_it(large, same):
    one, other = (index(Entry.file("16/a.icon", f"[Icon Data]\n{row}\n".encode())) for row in (large, same))

    assert one == other is not None


def test_a_file_about_an_icon_is_read_where_its_link_leads():
    about = b"[Icon Data]\nDisplayName=Round\n"
    files = [Entry.file("real/x.icon", about), Entry.symlink("real/deep/b.icon", "../x.icon")]

    found = index(*files, Entry.file("real/deep/b.png", b""), Entry.symlink("zz", "real/deep"))

    assert found.count(b"Round") == 1
    assert [folder for folder, _ in read(found)["b"]] == ["zz", "real/deep"]


@pytest.mark.parametrize(
    "endless",
    [
        [Entry.symlink("l", "."), Entry.symlink("m", ".")],  # 2^40 folders
        [Entry.file("/".join(["a"] * 1000) + "/x.png", b"")],
    ],
)
def test_a_theme_without_end_has_no_index(endless, monkeypatch):
    monkeypatch.setitem(icon_caches.__globals__, "_MOST_FOLDERS", 1000)
    assert index() is not None
    assert index(*endless) is None
