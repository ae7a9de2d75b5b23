"""Structured outputs, under the name of Cog's own module; `cog` itself has the same."""

from ._model import BaseModel

__all__ = ["BaseModel"]
