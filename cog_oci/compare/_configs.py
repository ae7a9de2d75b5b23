"""Two image configurations (image-spec, config.md), field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cog_oci.compare._difference import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["compare_configs"]

_LONGEST = 120


def compare_configs(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[Difference]:
    """Every field that differs, as `config: Env.PATH is … instead of …`; empty only when they say the same.

    Members of `config` are named without it, variables of `Env` by their names; lists count from 0.
    """
    one, other = dict(_fields(expected)), dict(_fields(actual))
    return [
        Difference("config", name, *_shown(one.get(name), other.get(name)))
        for name in [*one, *(name for name in other if name not in one)]
        if one.get(name) != other.get(name)
    ] or _order(expected, actual)


def _fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if key != "config" or not isinstance(value, dict):
            yield from _leaves(key, value)
            continue
        for inner, setting in value.items():
            if inner == "Env" and isinstance(setting, list) and all(isinstance(line, str) for line in setting):
                yield from _variables(setting)
            else:
                yield from _leaves(inner, setting)


def _variables(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition("=")
        yield f"Env.{name}", _json(value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{name}.{number}", inner)
    else:
        yield name, _json(value)


def _shown(*values: str | None) -> list[str | None]:
    """Both values, cut to the part in which long ones begin to differ."""
    if None in values or max(len(value or "") for value in values) <= _LONGEST:
        return list(values)
    one, other = (value or "" for value in values)
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(at - 20, 0)
    return [
        f"{'…' if start else ''}{text[start : start + _LONGEST]}{'…' * (len(text) > start + _LONGEST)}"
        for text in (one, other)
    ]


def _order(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[Difference]:
    """What the fields by their names do not show: variables may refer to those before them, and may be set twice."""
    one, other = ((document.get("config") or {}).get("Env") for document in (expected, actual))
    if _json(one) != _json(other):
        return [Difference("config", "Env", *_shown(_json(one), _json(other)))]
    if _json(expected) != _json(actual):
        return [Difference("config", "its structure", *_shown(_json(expected), _json(actual)))]
    return []


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
