"""The class that a model derives from."""

from __future__ import annotations

import warnings
from typing import Any

from ._scope import Scope, current_scope

__all__ = ["BasePredictor", "BaseRunner"]


class BaseRunner:
    """A model: `setup()` runs once when the container starts, `run()` once for each prediction.

    Each may be a coroutine (`async def`). The parameters are the model's to choose, as type checkers understand these
    ones to say.
    """

    def setup(self, *args: Any, **kwargs: Any) -> Any:
        """Load what every prediction needs. A parameter `weights` gets COG_WEIGHTS, as a path or a str by its type."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Answer one prediction; of a model that still defines `predict()`, with that. Raises NotImplementedError."""
        if type(self).predict is not BaseRunner.predict:
            return self.predict(*args, **kwargs)
        raise NotImplementedError(f"{type(self).__name__} must define run()")

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """The former name of `run()`. Deprecated."""
        warnings.warn(f"{type(self).__name__}.predict() is deprecated, call run()", DeprecationWarning, stacklevel=2)
        return self.run(*args, **kwargs)

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
