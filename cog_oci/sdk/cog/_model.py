"""`BaseModel` for outputs with several fields, and `Opaque` for values that the schema does not describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform  # every type checker knows it; nobody has to install it
else:

    def dataclass_transform() -> Any:
        """Says nothing at run time; `typing` has it from Python 3.11 on."""
        return lambda cls: cls


__all__ = ["BaseModel", "Opaque"]


@dataclass_transform()
class BaseModel:
    """Base of structured outputs: a subclass becomes a dataclass of its annotated fields.

    `class Output(BaseModel, auto_dataclass=False)` leaves it as it is; other class arguments go to `dataclass`.
    """

    def __init_subclass__(cls, *, auto_dataclass: bool = True, **options: Any) -> None:
        super().__init_subclass__()
        if auto_dataclass:
            from dataclasses import dataclass  # noqa: PLC0415 - takes long to import: only for who uses it

            dataclass(**options)(cls)


class Opaque:
    """Marks a type as any JSON object: `Annotated[Workflow, Opaque]`."""
