"""What is kept of a layer: only what the dynamic linker would see of it."""

from __future__ import annotations

import io
import json

import pytest

from cog_oci.closed_world._layer import LayerFacts, read_facts
from cog_oci.contents import DamagedLayerError
from tests.closed_world.elf_writer import cache, elf, facts, layer


def test_libraries_links_and_the_cache_are_kept_and_of_other_files_their_paths():
    found = facts(
        {
            "usr/lib/": b"",
            "usr/lib/libx.so.1.2": elf("libc.so.6", soname="libx.so.1"),
            "usr/lib/libx.so.1": "libx.so.1.2",
            "usr/lib/libx.so": ("usr/lib/libx.so.1.2",),
            "etc/ld.so.cache": cache(libx__so__1="/usr/lib/libx.so.1"),
            "src/run.py": b"print()",
            "src/.wh.old.py": b"",
        }
    )

    assert found.elves.keys() == {"usr/lib/libx.so.1.2"}
    assert found.links == {"usr/lib/libx.so.1": "libx.so.1.2"}
    assert found.same == {"usr/lib/libx.so": "usr/lib/libx.so.1.2"}
    assert found.others == ("usr/lib/", "etc/ld.so.cache", "src/run.py", "src/.wh.old.py")
    assert found.cache == (("libx.so.1", "/usr/lib/libx.so.1"),)
    assert LayerFacts.of_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("files", "inert"),
    [
        ({"src/": b"", "src/run.py": b"x", "src/.cog/openapi_schema.json": b"{}"}, True),
        ({"src/fast.so": elf("libc.so.6")}, False),
        ({"src/link": "run.py"}, False),
        ({"src/.wh.lib": b""}, False),
        ({"etc/passwd": b""}, False),
        ({"srcs/run.py": b""}, False),
    ],
)
def test_a_layer_of_code_alone_decides_nothing(files, inert):
    assert facts(files).inert is inert


def test_a_library_that_is_larger_than_what_is_held_in_memory_is_read_all_the_same(monkeypatch):
    monkeypatch.setattr("cog_oci.closed_world._layer._IN_MEMORY", 100)

    found = facts({"libbig.so": elf("libc.so.6", soname="libbig.so") + bytes(5000)})

    assert found.elves["libbig.so"].needed == ("libc.so.6",)


@pytest.mark.parametrize(
    "damage", [b"", b"glibc-ld.so.cache1.1", cache(a="/b")[:60], b"glibc-ld.so.cache1.1" + b"\xff" * 40]
)
def test_a_cache_that_cannot_be_read_lists_nothing(damage):
    assert facts({"etc/ld.so.cache": damage}).cache in ((), (("", ""),))


def test_a_layer_that_breaks_off_is_an_error_with_its_name():
    whole = layer({"a.so": elf("libc.so.6"), "b": bytes(2000)})

    with pytest.raises(DamagedLayerError, match="system packages"):
        read_facts(io.BytesIO(whole[:2000]), "system packages")
