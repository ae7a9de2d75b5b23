"""Lists of X fonts are byte by byte those that mkfontscale and the scripts around it write of the same files."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects.tree import Tree
from cog_oci.layers._effects.x_fonts import encoding_names, fonts_dir, pcf_name
from cog_oci.layers._tar import Entry
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, symlink

FOLDER = "usr/share/fonts/X11/misc"
ENCODINGS = "usr/share/fonts/X11/encodings"
PROGRAMS = {f"usr/sbin/update-fonts-{name}": file(b"#!/bin/sh\n", 0o755) for name in ("alias", "dir", "scale")}


def pcf(name: bytes | None, order: str = "<", extra: int = 0) -> bytes:
    """A font with no glyphs: a table of contents with one row, its properties."""
    strings = b"".join(b"K%d\0" % index for index in range(extra)) + b"FONT\0" + (name or b"") + b"\0"
    rows = [(3 * index, 0, index) for index in range(extra)]
    if name is not None:
        rows.append((3 * extra, 1, 3 * extra + 5))
    table = struct.pack("<I", 4 if order == ">" else 0) + struct.pack(f"{order}i", len(rows))
    table += b"".join(struct.pack(f"{order}IBI", *row) for row in rows) + bytes(-len(rows) % 4)
    table += struct.pack(f"{order}i", len(strings)) + strings
    return b"\x01fcp" + struct.pack("<i4I", 1, 1, 0, len(table), 24) + table


def text(entry) -> str:
    return bytes(entry.content.data).decode()


def fonts(script: str, files: dict) -> bytes:
    return deb("fonts", files, scripts={"postinst": f"#!/bin/sh\nset -e\n{script}\n"})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("extra", [0, 1, 2, 3])
def test_a_bitmap_font_says_its_name(order, extra):
    assert pcf_name(pcf(b"-a-b-", order, extra)) == b"-a-b-"


@pytest.mark.parametrize("data", [b"", b"\x01fcp", pcf(None, extra=2), pcf(b"x")[:-4], b"STARTFONT 2.1\n"])
def test_what_is_no_font_or_has_no_name_is_passed_over(data):
    assert pcf_name(data) is None


def test_the_fonts_of_a_folder_are_listed_by_file(store):
    files = {f"{FOLDER}/b.pcf.gz": file(gzip.compress(pcf(b"-B-"))), f"{FOLDER}/a.pcf": file(pcf(b"-a-"))}
    files |= {f"{FOLDER}/c.txt": file(b"none")}
    script = "update-fonts-scale misc; update-fonts-dir --x11r7-layout misc none; update-fonts-alias -7 misc"

    found = entries_of(store, fonts(script, files), deb("xfonts-utils", PROGRAMS))

    assert text(found[f"{FOLDER}/fonts.dir"]) == "2\na.pcf -a-\nb.pcf.gz -b-\n"
    assert f"{FOLDER}/encodings.dir" not in found
    assert f"{FOLDER}/fonts.alias" not in found


@pytest.mark.parametrize(
    ("names", "listed"),  # as trixie's program does, which goes through a folder backwards
    [
        (("z.pcf.gz", "y.otf", "x.pcf"), "x.pcf"),
        (("z.pcf.gz", "y.PCF"), "y.PCF"),
        (("z", "y.pcf.gz", "x.pcf.gz"), "x.pcf.gz"),
        (("b.pcf", "a.pcf.gz"), "b.pcf"),
    ],
)
def test_of_fonts_with_one_name_one_in_a_better_format_is_listed(names, listed):
    entries = [
        Entry.file(f"f/{name}", gzip.compress(pcf(b"A")) if name.endswith("gz") else pcf(b"A")) for name in names
    ]

    assert fonts_dir(Tree({entry.path: entry for entry in entries}), "/f") == f"1\n{listed} a\n".encode()


def test_names_of_scalable_fonts_are_those_that_packages_say(store):
    files = {f"{FOLDER}/s.pfb": file(b"s"), "etc/X11/fonts/misc/x.scale": file(b"2\ns.pfb -s-  t \nother.pfb -o-\n")}
    script = "update-fonts-scale misc; update-fonts-dir misc"

    found = entries_of(store, fonts(script, files), deb("xfonts-utils", PROGRAMS))

    assert text(found[f"{FOLDER}/fonts.scale"]) == "1\ns.pfb -s-  t\n"
    assert text(found[f"{FOLDER}/fonts.dir"]) == "1\ns.pfb -s-  t\n"


def test_names_that_packages_give_fonts_besides_are_put_together(store):
    files = {f"{FOLDER}/a.pcf": file(pcf(b"-a-")), "etc/X11/fonts/misc/a.alias": file(b"a -a-\n")}
    files |= {"etc/X11/fonts/X11R7/misc/b.alias": file(b"b -a-\n")}

    found = entries_of(store, fonts("update-fonts-alias misc", files), deb("xfonts-utils", PROGRAMS))

    assert text(found[f"{FOLDER}/fonts.alias"]).splitlines()[2:] == [
        *("!! /etc/X11/fonts/misc/a.alias", "a -a-"),
        *("!! /etc/X11/fonts/X11R7/misc/b.alias", "b -a-"),
    ]


def test_a_folder_knows_all_encodings_where_packages_bring_them(store):
    files = {f"{FOLDER}/a.pcf": file(pcf(b"-a-"))}
    files |= {f"{ENCODINGS}/k.enc.gz": file(gzip.compress(b"# k\nSTARTENCODING k-8\nALIAS k\nSTARTMAPPING unicode\n"))}
    files |= {f"{ENCODINGS}/large/j.enc": file(b"STARTENCODING j-0\n"), f"{ENCODINGS}/encodings.dir": file(b"1\nk x\n")}

    found = entries_of(store, fonts("update-fonts-dir misc", files), deb("xfonts-utils", PROGRAMS))

    folder = f"/{ENCODINGS}"
    rows = [f"j-0 {folder}/large/j.enc", f"k {folder}/k.enc.gz", f"k-8 {folder}/k.enc.gz"]
    assert text(found[f"{FOLDER}/encodings.dir"]).splitlines() == ["3", *rows]


def test_without_the_program_nothing_is_listed(store):
    files = {f"{FOLDER}/a.pcf": file(pcf(b"-a-")), f"{FOLDER}/b.pcf": symlink("a.pcf")}

    assert f"{FOLDER}/fonts.dir" not in entries_of(store, fonts("update-fonts-dir misc", files))


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"STARTENCODING a # c\nalias b\nSIZE 1 2\nALIAS c d\nSTARTMAPPING cmap 3 1\nALIAS e\n", [b"a", b"b"]),
        (b"\n  # c\n startencoding\ta\n", [b"a"]),
        (b"ALIAS a\nSTARTENCODING b\n", []),
        (b"STARTENCODING 8\n", []),
        (b"64\na b\n", []),
        (b"", []),
    ],
)
def test_an_encoding_says_its_names(data, names):
    assert encoding_names(data) == names


NAME = st.text(st.sampled_from("-aAbB é*"), min_size=1, max_size=8).map(str.encode)
FONT = st.builds(
    pcf,
    st.one_of(NAME, NAME, st.sampled_from([b"-a-b-", b"-A-b-", b"-a-B-"])),
    st.sampled_from("<>"),
    st.integers(0, 5),
)
SUFFIX = st.sampled_from([".pcf", ".pcf.gz", ".PCF", ".otf", ".x", ""])
FILE = st.builds(lambda stem, suffix: stem + suffix, st.sampled_from("abcABé"), SUFFIX)
# Of two files with one name bookworm's program takes what its file system happens to list last.
FILES = st.lists(
    st.tuples(FILE, FONT, st.booleans()),
    max_size=8,
    unique_by=(lambda row: row[0], lambda row: (pcf_name(row[1]) or b"").lower()),
)


@pytest.mark.oracle
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.lists(st.tuples(st.sampled_from(["s.pfb", "a.pcf"]), st.sampled_from(["-a-b-", "-s- t"])), max_size=3))
def test_mkfontscale_lists_the_same(drawn, scaled):
    need("mkfontscale")
    folder = Path(tempfile.mkdtemp())
    try:
        entries = {}
        for index, (name, font, is_link) in enumerate(drawn):
            data = gzip.compress(font) if name.endswith(".gz") else font
            entries[f"f/{name}"] = (
                Entry.symlink(f"f/{name}", f"../{index}") if is_link else Entry.file(f"f/{name}", data)
            )
            entries[f"{index}"] = Entry.file(f"{index}", data)
        scale = f"{len(scaled)}\n{''.join(f'{name} {font}{chr(10)}' for name, font in scaled)}".encode()
        entries["f/fonts.scale"] = Entry.file("f/fonts.scale", scale)
        (folder / "f").mkdir()
        for entry in entries.values():
            if entry.kind == "symlink":
                (folder / entry.path).symlink_to(entry.target)
            else:
                (folder / entry.path).write_bytes(b"".join(entry.content.chunks()))

        env = {**os.environ, "LC_ALL": "C"}
        subprocess.run(["mkfontscale", "-b", "-s", "-l", folder / "f"], env=env, check=True, timeout=60)

        theirs = (folder / "f/fonts.dir").read_bytes()
        assert fonts_dir(Tree(entries), "/f") == (None if theirs == b"0\n" else theirs)
    finally:
        shutil.rmtree(folder)


def test_a_font_that_is_endless_when_unpacked_is_passed_over():
    bomb = gzip.compress(pcf(b"-a-") + bytes(65 << 20), 1)
    entries = [Entry.file("f/a.pcf.gz", bomb), Entry.file("f/b.pcf.gz", gzip.compress(pcf(b"-b-")))]

    assert fonts_dir(Tree({entry.path: entry for entry in entries}), "/f") == b"1\nb.pcf.gz -b-\n"
