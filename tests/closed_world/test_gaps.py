"""Which libraries and versions are missing, by the rules of ld.so(8), and how sure that is."""

from __future__ import annotations

import pytest

from cog_oci.closed_world._gaps import find_gaps
from cog_oci.closed_world._linker import Loaded, World
from tests.closed_world.elf_writer import AARCH64, I386, cache, elf, facts

LIB = "usr/lib/x86_64-linux-gnu"
SITE = "opt/venv/lib/python3.13/site-packages"
LIBC = {f"{LIB}/libc.so.6": elf(soname="libc.so.6", has=["GLIBC_2.2.5", "GLIBC_2.34"]), "lib": "usr/lib"}
PROGRAM = "/lib64/ld-linux-x86-64.so.2"


def gaps(*layers, library_path=""):
    """Each gap as `surely|maybe LIBRARY VERSIONS AT < FILES`."""
    found = find_gaps(World([facts(LIBC), *map(facts, layers)], library_path))
    return [
        f"{'maybe' if gap.plugin else 'surely'} {gap.library}"
        + "".join(f" {text}" for text in (",".join(gap.versions), gap.at) if text)
        + f" < {' '.join(gap.wanted_by)}"
        for gap in found
    ]


def tool(*needed, **how):
    return elf("libc.so.6", *needed, interpreter=PROGRAM, **how)


def test_a_world_in_which_everything_is_found_has_no_gaps():
    assert gaps({"usr/bin/tool": tool("libx.so.1"), f"{LIB}/libx.so.1": elf("libc.so.6", soname="libx.so.1")}) == []


def test_a_library_that_is_nowhere_is_named_with_every_file_that_wants_it():
    wanting = {"usr/bin/tool": tool("libGL.so.1"), f"{SITE}/cv2/cv2.abi3.so": elf("libGL.so.1", "libc.so.6")}

    assert gaps(wanting) == [f"surely libGL.so.1 < /{SITE}/cv2/cv2.abi3.so /usr/bin/tool"]
    assert gaps(wanting, {f"{LIB}/libGL.so.1": elf(soname="libGL.so.1")}) == []


@pytest.mark.parametrize(
    ("how", "place"),
    [
        ({"rpath": "$ORIGIN/../tool-lib"}, "usr/tool-lib"),
        ({"runpath": "${ORIGIN}/../tool-lib"}, "usr/tool-lib"),
        ({"runpath": "/nowhere:/opt/x"}, "opt/x"),
        ({"rpath": "/opt/$LIB"}, "opt/lib/x86_64-linux-gnu"),
        ({}, LIB),
        ({}, "usr/lib"),
        ({}, "lib64"),
    ],
)
def test_a_library_is_found_where_the_linker_looks(how, place):
    library = {f"{place}/libx.so.1": elf(soname="libx.so.1")}

    assert gaps({"usr/bin/tool": tool("libx.so.1", **how)}, library) == []


def test_rpath_does_not_count_beside_runpath():
    found = gaps({"usr/bin/tool": tool("libx.so.1", rpath="/opt/x", runpath="/opt/y"), "opt/x/libx.so.1": elf()})

    assert found == ["maybe libx.so.1 /opt/x/libx.so.1 < /usr/bin/tool"]


def test_the_cache_says_where_a_library_is_and_that_of_the_upper_layer_counts():
    files = {"usr/bin/tool": tool("libx.so.1"), "opt/x/libx.so.1": elf(), "etc/ld.so.cache": cache()}

    assert len(gaps(files)) == 1
    assert gaps(files, {"etc/ld.so.cache": cache(libx__so__1="/opt/x/libx.so.1")}) == []


def test_ld_library_path_of_the_image_counts():
    files = {"usr/bin/tool": tool("libx.so.1"), "opt/x/libx.so.1": elf()}

    assert gaps(files, library_path="/opt/y:/opt/x") == []


def test_links_are_followed_to_files_and_through_folders():
    files = {
        "usr/bin/tool": tool("libx.so.1", "liby.so.1"),
        "usr/lib/alternatives/libx.so.1.9": elf(soname="libx.so.1"),
        f"{LIB}/libx.so.1": "/etc/alternatives/libx",
        "etc/alternatives/libx": "/usr/lib/alternatives/libx.so.1.9",
        "opt/lib": "../usr/share/lib",
        "usr/share/lib/liby.so.1": elf(),
        f"{LIB}/liby.so.1": "/opt/lib/liby.so.1",
    }

    assert gaps(files) == []


def test_links_that_lead_nowhere_or_in_circles_are_no_libraries():
    files = {"usr/bin/tool": tool("libx.so", "liby.so"), f"{LIB}/libx.so": "gone.so", f"{LIB}/liby.so": "liby.so"}

    assert gaps(files) == ["surely libx.so < /usr/bin/tool", "surely liby.so < /usr/bin/tool"]


def test_what_an_upper_layer_takes_away_is_missing():
    below = {"usr/bin/tool": tool("libx.so.1"), f"{LIB}/libx.so.1": elf()}

    assert gaps(below) == []
    assert gaps(below, {f"{LIB}/.wh.libx.so.1": b""}) == ["surely libx.so.1 < /usr/bin/tool"]
    assert gaps(below, {f"{LIB}/libx.so.1": b"#!/bin/sh"}) == ["surely libx.so.1 < /usr/bin/tool"]
    assert gaps(below, {"usr/bin/tool": b"#!/bin/sh", f"{LIB}/.wh.libx.so.1": b""}) == []


def test_a_library_of_another_architecture_does_not_count_and_is_not_judged():
    files = {
        "usr/bin/tool": tool("libx.so.1", runpath="/opt/x"),
        "opt/x/libx.so.1": elf(machine=I386, bits=32),
        "opt/arm/libz.so": elf("libmissing.so", machine=AARCH64),
    }

    assert gaps(files) == ["surely libx.so.1 < /usr/bin/tool"]


def test_a_library_that_whoever_loads_it_has_loaded_before_is_there():
    private = {f"{LIB}/tool/libone.so": elf("libtwo.so"), f"{LIB}/tool/libtwo.so": elf(soname="libtwo.so")}
    how = {"runpath": f"/{LIB}/tool"}

    assert gaps(private, {"usr/bin/tool": tool("libtwo.so", "libone.so", **how)}) == []


def test_what_a_program_was_told_with_rpath_counts_for_what_it_loads():
    files = {
        "usr/bin/tool": tool("libone.so", rpath="/opt/x"),
        "opt/x/libone.so": elf("libtwo.so"),
        "opt/x/libtwo.so": elf(),
    }

    world = World([facts(LIBC), facts(files)])

    assert Loaded(world, "usr/bin/tool").missing == []
    assert Loaded(world, "opt/x/libone.so").missing == [("opt/x/libone.so", "libtwo.so")]
    assert gaps(files) == []


def test_a_version_that_a_library_does_not_have_is_a_gap():
    found = gaps({f"{SITE}/new/_new.abi3.so": elf("libc.so.6", wants={"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.38"]})})

    assert found == [f"surely libc.so.6 GLIBC_2.38 /{LIB}/libc.so.6 < /{SITE}/new/_new.abi3.so"]


def test_a_version_that_is_wanted_weakly_or_of_a_library_without_versions_is_none():
    files = {
        "usr/bin/tool": tool("libold.so.1", weakly={"libc.so.6": ["GLIBC_2.99"]}, wants={"libold.so.1": ["OLD_1"]}),
        f"{LIB}/libold.so.1": elf(soname="libold.so.1"),
    }

    assert gaps(files) == []


def test_the_drivers_libraries_come_with_the_host():
    assert gaps({"usr/bin/tool": tool("libcuda.so.1", "libnvidia-ml.so.1", "libnvcuvid.so.1")}) == []


def test_a_file_for_another_c_library_is_not_judged():
    assert (
        gaps({f"{SITE}/sharp/sharp.so": elf("libc.musl-x86_64.so.1"), f"{SITE}/x/x.so": elf("libc.so", "liblog.so")})
        == []
    )


@pytest.mark.parametrize(
    ("path", "sure"),
    [
        (f"{SITE}/cv2/cv2.abi3.so", "surely"),
        (f"{SITE}/x/_native.cpython-313-x86_64-linux-gnu.so", "surely"),
        (f"{SITE}/lightgbm/lib_lightgbm.so", "surely"),
        ("src/fast.so", "surely"),
        (f"{SITE}/opencv_python.libs/libQt5XcbQpa.so.5", "maybe"),
        (f"{LIB}/caca/libgl_plugin.so", "maybe"),
        ("usr/lib/jvm/lib/libsplash.so", "maybe"),
    ],
)
def test_what_is_surely_loaded_is_told_from_plugins(path, sure):
    assert gaps({path: elf("libX11.so.6")}) == [f"{sure} libX11.so.6 < /{path}"]


def test_a_library_beside_an_extension_module_is_a_plugin():
    files = {
        f"{SITE}/ort/ort.abi3.so": elf("libc.so.6"),
        f"{SITE}/ort/libort_providers_tensorrt.so": elf("libnvinfer.so.10"),
    }

    assert gaps(files) == [f"maybe libnvinfer.so.10 < /{SITE}/ort/libort_providers_tensorrt.so"]


def test_of_several_libraries_that_nothing_needs_none_is_surely_loaded():
    lib = f"{SITE}/nvidia/nvshmem/lib"
    files = {f"{lib}/nvshmem_transport_ucx.so.3": elf("libX11.so.6"), f"{lib}/libnvshmem_host.so.3": elf("libc.so.6")}

    assert gaps(files) == [f"maybe libX11.so.6 < /{lib}/nvshmem_transport_ucx.so.3"]


def test_an_extension_module_that_wants_what_no_wheel_may_count_on_is_one_that_the_package_does_without():
    path = f"{SITE}/numba/np/ufunc/tbbpool.cpython-313-x86_64-linux-gnu.so"

    assert gaps({path: elf("libtbb.so.12", "libc.so.6")}) == [f"maybe libtbb.so.12 < /{path}"]


def test_packages_of_python_load_each_others_libraries_in_an_order_that_they_know():
    files = {
        f"{SITE}/torchvision/_C.so": elf("libtorch.so", "libcudart.so.12"),
        f"{SITE}/torch/lib/libtorch.so": elf(soname="libtorch.so"),
        f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12": elf(soname="libcudart.so.12"),
    }

    assert gaps(files) == []


def test_a_gap_that_is_sure_is_not_told_again_as_one_that_may_be():
    files = {"usr/bin/tool": tool("libx.so.1"), f"{LIB}/plugins/p.so": elf("libx.so.1")}

    assert gaps(files) == ["surely libx.so.1 < /usr/bin/tool"]
