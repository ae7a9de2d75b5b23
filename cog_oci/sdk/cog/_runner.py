"""The class that a model derives from."""

from __future__ import annotations

import warnings
from typing import Any

from ._scope import Scope, current_scope

__all__ = ["BasePredictor", "BaseRunner"]


class BaseRunner:
    """A model: `setup()` runs once when the container starts, `run()` once for each prediction."""

    def setup(self, weights: Any = None) -> None:
        """Load what every prediction needs. `weights` is COG_WEIGHTS, where the model asks for it."""

    def run(self, **inputs: Any) -> Any:
        """Answer one prediction."""
        raise NotImplementedError(f"{type(self).__name__} must define run()")

    @property
    def scope(self) -> Scope:
        """The prediction that is running."""
        return current_scope()

    def record_metric(self, key: str, value: Any, mode: str = "replace") -> None:
        """Record a metric of the running prediction; see `Scope.record_metric`."""
        current_scope().record_metric(key, value, mode)


class BasePredictor(BaseRunner):
    """The former name of `BaseRunner`, with `predict()` in place of `run()`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warnings.warn(
            "cog.BasePredictor is deprecated, derive from cog.BaseRunner and rename predict() to run()",
            DeprecationWarning,
            stacklevel=2,
        )
