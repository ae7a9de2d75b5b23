"""What docker and podman say of an image: the same document, as podman took Docker's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Inspected"]


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """An image that an engine has: `identity` without an algorithm, `diff_ids` bottom up, `folder` where it starts."""

    identity: str
    diff_ids: tuple[str, ...]
    labels: Mapping[str, str]
    architecture: str
    command: tuple[str, ...]
    folder: str

    @classmethod
    def parse(cls, found: Mapping[str, Any], **more: Any) -> Self:
        """From the document of `image inspect` (Engine API 1.41, ImageInspect); `more` are fields of a subclass."""
        config = found.get("Config") or {}
        return cls(
            identity=str(found.get("Id")).removeprefix("sha256:"),
            diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            labels=config.get("Labels") or {},
            architecture=str(found.get("Architecture")),
            command=tuple(config.get("Cmd") or ()),
            folder=str(config.get("WorkingDir") or "/"),
            **more,
        )
