"""Types of a model's own in its inputs and outputs: how each becomes JSON, and comes back from it."""

from __future__ import annotations

from typing import Any

__all__ = ["Coder"]


class Coder:
    """Writes the values of some types as JSON objects and reads them back.

    A subclass is registered once, with `Coder.register(ItsName)`, before the first prediction. The schema does not know
    it: annotate with `Annotated[T, Opaque]`. Of several coders for one type, the one that was registered last is used.
    """

    @staticmethod
    def register(coder: type[Coder]) -> None:
        """From now on `coder` is asked about every type that JSON does not have."""
        if coder in _registered:
            _registered.remove(coder)
        _registered.insert(0, coder)

    @staticmethod
    def lookup(tpe: Any) -> Coder | None:
        """A coder for values of the type `tpe`, or None if no registered one takes them."""
        for coder in _registered:
            found = coder.factory(tpe)
            if found is not None:
                return found
        return None

    @staticmethod
    def factory(tpe: Any) -> Coder | None:  # noqa: ARG004 - for subclasses to look at
        """A coder of this class for values of the type `tpe`, or None if they are not its concern."""
        return None

    def encode(self, x: Any) -> dict[str, Any]:
        """`x` as a JSON object; it may hold whatever an output may hold, files included."""
        raise NotImplementedError(f"{type(self).__name__} must define encode()")

    def decode(self, x: dict[str, Any]) -> Any:
        """The value that `encode` has written as `x`."""
        raise NotImplementedError(f"{type(self).__name__} must define decode()")


_registered: list[type[Coder]] = []
"""The newest first, so that a model may do otherwise than a library that it uses."""
