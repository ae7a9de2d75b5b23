"""An image in the store is looked through once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cog_oci.closed_world.check import examine
from cog_oci.closed_world.remedies import packages_for, remedy
from cog_oci.layers._tar import Entry
from cog_oci.lock import Interpreter, Lock, PlatformLock
from tests.closed_world.elf_writer import elf
from tests.image_maker import Listed, made

BASE = Listed(
    "base",
    [
        Entry.file("usr/lib/x86_64-linux-gnu/libc.so.6", elf(soname="libc.so.6", has=["GLIBC_2.36"])),
        Entry.file("usr/bin/tool", elf("libx.so.1", "libc.so.6", interpreter="/lib64/ld.so")),
    ],
)


def code(text: str) -> Listed:
    return Listed("code", [Entry.file("src/run.py", text.encode())])


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_what_is_missing_is_found_in_any_envelope(store, compression):
    [gap] = examine(made(store, BASE, code("a"), compression=compression), store)

    assert (gap.library, gap.wanted_by, gap.plugin) == ("libx.so.1", ("/usr/bin/tool",), False)
    assert str(gap) == "/usr/bin/tool needs libx.so.1, and nothing in the image brings it"


def test_a_change_of_the_code_reads_nothing_but_the_code(store):
    image = made(store, BASE, code("a"))
    before = examine(image, store)
    store.path(image.layers[0].descriptor.digest).unlink()

    changed = replace(image, layers=(image.layers[0], *made(store, code("b")).layers))

    assert examine(changed, store) == before != []


def test_code_that_brings_a_library_is_judged_with_it(store):
    found = examine(made(store, BASE, Listed("code", [Entry.file("src/x.so", elf("liby.so.1", "libc.so.6"))])), store)

    assert [gap.library for gap in found] == ["libx.so.1", "liby.so.1"]


def test_ld_library_path_of_the_image_is_part_of_the_question(store):
    library = Listed("more", [Entry.file("opt/x/libx.so.1", elf())])

    assert len(examine(made(store, BASE, library), store)) == 1
    assert examine(made(store, BASE, library, env={"LD_LIBRARY_PATH": "/opt/x"}), store) == []


def test_a_layer_that_is_not_here_and_was_never_looked_at_is_an_error(store):
    image = made(store, BASE)
    store.path(image.layers[0].descriptor.digest).unlink()

    with pytest.raises(FileNotFoundError):
        examine(image, store)


def test_each_kind_of_gap_has_a_remedy(store):
    wanting = Listed(
        "more",
        [
            Entry.file("usr/bin/new", elf("libc.so.6", interpreter="/x", wants={"libc.so.6": ["GLIBC_2.41"]})),
            Entry.file("usr/bin/odd", elf("libc.so.6", "libodd.so.1", interpreter="/x")),
            Entry.file("opt/odd/lib/libodd.so.1", elf()),
        ],
    )
    found = {gap.library: gap for gap in examine(made(store, BASE, wanting), store)}
    packages = {"libx.so.1": "libx1"}

    assert remedy(found["libx.so.1"], packages) == "add it to cog.yaml, `build.system_packages: - libx1`"
    assert remedy(found["libx.so.1"], {}).startswith("add the Debian package that has it")
    assert remedy(found["libc.so.6"], {}).startswith("it was made for a newer system")
    assert str(found["libc.so.6"]) == (
        "/usr/bin/new needs GLIBC_2.41 of libc.so.6, which /usr/lib/x86_64-linux-gnu/libc.so.6 does not have"
    )
    assert remedy(found["libodd.so.1"], {}).startswith("name /opt/odd/lib in a file below /etc/ld.so.conf.d")
    assert "does not look where it is: /opt/odd/lib/libodd.so.1" in str(found["libodd.so.1"])


def test_which_package_is_asked_once_and_a_trouble_of_the_archive_is_no_error(store, monkeypatch):
    image = made(store, BASE)
    parts = PlatformLock(
        inputs={},
        interpreter=Interpreter(source="debian", suite="nonesuch", version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=(),
        wheels=(),
        server=(),
    )
    lock = Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts})
    gaps = examine(image, store)

    assert packages_for(gaps, lock, image.platform, store) == {}  # no such suite

    asked = []
    answer = {"libx.so.1": "libx1"}
    monkeypatch.setattr("cog_oci.resolver.bringers.bringers", lambda *_, **__: asked.append(1) or answer)
    assert [packages_for(gaps, lock, image.platform, store) for _ in range(2)] == [answer, answer]
    assert asked == [1]
    assert packages_for([], lock, image.platform, store) == {}
    assert Path(store.root / "checked").is_dir()
