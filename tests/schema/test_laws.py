"""What holds of the document for every signature that can be made from the table of types."""

from __future__ import annotations

import json
import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.schema import read_schema
from cog_oci.schema._json import Ordered, render

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One row of the table: an annotation, what its schema holds at least, and a default that fits."""

    annotation: str
    schema: dict[str, Any]
    default: Any
    nullable: bool = False


PLAIN = [
    Row("str", {"type": "string"}, "x"),
    Row("int", {"type": "integer"}, -3),
    Row("float", {"type": "number"}, 0.5),
    Row("bool", {"type": "boolean"}, True),
    Row("Path", {"type": "string", "format": "uri"}, "https://example.com/x"),
    Row("File", {"type": "string", "format": "uri"}, "https://example.com/x"),
    Row("Any", {"type": "object"}, {"k": [1]}),
    Row("dict", {"type": "object"}, {"k": None}),
    Row("dict[str, int]", {"type": "object"}, {}),
    Row("Annotated[Unknown, Opaque]", {"type": "object"}, {}),
    Row("list[str]", {"type": "array", "items": {"type": "string"}}, ["x"]),
    Row("List[int]", {"type": "array", "items": {"type": "integer"}}, []),
    Row("list[Path]", {"type": "array", "items": {"type": "string", "format": "uri"}}, []),
    Row("list[dict[str, Any]]", {"type": "array", "items": {"type": "object"}}, [{}]),
]
OPTIONAL = [
    Row(form.format(row.annotation), {**row.schema, "nullable": True}, row.default, nullable=True)
    for row in PLAIN
    for form in ("Optional[{}]", "{} | None", "None | {}", "Union[{}, None]")
]
UNIONS = [
    Row("int | str", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
    Row("Union[str, list[int]]", {"anyOf": [{"type": "string"}, {"items": {"type": "integer"}, "type": "array"}]}, [1]),
]
NAMES = st.from_regex(r"[A-Za-z][a-z0-9_]{0,6}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
PARAMETERS = st.lists(
    st.tuples(NAMES, st.sampled_from(PLAIN + OPTIONAL + UNIONS), st.sampled_from(["", "plain", "Input", "quoted"])),
    unique_by=lambda parameter: parameter[0],
    max_size=8,
)
HEADER = """\
from cog import File, Input, Opaque, Path
from typing import Annotated, Any, List, Optional, Union
def run(*, {}) -> str: ...
"""


def written(name: str, row: Row, form: str) -> str:
    default = {"": "", "plain": f" = {row.default!r}", "Input": f" = Input(default={row.default!r})", "quoted": ""}[
        form
    ]
    annotation = repr(row.annotation) if form == "quoted" else row.annotation
    return f"{name}: {annotation}{default}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@settings(max_examples=150, deadline=None)
@given(parameters=PARAMETERS)
def test_every_input_has_its_place_its_type_and_its_default(folder, parameters):
    header = HEADER if parameters else HEADER.replace("*, ", "")
    (folder / "run.py").write_text(header.format(", ".join(written(*parameter) for parameter in parameters)))
    document = json.loads(read_schema(folder, "run.py:run").to_bytes())
    found = document["components"]["schemas"]["Input"]
    assert [(name, each["x-order"]) for name, each in found["properties"].items()] == [
        (name, order) for order, (name, _, _) in enumerate(parameters)
    ]
    for name, row, form in parameters:
        schema = found["properties"][name]
        assert schema.items() >= row.schema.items()
        assert ("default" in schema) == (form in {"plain", "Input"})
        assert schema.get("default", row.default) == row.default
        assert (name in found.get("required", [])) == (form in {"", "quoted"} and not row.nullable)


@settings(max_examples=100, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_rendering_keeps_the_value_and_is_a_function_of_it(value):
    text = render(value)
    assert json.loads(text) == value
    assert render(json.loads(text)) == text


@given(keys=st.lists(st.text(max_size=4), unique=True))
def test_only_ordered_objects_keep_their_order(keys):
    assert list(json.loads(render(Ordered(dict.fromkeys(keys))))) == keys
    assert list(json.loads(render(dict.fromkeys(keys)))) == sorted(keys)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_the_same_float(number):
    assert float(render(number)) == number
