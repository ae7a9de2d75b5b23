"""What the dynamic linker reads of a file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.closed_world._elf import Elf, Want, read_elf
from tests.closed_world.elf_writer import AARCH64, I386, elf
from tests.conftest import need


def read(data: bytes) -> Elf | None:
    return read_elf(lambda offset, size: data[offset : offset + size])


def test_everything_that_is_linked_by_is_read():
    data = elf(
        "libc.so.6",
        "libm.so.6",
        soname="libx.so.1",
        runpath="$ORIGIN/../lib",
        rpath="/opt/lib",
        interpreter="/lib64/ld-linux-x86-64.so.2",
        wants={"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"], "libm.so.6": ["GLIBC_2.29"]},
        weakly={"libc.so.6": ["GLIBC_2.99"]},
        has=["X_1", "X_2"],
    )

    assert read(data) == Elf(
        bits=64,
        machine=62,
        interpreter="/lib64/ld-linux-x86-64.so.2",
        soname="libx.so.1",
        needed=("libc.so.6", "libm.so.6"),
        rpath="/opt/lib",
        runpath="$ORIGIN/../lib",
        wants=(
            Want("libc.so.6", "GLIBC_2.2.5"),
            Want("libc.so.6", "GLIBC_2.34"),
            Want("libm.so.6", "GLIBC_2.29"),
        ),
        has=("X_1", "X_2"),
    )


@pytest.mark.parametrize(
    ("bits", "order", "machine"), [(32, "<", I386), (64, ">", 21), (32, ">", 8), (64, "<", AARCH64)]
)
def test_files_of_other_machines_are_read_too(bits, order, machine):
    found = read(
        elf("libc.so.6", wants={"libc.so.6": ["GLIBC_2.0"]}, has=["Y"], bits=bits, order=order, machine=machine)
    )

    assert found is not None
    assert (found.kind, found.needed, found.has) == ((bits, machine), ("libc.so.6",), ("Y",))
    assert found.wants == (Want("libc.so.6", "GLIBC_2.0"),)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n" * 20, b"\x7fELF" + bytes(200)])
def test_what_is_no_elf_that_is_linked_is_none(data):
    assert read(data) is None


@given(st.data())
def test_a_damaged_file_is_read_or_is_none_and_never_an_error(data):
    whole = bytearray(elf("liba.so", soname="libb.so", wants={"liba.so": ["A"]}, has=["B"]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    assert isinstance(read(bytes(whole[: data.draw(st.integers(0, len(whole)))])), Elf | None)


@pytest.mark.oracle
def test_readelf_says_the_same_of_libraries_of_this_machine():
    need("readelf")
    files = sorted(path for path in Path("/usr/lib").glob("*/lib*.so.*") if not path.is_symlink())[::20][:40]
    assert files
    for path in files:
        found = read(path.read_bytes())
        if found is None:
            continue
        shown = subprocess.run(["readelf", "-dVW", str(path)], capture_output=True, text=True, check=True).stdout
        defined = re.findall(r"Flags: (\S+)\s+Index: \d+\s+Cnt: \d+\s+Name: (\S+)", shown)
        assert list(found.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", shown), path
        assert [found.soname] == (re.findall(r"\(SONAME\).*\[(.*)\]", shown) or [""]), path
        assert sorted(want.version for want in found.wants) == sorted(re.findall(r"Name: (\S+)\s+Flags: none", shown))
        assert sorted(found.has) == sorted(name for flags, name in defined if flags != "BASE"), path
