"""What was found out about an image, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.compare import Difference
    from cog_oci.oci import DiffID, Digest, Platform

__all__ = ["Outcome", "Report", "Verdict", "first"]

Outcome = Literal["reproduced", "the same", "differs", "damaged", "not rebuilt"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one layer; `reasons` are sentences, the first differences among them.

    `damaged` is a blob that is not what the image itself says of it.
    """

    layer: str
    diff_id: DiffID
    outcome: Outcome
    reasons: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against the layer."""
        return self.outcome not in {"differs", "damaged"}

    def __str__(self) -> str:
        return f"{self.layer}: {self.outcome}" + (f": {self.reasons[0]}" if self.reasons else "")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one image: its layers, bottom up, and sentences about everything else that is not as it should be.

    `name` says where the image is. `notes` are for people and speak neither for the image nor against it.
    """

    name: str
    platform: Platform
    digest: Digest
    layers: tuple[Verdict, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether all that could be compared was the same, and something could be."""
        compared = any(verdict.outcome in {"reproduced", "the same"} for verdict in self.layers)
        return compared and not self.problems and all(verdict.is_good for verdict in self.layers)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "image": self.name,
            "platform": str(self.platform),
            "digest": self.digest,
            "good": self.is_good,
            "layers": [
                {"name": one.layer, "diff_id": one.diff_id, "outcome": one.outcome, "reasons": list(one.reasons)}
                for one in self.layers
            ],
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


def first(differences: Sequence[Difference]) -> tuple[str, ...]:
    """The first differences as sentences, and how many there are besides."""
    more = len(differences) - _SHOWN
    return (*map(str, differences[:_SHOWN]), *((f"and {more} more differences",) if more > 0 else ()))
