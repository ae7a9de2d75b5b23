"""The class that a model derives from, under the name of Cog's own module; `cog` itself has the same."""

from ._runner import BasePredictor, BaseRunner

__all__ = ["BasePredictor", "BaseRunner"]
