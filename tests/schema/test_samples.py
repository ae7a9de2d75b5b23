"""The documents of Cog's own generator for 72 small models: ours are the same bytes, but for the differences below."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cog_oci.errors import SourceError
from cog_oci.schema import Schema, read_schema

SAMPLES: dict[str, dict[str, Any]] = {
    sample["name"]: sample for sample in json.loads((Path(__file__).parent / "samples.json").read_text())
}


@dataclass(frozen=True)
class Difference:
    """Why a document differs, the input or output properties that do, and what they are here."""

    reason: str
    properties: dict[str, Any]
    required: list[str] | None = None
    component: str = "Input"


def text(order: int, title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": "string", "x-order": order, **more}


def integer(order: int, title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": "integer", "x-order": order, **more}


DIFFERENCES = {
    "47-str-escaped-quote": Difference("escapes are decoded", {"a": text(0, "A", default="it's")}),
    "51-str-paren-concat": Difference(
        "adjacent literals are one, in parentheses too", {"a": text(0, "A", description="one two")}, ["a"]
    ),
    "53-str-fstring-in-input": Difference(
        "an f-string of constants is a constant", {"a": text(0, "A", default="n=1", description="d 1")}
    ),
    "61-num-expr-in-input": Difference(
        "constant arithmetic is a constant", {"a": integer(0, "A", default=8, minimum=-1, maximum=1024)}
    ),
    "63-none-list": Difference(
        "a default of None is a default: the parameter may be left out, and is None then",
        {
            name: {
                "default": None,
                "items": {"type": "integer"},
                "nullable": True,
                "title": name.upper(),
                "type": "array",
                "x-order": order,
            }
            for order, name in enumerate("ab")
        },
    ),
    "87-model-default-factory": Difference(
        "field(default_factory=...) and Field(default=...) are defaults, so the member is not required",
        SAMPLES["87-model-default-factory"]["openapi"]["components"]["schemas"]["Output"]["properties"],
        ["b"],
        "Output",
    ),
    "97-duplicate-class": Difference("the last definition wins", {"b": text(0, "B")}, ["b"]),
    "105-input-positional": Difference(
        "the first argument of Input is the default",
        {"a": integer(0, "A", default=5), "b": text(1, "B", default="d", description="x")},
    ),
    "109-weird-default-expr": Difference(
        "a function that only returns a constant, a sum of texts and a module's constant can be read",
        {"a": integer(0, "A", default=1), "b": text(1, "B", description="ab"), "c": integer(2, "C", minimum=3)},
        ["b", "c"],
    ),
}

ACCEPTED = {
    "67-alias-import": "`from cog import Path as P` and `import cog as c` name the same things",
    "73-choices-tuple": "a tuple lists choices as well as a list does",
    "89-qualified-input": "`c.Input(...)` after `import cog as c` is Input",
    "91-model-inherited": "a subclass of a subclass of BaseModel is a BaseModel",
    "119-concurrent-nonliteral": "a module's constant is as good as a literal",
    "143-bad-ref": "a file alone names its Runner or Predictor",
}
"""Models that Cog refuses and we read, with the reason."""

REFUSED = {"125-both-run-predict": "Cog writes a document for a class that it then refuses to load"}
"""Models that Cog reads and we refuse, with the reason."""


def read(name: str, project: Path) -> Schema:
    sample = SAMPLES[name]
    for file, source in sample["files"].items():
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    run, _, train = sample["reference"].partition(" + ")
    return read_schema(project, run, train=train or None, version="dev")


def compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def test_there_are_72_samples_and_every_difference_is_of_one():
    assert len(SAMPLES) == 72
    assert set(SAMPLES) >= {*DIFFERENCES, *ACCEPTED, *REFUSED}


@pytest.mark.parametrize(
    "name", [n for n, sample in SAMPLES.items() if "openapi" in sample and n not in {*DIFFERENCES, *REFUSED}]
)
def test_the_document_is_that_of_cog_byte_for_byte(name, tmp_path):
    assert read(name, tmp_path).to_bytes().decode() == compact(SAMPLES[name]["openapi"])


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_document_differs_only_where_cog_misreads_python(name, tmp_path):
    difference = DIFFERENCES[name]
    expected = SAMPLES[name]["openapi"]
    component = expected["components"]["schemas"][difference.component]
    component["properties"] = difference.properties
    component.pop("required", None)
    if difference.required:
        component["required"] = difference.required
    assert json.loads(read(name, tmp_path).to_bytes()) == expected


@pytest.mark.parametrize("name", [n for n, sample in SAMPLES.items() if "error" in sample and n not in ACCEPTED])
def test_what_cog_refuses_is_refused_with_a_position(name, tmp_path):
    with pytest.raises(SourceError, match=r"^predict\.py:\d+:\d+: "):
        read(name, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_fail_when_it_is_loaded_is_refused_before(name, tmp_path):
    with pytest.raises(SourceError, match="defines both"):
        read(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "component", "expected"),
    [
        ("67-alias-import", "d", {"description": "An enumeration.", "enum": ["x"], "title": "d", "type": "string"}),
        (
            "73-choices-tuple",
            "a",
            {"description": "An enumeration.", "enum": ["x", "y"], "title": "a", "type": "string"},
        ),
        ("89-qualified-input", "Output", {"format": "uri", "title": "Output", "type": "string"}),
        (
            "91-model-inherited",
            "Output",
            {
                "properties": {"x": {"title": "X", "type": "integer"}, "y": {"title": "Y", "type": "integer"}},
                "required": ["x", "y"],
                "title": "Output",
                "type": "object",
            },
        ),
        ("119-concurrent-nonliteral", "Input", {"properties": {}, "title": "Input", "type": "object"}),
        ("143-bad-ref", "Output", {"title": "Output", "type": "string"}),
    ],
)
def test_what_python_means_is_read_where_cog_gives_up(name, component, expected, tmp_path):
    assert ACCEPTED[name]
    assert read(name, tmp_path).document["components"]["schemas"][component] == expected
