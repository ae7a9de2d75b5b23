"""What a parameter accepts, under the name of Cog's own module; `cog` itself has the same."""

from ._input import FieldInfo, Input

__all__ = ["FieldInfo", "Input"]
