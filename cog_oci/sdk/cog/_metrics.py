"""The metrics of one prediction: what a model records about its own work."""

from __future__ import annotations

import math
import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Metrics"]

_MODES = {"replace": "replace", "increment": "increment", "incr": "increment", "append": "append"}
_TYPES = (bool, int, float, str, list, dict)
_SEGMENTS = 4
_LENGTH = 128


class Metrics(MutableMapping[str, Any]):
    """A mapping of metric names to values that keeps each metric to one type.

    `changed(name, mode, value)` is called after every change, `mode` being replace, increment, append or delete. Names
    may have up to four segments, `timing.load`, which nest in the answer.
    """

    def __init__(self, changed: Callable[[str, str, Any], None]) -> None:
        self._values: dict[str, Any] = {}
        self._changed = changed

    def record(self, name: str, value: Any, mode: str = "replace") -> None:
        """Set, increase or extend a metric; a number that JSON does not have (NaN, infinity) is left out.

        Raises ValueError for a name or mode and TypeError for a value that cannot be used.
        """
        _check_name(name)
        if mode not in _MODES:
            raise ValueError(f"Invalid metric mode: {mode!r}. Expected 'replace', 'incr', or 'append'.")
        mode = _MODES[mode]
        if not isinstance(value, _TYPES):
            kind = type(value).__name__
            raise TypeError(f"Unsupported metric value type: {kind}. Expected bool, int, float, str, list, or dict.")
        if isinstance(value, float) and not math.isfinite(value):
            return
        old = self._values.get(name)
        if mode == "increment":
            self._values[name] = _sum(name, old, value)
        elif mode == "append":
            self._values[name] = [value] if old is None else [*old, value] if isinstance(old, list) else [old, value]
        else:
            if old is not None and type(old) is not type(value):
                raise TypeError(_retyped(name, old, value))
            self._values[name] = value
        self._changed(name, mode, value)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.record(name, value)

    def __delitem__(self, name: str) -> None:
        del self._values[name]
        self._changed(name, "delete", None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _sum(name: str, old: Any, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Increment mode requires int or float, got {type(value).__name__}")
    if old is None:
        return value
    if isinstance(old, bool) or not isinstance(old, (int, float)):
        raise TypeError(_retyped(name, old, value))
    return old + value


def _retyped(name: str, old: Any, value: Any) -> str:
    return f"Metric '{name}' has type {type(old).__name__}, cannot set to {type(value).__name__} without deleting first"


def _check_name(name: str) -> None:
    problem = _name_problem(name)
    if problem:
        raise ValueError(problem)


def _name_problem(name: str) -> str | None:
    if not name:
        return "metric name must not be empty"
    if len(name) > _LENGTH:
        return f"metric name must be {_LENGTH} characters or fewer (got {len(name)} characters)"
    if name == "predict_time":
        return "'predict_time' is reserved by the runtime"
    if name.startswith("cog."):
        return "the 'cog.' prefix is reserved for system metrics"
    if name.startswith("."):
        return "metric name must not start with a dot"
    segments = name.split(".")
    if not all(segments):
        return "metric name must not contain empty segments (consecutive dots)"
    if len(segments) > _SEGMENTS:
        return f"metric name must have at most {_SEGMENTS} dot-separated segments (got {len(segments)})"
    return next((problem for problem in map(_segment_problem, segments) if problem), None)


def _segment_problem(segment: str) -> str | None:
    stranger = re.search(r"[^A-Za-z0-9_]", segment)
    if stranger:
        return f"metric name segment '{segment}' contains invalid character '{stranger[0]}'"
    if not segment[0].isalpha():
        return f"metric name segment '{segment}' must start with a letter"
    if segment[-1] == "_":
        return f"metric name segment '{segment}' must end with a letter or digit"
    if "__" in segment:
        return f"metric name segment '{segment}' must not contain consecutive underscores"
    return None
