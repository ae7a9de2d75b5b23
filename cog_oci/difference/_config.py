"""The configurations of two images, value by value (image-spec, config.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cog_oci.difference._values import ValueChange, compare_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["compare_configs"]

_ENV = "Env."


def compare_configs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    """Every value that differs: `Env.PATH`, `Labels.run.cog.version`, `Cmd`, `architecture`; layers aside.

    What is text is given as it is, everything else as JSON. `Env` is there when variables that both have are in another
    order: one may refer to an earlier one.
    """
    old, new = dict(_values(before)), dict(_values(after))
    changes = compare_values(old, new)
    orders = [
        [name.removeprefix(_ENV) for name in side if name.startswith(_ENV) and name in old.keys() & new.keys()]
        for side in (old, new)
    ]
    return changes if orders[0] == orders[1] else (ValueChange("Env", *map(" ".join, orders)), *changes)


def _values(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if name not in {"rootfs", "config"}:
            yield name, _text(value)
    for name, value in (document.get("config") or {}).items():
        if name == "Env" and isinstance(value, list):
            variables = (str(variable).partition("=") for variable in value)
            yield from ((f"{_ENV}{key}", text) for key, _, text in variables)
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", _text(inner)) for key, inner in value.items())
        elif value not in (None, [], ""):
            yield name, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
