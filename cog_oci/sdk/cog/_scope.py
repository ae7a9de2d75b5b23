"""The prediction that the running code belongs to, as the model sees it."""

from __future__ import annotations

from contextvars import ContextVar
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ._metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Scope", "current_scope", "enter_scope"]

_making = Lock()


class Scope:
    """One prediction: its metrics, and the `context` that came with its request."""

    __slots__ = ("_changed", "_metrics", "context")

    def __init__(self, context: Mapping[str, str], changed: Callable[[str, str, Any], None]) -> None:
        self.context = context
        self._changed = changed
        self._metrics: Metrics | None = None  # most predictions have none

    @property
    def metrics(self) -> Metrics:
        """The metrics so far: `scope.metrics["tokens"] = 3`, `del scope.metrics["tokens"]`."""
        if self._metrics is None:
            with _making:  # threads of one prediction share its metrics
                if self._metrics is None:
                    self._metrics = Metrics(self._changed)
        return self._metrics

    def record_metric(self, key: str, value: Any, mode: str = "replace") -> None:
        """Record a metric of this prediction; `mode` is replace, increment (incr) or append.

        Raises ValueError for a name or mode and TypeError for a value that cannot be used.
        """
        self.metrics.record(key, value, mode)


def _nowhere(name: str, mode: str, value: Any) -> None:
    """Metrics outside a prediction have nobody to go to."""


_scope: ContextVar[Scope | None] = ContextVar("cog_scope", default=None)


def current_scope() -> Scope:
    """The prediction that the calling code belongs to; outside of one, a scope whose metrics go nowhere."""
    return _scope.get() or Scope(MappingProxyType({}), _nowhere)


def enter_scope(scope: Scope) -> None:
    """From here on, in this context, `scope` is the current one."""
    _scope.set(scope)
