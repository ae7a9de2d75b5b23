"""The linker's cache has every library in the order that the linker searches by, and glibc's ldconfig agrees."""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects.elf import read_shared_object
from cog_oci.layers._effects.ldcache import Library, cache
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, folder, lay_out, shared_object, symlink

MULTIARCH = "usr/lib/x86_64-linux-gnu"
AARCH64 = 183  # EM_AARCH64
ETC = {
    "etc/ld.so.conf": file(b"include /etc/ld.so.conf.d/*.conf # all of them\n"),
    "etc/ld.so.conf.d/libc.conf": file(b"/usr/local/lib\n"),
    "etc/ld.so.conf.d/x86_64-linux-gnu.conf": file(b"# Multiarch\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n"),
}


def libc_bin(files=(), version: str = "2.41-12", **fields: str) -> bytes:
    members = {**ETC, "usr/share/libc-bin/nsswitch.conf": file(b"n"), **dict(files)}
    return deb("libc-bin", members, version=version, **fields)


def rows(data: bytes) -> list[tuple[str, str, int]]:
    """What a cache says, read by its published layout: soname, path, flags."""
    assert data.startswith(b"glibc-ld.so.cache1.1")
    (count,) = struct.unpack_from("<I", data, 20)
    entries = (struct.unpack_from("<IIIIQ", data, 48 + 24 * index) for index in range(count))
    return [(_text(data, key), _text(data, value), flags) for flags, key, value, _, _ in entries]


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()


def cache_of(store, *debs: bytes, **layers) -> list[tuple[str, str, int]]:
    return rows(bytes(entries_of(store, *debs, **layers)["etc/ld.so.cache"].content.data))


def test_libraries_are_found_by_soname_in_configured_directories(store):
    found = cache_of(
        store,
        libc_bin(),
        deb(
            "liba",
            {
                f"{MULTIARCH}/liba.so.1.2": file(shared_object("liba.so.1")),
                f"{MULTIARCH}/liba.so.1": symlink("liba.so.1.2"),
                f"{MULTIARCH}/liba.so": symlink("liba.so.1.2"),
                "usr/lib/libplain.so": file(shared_object()),
                "usr/local/lib/libarm.so.1": file(shared_object("libarm.so.1", machine=AARCH64)),
                f"{MULTIARCH}/libtext.so": file(b"GROUP ( libc.so.6 )\n"),
                f"{MULTIARCH}/libpie.so": file(shared_object("libpie.so", kind=2)),
                f"{MULTIARCH}/libsparc.so": file(shared_object("libsparc.so", machine=43)),
                f"{MULTIARCH}/plugin.so": file(shared_object("plugin.so")),
                "usr/lib/deep/libdeep.so.1": file(shared_object("libdeep.so.1")),
            },
        ),
    )

    assert found == [
        ("libplain.so", "/lib/libplain.so", 0x303),
        ("liba.so.1", "/lib/x86_64-linux-gnu/liba.so.1", 0x303),
        ("liba.so", "/lib/x86_64-linux-gnu/liba.so", 0x303),
    ]


def test_an_arm64_system_lists_arm64_libraries_where_arm64_looks_for_them(store):
    folder_of_libraries = "usr/lib/aarch64-linux-gnu"
    configured = f"/lib/aarch64-linux-gnu\n/{folder_of_libraries}\n".encode()
    arm = functools.partial(shared_object, machine=AARCH64)

    found = cache_of(
        store,
        libc_bin({"etc/ld.so.conf.d/aarch64-linux-gnu.conf": file(configured)}, Architecture="arm64"),
        deb(
            "libc6",
            {
                f"{folder_of_libraries}/ld-linux-aarch64.so.1": file(arm("ld-linux-aarch64.so.1")),
                "usr/lib/ld-linux-aarch64.so.1": symlink("aarch64-linux-gnu/ld-linux-aarch64.so.1"),
                f"{folder_of_libraries}/libc.so.6": file(arm("libc.so.6")),
                f"{folder_of_libraries}/libother.so.1": file(shared_object("libother.so.1")),
            },
            Architecture="arm64",
        ),
    )

    assert found == [
        ("libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", 0xA03),
        ("ld-linux-aarch64.so.1", "/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", 0xA03),
        ("ld-linux-aarch64.so.1", "/lib/ld-linux-aarch64.so.1", 0xA03),
    ]


def test_a_soname_that_no_package_brings_gets_its_link(store):
    entries = entries_of(store, libc_bin(), deb("a", {f"{MULTIARCH}/liba-1.2.so": file(shared_object("liba.so.1"))}))

    assert entries[f"{MULTIARCH}/liba.so.1"].target == "liba-1.2.so"
    assert rows(entries["etc/ld.so.cache"].content.data) == [("liba.so.1", "/lib/x86_64-linux-gnu/liba.so.1", 0x303)]


def test_alternatives_are_in_the_cache(store):
    call = f"update-alternatives --install /{MULTIARCH}/libblas.so.3 libblas.so.3 /{MULTIARCH}/fast/libblas.so.3 100\n"
    blas = deb(
        "blas",
        {f"{MULTIARCH}/fast": folder(), f"{MULTIARCH}/fast/libblas.so.3": file(shared_object("libblas.so.3"))},
        scripts={"postinst": f"#!/bin/sh\nset -e\n{call}"},
    )

    assert ("libblas.so.3", "/lib/x86_64-linux-gnu/libblas.so.3", 0x303) in cache_of(store, libc_bin(), blas)


def test_a_system_layer_has_a_new_cache_only_when_it_brings_a_library(store):
    below = (libc_bin(),)
    library = deb("a", {f"{MULTIARCH}/liba.so.1": file(shared_object("liba.so.1"))})

    assert len(cache_of(store, library, below=below)) == 1
    assert "etc/ld.so.cache" not in entries_of(store, deb("b", {"usr/x": file(b"x")}), below=below)


sonames = st.builds(
    lambda name, last, version: ".".join([f"lib{name}{last}", "so", *version]),
    st.text("abc0123_+-", max_size=4),
    st.sampled_from("abc"),
    st.lists(st.text("0123456789", min_size=1, max_size=3), max_size=3),
)


def compare(one: str, other: str) -> int:
    """dl-cache.c's comparison as its comment has it: runs of digits by value, a digit above anything else."""
    while one:
        if one[0].isdigit() and other[:1].isdigit():
            first, second = re.match("[0-9]+", one)[0], re.match("[0-9]+", other)[0]
            if int(first) != int(second):
                return int(first) - int(second)
            one, other = one[len(first) :], other[len(second) :]
        elif one[0].isdigit() or other[:1].isdigit():
            return 1 if one[0].isdigit() else -1
        elif one[0] != other[:1]:
            return ord(one[0]) - ord(other[:1] or "\0")
        else:
            one, other = one[1:], other[1:]
    return -len(other)


@settings(max_examples=200, deadline=None)
@given(st.lists(sonames, unique=True, max_size=12), st.randoms())
def test_the_order_is_the_linker_s_and_every_string_is_whole(names, random):
    libraries = [Library(name, f"/{random.choice(['lib', 'usr/lib/x'])}/{name}", 0x303) for name in names]

    found = rows(cache(libraries, "a test"))

    assert sorted(found) == sorted((one.soname, one.path, one.flags) for one in libraries)
    order = [name for name, _, _ in found]
    assert all(compare(one, other) >= 0 for one, other in itertools.pairwise(order))
    assert order == sorted(names, key=functools.cmp_to_key(compare), reverse=True) or len({*order}) < len(order)


def test_of_equal_sonames_the_first_directory_s_comes_first():
    found = rows(cache([Library("liba.so", "/b/liba.so", 3), Library("liba.so", "/a/liba.so", 3)], "a test"))

    assert [path for _, path, _ in found] == ["/b/liba.so", "/a/liba.so"]


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_damaged_file_is_taken_for_a_library_or_stops_the_build(noise, cut):
    data = shared_object("liba.so.1")[:cut] + noise

    found = read_shared_object(lambda offset, size: data[offset : offset + size])

    assert found is None or found.machine >= 0


library_trees = st.dictionaries(sonames, st.one_of(sonames, st.just("")), min_size=1, max_size=8)


@pytest.mark.oracle
@pytest.mark.namespaces
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(library_trees, library_trees)
def test_the_bytes_are_those_of_glibc_s_ldconfig(store, tmp_path, one, other):
    version = ldconfig_version()
    files = {f"{MULTIARCH}/{name}": file(shared_object(soname)) for name, soname in one.items()}
    files |= {f"usr/local/lib/{name}": file(shared_object(soname)) for name, soname in other.items()}
    entries = entries_of(store, libc_bin(version=version), deb("a", files))
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    lay_out(entries, root)
    ours = (root / "etc/ld.so.cache").read_bytes()
    links = {path for path, entry in entries.items() if entry.kind == "symlink"}

    in_namespace("ldconfig", "-r", str(root))

    assert rows(ours) == rows((root / "etc/ld.so.cache").read_bytes())
    assert ours == (root / "etc/ld.so.cache").read_bytes()
    assert links == {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink()}


def ldconfig_version() -> str:
    need("ldconfig", "unshare")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    told = subprocess.run(["ldconfig", "--version"], env={"PATH": path}, capture_output=True, text=True, check=True)
    found = re.search(r"\(Debian GLIBC (\S+)\)", told.stdout)
    if found is None:
        pytest.skip("needs Debian's ldconfig: others call themselves something else in the file")
    return found[1]


def in_namespace(*command: str) -> None:
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    prefix = () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--")
    done = subprocess.run([*prefix, *command], env={"PATH": path}, capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"needs user namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
