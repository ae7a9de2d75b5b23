"""Cog's Python interface: what a model imports. The standard library only, Python 3.10 and newer."""

from ._decorators import concurrent, streaming
from ._input import FieldInfo, Input
from ._iterators import AsyncConcatenateIterator, ConcatenateIterator
from ._model import BaseModel, Opaque
from ._runner import BasePredictor, BaseRunner
from ._scope import current_scope
from ._types import File, Path, Secret, URLFile, URLPath
from ._wire import COG_VERSION as __version__  # noqa: N811 - where Python looks for it
from .exceptions import CancelationException

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
    "concurrent",
    "current_scope",
    "streaming",
]
