"""What modules of GIO and GTK are for is read out of the functions in which they say so, without running them."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects.elf import SharedImage, read_image
from cog_oci.layers._effects.glib.amd64 import Amd64
from cog_oci.layers._effects.glib.arm64 import Arm64
from cog_oci.layers._effects.glib.gio_modules import extension_points
from cog_oci.layers._effects.glib.machine import UnknownInstructionError, called
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, shared_object

MODULES = "usr/lib/x86_64-linux-gnu/gio/modules"
TEXTS = 0x100  # where strings are in the images of these tests
LINKED = 0x80  # the linkage table's entry of the function that is called
PLACE = 0x200  # where the linker puts that function's address


def image(code: str, table: str) -> SharedImage:
    """A function, what it calls, and two strings."""
    data = bytes.fromhex(code).ljust(LINKED, b"\0") + bytes.fromhex(table)
    data = (data.ljust(TEXTS, b"\0") + b"gio-vfs\0gio-volume-monitor\0").ljust(PLACE + 8, b"\0")
    return SharedImage(data, ((0, 0, len(data)),), {"query": 0}, {}, {PLACE: "g_strdupv"})


AMD64 = """
    4883ec28 488d0df5000000 64488b042528000000 4889442418 488d05e8000000
    66480f6ec1 4889e7 48c744241000000000 66480f6ec8 660f6cc1 0f290424 e83d000000
"""
ARM64 = """
    fd7bbca9 00000090 fd030091 000047f9 01000090 02000090 21000491 42200491
    a18b02a9 bf1f00f9 a0a30091 15000094
"""


@pytest.mark.parametrize(
    ("processor", "code", "table"),
    [(Amd64(), AMD64, "ff257a010000"), (Arm64(), ARM64, "10000090110241f9 10020891 20021fd6")],
)
def test_constants_are_followed_into_an_array_that_is_copied(processor, code, table):
    found = called(image(code, table), "query", processor)

    first = found.arguments[0]
    pointers = [found.machine.load(first + 8 * number) for number in range(3)]
    assert found.name == "g_strdupv"
    assert pointers == [TEXTS, TEXTS + 8, 0]


@settings(max_examples=300)
@given(st.binary(max_size=64), st.sampled_from([Amd64(), Arm64()]), st.binary(max_size=16))
def test_no_instructions_stop_the_build(code, processor, table):
    try:
        found = called(image(code.hex(), table.hex()), "query", processor)
    except UnknownInstructionError:
        return
    assert found.name in {"g_strdupv", ""}


def test_a_module_that_cannot_be_read_is_left_to_gio(store):
    glib = deb("libglib2.0-0", {f"{MODULES}/libmine.so": file(shared_object()), f"{MODULES}/note": file(b"n")})

    assert f"{MODULES}/giomodule.cache" not in entries_of(store, glib)


SOURCE = """
char **g_strdupv(char **); char **g_strsplit(const char *, const char *, int);
void g_io_module_load(void *m) {} void g_io_module_unload(void *m) {}
"""
names = st.text("abcdefghij-", min_size=1, max_size=20)
FLAGS = ["-O2 -fstack-protector-strong -fcf-protection", "-O2 -fstack-protector-strong", "-O0", "-O2 -fno-plt"]


@pytest.mark.oracle
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(names, min_size=1, max_size=4),
    st.sampled_from(FLAGS),
    st.booleans(),
    st.sampled_from([("libmine.so", "g_io_module_query"), ("libgioa-b.so", "g_io_a_b_query")]),
)
def test_the_list_is_the_one_that_gio_s_program_writes(store, tmp_path, points, flags, split, module):
    need("cc", "gio-querymodules")
    folder = tmp_path / "modules"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    name, symbol = module
    body = f'return g_strsplit("{"!".join(points)}", "!", 0);'
    if not split:
        body = f"char *all[] = {{{', '.join(map(json.dumps, points))}, 0}}; return g_strdupv(all);"
    (tmp_path / "a.c").write_text(f"{SOURCE} char **{symbol}(void) {{ {body} }}\n")
    subprocess.run(["cc", *flags.split(), "-shared", "-fPIC", "-o", folder / name, tmp_path / "a.c"], check=True)
    data = (folder / name).read_bytes()
    subprocess.run(["gio-querymodules", folder], check=True)

    found = extension_points(name, data)

    assert f"{name}: {','.join(found)}\n" == (folder / "giomodule.cache").read_text()


@pytest.mark.oracle
def test_a_layer_has_the_list_of_its_modules(store, tmp_path):
    need("cc")
    (tmp_path / "a.c").write_text(f'{SOURCE} char **g_io_module_query(void) {{ return g_strsplit("a!b", "!", 0); }}\n')
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", tmp_path / "a.so", tmp_path / "a.c"], check=True)
    module = deb("mine", {f"{MODULES}/libmine.so": file((tmp_path / "a.so").read_bytes())})

    found = entries_of(store, deb("libglib2.0-0"), module)

    assert bytes(found[f"{MODULES}/giomodule.cache"].content.data) == b"libmine.so: a,b\n"
    assert f"{MODULES}/giomodule.cache" not in entries_of(store, module)


METHODS = "usr/lib/x86_64-linux-gnu/gtk-3.0/3.0.0/immodules"
TABLE = """
struct info { const char *id, *name, *domain, *folder, *languages; };
static const struct info one = {"am_et", "Amharic (EZ+)", "gtk30", "/usr/share/locale", "am"};
static const struct info other = {"b", "B", "", "", ""};
static const struct info *all[] = {&one, &other};
void im_module_list(const struct info ***found, unsigned *count) { *found = all; *count = 2; }
"""


@pytest.mark.oracle
@pytest.mark.parametrize("flags", [flags for flags in FLAGS if "-O2" in flags])
def test_ways_to_type_are_listed_with_gtk(store, tmp_path, flags):
    need("cc")
    (tmp_path / "a.c").write_text(TABLE)
    subprocess.run(["cc", *flags.split(), "-shared", "-fPIC", "-o", tmp_path / "a.so", tmp_path / "a.c"], check=True)
    module = deb(
        "mine", {f"{METHODS}/im-a.so": file((tmp_path / "a.so").read_bytes()), f"{METHODS}/im-b.so": file(b"b")}
    )

    found = entries_of(store, deb("libgtk-3-0", version="3.24.38-2"), module)

    lines = bytes(found[f"{METHODS}.cache"].content.data).decode().split("\n")
    assert lines[2].endswith("/usr/lib/x86_64-linux-gnu/libgtk-3-0/gtk-query-immodules-3.0 from gtk+-3.24.38")
    assert lines[6:] == [
        f'"/{METHODS}/im-a.so" ',
        *('"am_et" "Amharic (EZ+)" "gtk30" "/usr/share/locale" "am" ', '"b" "B" "" "" "" ', "", ""),
    ]
    assert f"{METHODS}.cache" not in entries_of(store, module)


def sections(*rows: tuple[int, int, int, int], size: int = 1 << 16) -> bytes:
    """A shared object with sections: each its kind, place, size and link; the rest is filled with `a`."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 0, 64, 0, 64, 56, 0, 64, len(rows), 0)
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, at, long, link, 0, 0, 0) for kind, at, long, link in rows
    )
    return (header + table).ljust(size, b"a")


@pytest.mark.parametrize(
    "data",
    [
        sections(*[(4, 1 << 15, 24 * 1000, 0)] * 400),  # tables of relocations on top of each other
        sections((11, 128, 24, 0)),  # a name that does not end
        sections((11, 128, 24, 9)),
        sections((4, 64, 1 << 62, 0)),
        b"\x7fELF",
    ],
)
def test_a_damaged_object_is_found_out_before_it_is_gone_through(data):
    with pytest.raises((struct.error, IndexError, ValueError)):
        read_image(data)


def test_an_instruction_has_no_more_bytes_than_processors_take():
    with pytest.raises(UnknownInstructionError, match="too long"):
        called(image("66" * 15 + "c3", ""), "query", Amd64())
