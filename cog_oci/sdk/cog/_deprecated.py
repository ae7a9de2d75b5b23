"""Names that models still import though Cog has no use for them any more. Their first use says so, once."""

from __future__ import annotations

import sys
from typing import Any

from ._scope import current_scope

__all__ = ["ExperimentalFeatureWarning", "emit_metric", "former"]


class ExperimentalFeatureWarning(FutureWarning):
    """Was given for features that are none of an experiment now. Deprecated: remove it."""


def emit_metric(name: str, value: float) -> None:
    """Record a metric of the running prediction. Deprecated: use `current_scope().record_metric(name, value)`."""
    current_scope().record_metric(name, value)


_ADVICE = {
    "ExperimentalFeatureWarning": (
        "ExperimentalFeatureWarning is deprecated: nothing gives it any more, remove it and its warnings filters"
    ),
    "emit_metric": "emit_metric() is deprecated, use current_scope().record_metric(name, value)",
}


def former(name: str) -> Any:
    """`__getattr__` of the package (PEP 562): one of the names above, and a line on standard error the first time.

    Not a warning, which models that import `ExperimentalFeatureWarning` do so to silence. Raises AttributeError.
    """
    if name not in _ADVICE:
        raise AttributeError(f"module 'cog' has no attribute {name!r}")
    print(f"cog: {_ADVICE[name]}", file=sys.stderr)
    value = globals()[name]
    setattr(sys.modules[__name__.rpartition(".")[0]], name, value)  # found there from now on, without this function
    return value
