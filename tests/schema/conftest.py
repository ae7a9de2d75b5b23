from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cog_oci.schema import Schema, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = """\
from cog import BaseModel, BaseRunner, File, Input, Opaque, Path, Secret
from cog import AsyncConcatenateIterator, ConcatenateIterator
from typing import Annotated, Any, AsyncIterator, Iterator, List, Literal, NotRequired, Optional, Required, TypedDict, Union
"""
"""Three lines, so that what a test writes starts in line 4."""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Schema]:
    """Writes run.py (after HEADER) and other files, and reads the model in it."""

    def read(source: str, reference: str = "run.py:run", *, header: str = HEADER, **options: Any) -> Schema:
        files = {"run.py": header + source, **options.pop("files", {})}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_schema(tmp_path, reference, **options)

    return read


@pytest.fixture
def inputs(read: Callable[..., Schema]) -> Callable[..., dict[str, Any]]:
    """The inputs' properties for the parameters of a function; what stands before it may be given."""

    def inputs(parameters: str, before: str = "", **options: Any) -> dict[str, Any]:
        schema = read(f"{before}\ndef run({parameters}) -> str: ...\n", **options)
        return schema.document["components"]["schemas"]["Input"]["properties"]

    return inputs


@pytest.fixture
def output(read: Callable[..., Schema]) -> Callable[..., dict[str, Any]]:
    """The output's schema for a return type; what stands before the function may be given."""

    def output(annotation: str, before: str = "", **options: Any) -> dict[str, Any]:
        schema = read(f"{before}\ndef run() -> {annotation}: ...\n", **options)
        return schema.document["components"]["schemas"]["Output"]

    return output
