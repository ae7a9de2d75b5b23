"""How two OpenAPI documents of a model differ, in words: by inputs and outputs where it is about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str, ...]

__all__ = ["differences"]

_ABSENT = object()
_SHAPES = {"Input": "input", "TrainingInput": "training input"}
_OUTPUTS = {"Output": "output", "TrainingOutput": "training output"}


def differences(here: dict[str, Any], there: dict[str, Any], name: str) -> Iterator[str]:
    """A line for each thing that differs between the project's document and the one that is called `name`.

    Which tool wrote a document (`info`) is no difference of the model, and neither is the number of an input that
    another one moved.
    """
    here, there = ({key: each for key, each in one.items() if key != "info"} for one in (here, there))
    inputs = _Inputs(here, there)
    for path, ours, theirs in _walk((), here, there):
        if path[-1:] != ("x-order",):
            yield from inputs.lines(path, ours, theirs, name)
    yield from inputs.moved(name)


def _walk(path: Path, ours: Any, theirs: Any) -> Iterator[tuple[Path, Any, Any]]:
    """The places where the documents differ, outermost first; what one of them lacks is absent there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            yield from _walk((*path, key), ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
    elif not _equal(ours, theirs):
        yield path, ours, theirs


def _equal(ours: Any, theirs: Any) -> bool:
    """As JSON has it: 1 and 1.0 are one number, 1 and true are not one value."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_equal(ours[key], theirs[key]) for key in ours)
    return isinstance(ours, bool) == isinstance(theirs, bool) and bool(ours == theirs)


class _Inputs:
    """Knows what the components of both documents stand for."""

    def __init__(self, here: dict[str, Any], there: dict[str, Any]) -> None:
        self._properties = {shape: (_properties(here, shape), _properties(there, shape)) for shape in _SHAPES}

    def lines(self, path: Path, ours: Any, theirs: Any, name: str) -> Iterator[str]:
        match path:
            case ("components", "schemas", shape, "required") if shape in _SHAPES:
                yield from self._required(shape, ours, theirs, name)
            case ("components", "schemas", shape, "properties", field, *rest) if shape in _SHAPES:
                yield _line(f"{_SHAPES[shape]} '{field}'", tuple(rest), ours, theirs, name)
            case ("components", "schemas", shape, *rest) if shape in _OUTPUTS:
                yield _line(_OUTPUTS[shape], tuple(rest), ours, theirs, name)
            case ("components", "schemas", choices, *rest) if self._shape(choices):
                shape = self._shape(choices)
                here, there = self._properties[shape]
                if choices in here and choices in there:  # else that it is new or gone has been said
                    subject = tuple("choices" if part == "enum" else part for part in rest) or ("choices",)
                    yield _line(f"{_SHAPES[shape]} '{choices}'", subject, _choices(ours), _choices(theirs), name)
            case _:
                yield _line("the document", path, ours, theirs, name)

    def moved(self, name: str) -> Iterator[str]:
        for shape, (ours, theirs) in self._properties.items():
            here = [each for each in _ordered(ours) if each in theirs]
            there = [each for each in _ordered(theirs) if each in ours]
            if here != there:
                yield f"{_SHAPES[shape]}s: the order is {', '.join(here)}, and {', '.join(there)} in {name}"

    def _required(self, shape: str, ours: Any, theirs: Any, name: str) -> Iterator[str]:
        here, there = (each if isinstance(each, list) else [] for each in (ours, theirs))
        for one in self._in_both(shape):
            if one in here and one not in there:
                yield f"{_SHAPES[shape]} '{one}' is required, and not in {name}"
            elif one in there and one not in here:
                yield f"{_SHAPES[shape]} '{one}' is not required, and is in {name}"

    def _in_both(self, shape: str) -> list[str]:
        here, there = self._properties[shape]
        return [each for each in here if each in there]

    def _shape(self, choices: str) -> str:
        """Whose input a component of this name has the choices of; empty when it has nobody's."""
        return next((shape for shape, pair in self._properties.items() if any(choices in one for one in pair)), "")


def _properties(document: Any, shape: str) -> dict[str, Any]:
    for key in ("components", "schemas", shape, "properties"):
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _choices(component: Any) -> Any:
    """The choices themselves, of a component that only one document has."""
    return component.get("enum") if isinstance(component, dict) else component


def _ordered(properties: dict[str, Any]) -> list[str]:
    """The names by their `x-order`; what has none keeps its place at the end."""

    def order(name: str) -> float:
        number = properties[name].get("x-order") if isinstance(properties[name], dict) else None
        return number if isinstance(number, int | float) else float("inf")

    return sorted(properties, key=order)


def _line(noun: str, path: Path, ours: Any, theirs: Any, name: str) -> str:
    subject = f"{noun}: {'.'.join(path)}" if path else noun
    if ours is _ABSENT:
        return f"{subject} is only in {name}" if not path else f"{subject} is not set, and {_value(theirs)} in {name}"
    if theirs is _ABSENT:
        return f"{subject} is not in {name}" if not path else f"{subject} is {_value(ours)}, and not set in {name}"
    return f"{subject} is {_value(ours)}, and {_value(theirs)} in {name}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
