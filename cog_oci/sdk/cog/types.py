"""Types of inputs and outputs, under the name of Cog's own module; `cog` itself has the same."""

from ._iterators import AsyncConcatenateIterator, ConcatenateIterator
from ._types import File, Path, Secret, URLFile, URLPath

__all__ = ["AsyncConcatenateIterator", "ConcatenateIterator", "File", "Path", "Secret", "URLFile", "URLPath"]
