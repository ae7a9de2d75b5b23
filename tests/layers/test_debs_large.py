"""Large packages in layers of their own: what is seen through the stack is what one layer would have shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.layers import debs as kinds
from cog_oci.layers.debs import DebLayer, LargeDebLayer, deb_layers
from cog_oci.lock import Deb
from tests.layers.deb_builder import deb, file, folder, keep, symlink


def seen(store, layers) -> dict[str, tuple]:
    """Every path through a stack of layers: kind, mode, owner, target, content."""
    found: dict[str, tuple] = {}
    for layer in layers:
        with layer.open(store) as entries:
            for entry in entries:
                content = b"".join(entry.content.chunks()) if entry.content else b""
                found[entry.path] = (entry.kind, entry.mode, entry.gid, entry.target, content)
    return found


def locked(store, content: bytes, name: str, layer: str) -> Deb:
    return replace(keep(store, content, name), layer=layer)


@pytest.fixture
def packages(store) -> list[Deb]:
    base = deb("base-files", {"tmp": folder(0o1777), "usr/share/x": folder(0o755), "usr/bin/sh": file(b"shell", 0o755)})
    large = deb(
        "large",
        {
            "tmp": folder(0o755),
            "usr/share/x": folder(0o700),
            "usr/share/large": folder(0o2775, gid=8),
            "usr/share/large/data": file(b"d" * 90_000),
            "usr/share/doc/large/copyright": file(b"free"),
            "usr/lib/liblarge.so": symlink("liblarge.so.1"),
        },
    )
    small = deb("small", {"usr/share/large": folder(0o755), "usr/share/large/more": file(b"m")})
    return [
        locked(store, base, "base-files", "base"),
        locked(store, large, "large", "system"),
        locked(store, small, "small", "system"),
    ]


def test_the_stack_shows_what_one_layer_would_have_shown(store, packages, monkeypatch):
    whole = deb_layers("trixie", packages)
    assert [type(layer) for layer in whole] == [DebLayer, DebLayer]
    expected = seen(store, whole)

    monkeypatch.setattr(kinds, "_ALONE", max(one.size for one in packages))
    parts = deb_layers("trixie", packages)

    assert [layer.name for layer in parts] == ["base trixie", "system large", "system packages"]
    assert seen(store, parts) == expected


def test_the_files_of_a_large_package_are_only_in_its_own_layer(store, packages, monkeypatch):
    monkeypatch.setattr(kinds, "_ALONE", max(one.size for one in packages))
    _, large, rest = deb_layers("trixie", packages)

    with rest.open(store) as entries:
        assert "usr/share/large/data" not in {entry.path for entry in entries}
    assert isinstance(large, LargeDebLayer)
    assert large.artifacts == (packages[1],)


def test_one_large_package_alone_still_has_its_effects_above_it(store, packages, monkeypatch):
    monkeypatch.setattr(kinds, "_ALONE", max(one.size for one in packages))
    layers = deb_layers("trixie", packages[:2])

    assert [layer.name for layer in layers] == ["base trixie", "system large", "system packages"]
    assert "var/lib/dpkg/status" in seen(store, layers[2:])
