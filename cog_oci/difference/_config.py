"""The configurations of two images, value by value (image-spec, config.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cog_oci.difference._values import compare_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.difference._values import ValueChange

__all__ = ["compare_configs"]


def compare_configs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    """Every value that differs: `Env.PATH`, `Labels.run.cog.version`, `Cmd`, `architecture`; layers aside.

    What is text is given as it is, everything else as JSON.
    """
    return compare_values(dict(_values(before)), dict(_values(after)))


def _values(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if name == "history":
            yield from ((f"history.{number}", _text(entry)) for number, entry in enumerate(value or (), 1))
        elif name not in {"rootfs", "config"}:
            yield name, _text(value)
    for name, value in (document.get("config") or {}).items():
        if name == "Env":
            yield from _environment(value or [])
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", _text(inner)) for key, inner in value.items())
        elif value not in (None, [], ""):
            yield name, _text(value)


def _environment(variables: list[str]) -> Iterator[tuple[str, str]]:
    names = []
    for variable in variables:
        name, _, value = variable.partition("=")
        names.append(name)
        yield f"Env.{name}", value
    yield "Env, order", " ".join(names)  # a later variable may refer to an earlier one


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
