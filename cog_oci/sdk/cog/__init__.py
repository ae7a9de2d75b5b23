"""Cog's Python interface: what a model imports. The standard library only, Python 3.10 and newer."""

from typing import TYPE_CHECKING

from ._decorators import batch, concurrent, streaming
from ._input import FieldInfo, Input
from ._iterators import AsyncConcatenateIterator, ConcatenateIterator
from ._model import BaseModel, Opaque
from ._runner import BasePredictor, BaseRunner
from ._scope import current_scope
from ._types import File, Path, Secret, URLFile, URLPath
from ._wire import COG_VERSION as __version__  # noqa: N811 - where Python looks for it
from .exceptions import CancelationException

if TYPE_CHECKING:
    from ._deprecated import ExperimentalFeatureWarning as ExperimentalFeatureWarning
    from ._deprecated import emit_metric as emit_metric
else:
    from ._deprecated import former as __getattr__  # noqa: F401 - Python calls it (PEP 562)

__all__ = [
    "AsyncConcatenateIterator",
    "BaseModel",
    "BasePredictor",
    "BaseRunner",
    "CancelationException",
    "ConcatenateIterator",
    "FieldInfo",
    "File",
    "Input",
    "Opaque",
    "Path",
    "Secret",
    "URLFile",
    "URLPath",
    "__version__",
    "batch",
    "concurrent",
    "current_scope",
    "streaming",
]
