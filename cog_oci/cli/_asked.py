"""One prediction or training in an image: what is asked, and who sees what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Asked", "Kind", "Viewer"]

Kind = Literal["predictions", "trainings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: `body` as the API takes it, `setup_timeout` in seconds; with `events`, the model streams them."""

    kind: Kind
    body: Mapping[str, Any]
    setup_timeout: float
    events: bool = False


class Viewer(Protocol):
    """Whoever is told how far it is."""

    def ready(self) -> None:
        """The model is set up, and begins."""

    def log(self, text: str) -> None:
        """What was printed since."""

    def items(self, items: list[Any]) -> None:
        """What the output, a list, has got since."""

    def finish(self, answer: Mapping[str, Any]) -> None:
        """The whole answer; a CogError that this raises ends everything as any other."""
