"""`BaseModel` for outputs with several fields, and `Opaque` for values that the schema does not describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["BaseModel", "Opaque"]


class BaseModel:
    """Base of structured outputs: a subclass becomes a dataclass of its annotated fields.

    `class Output(BaseModel, auto_dataclass=False)` leaves it as it is; other class arguments go to `dataclass`.
    """

    def __init_subclass__(cls, *, auto_dataclass: bool = True, **options: Any) -> None:
        super().__init_subclass__()
        if auto_dataclass:
            dataclass(**options)(cls)


class Opaque:
    """Marks a type as any JSON object: `Annotated[Workflow, Opaque]`."""
