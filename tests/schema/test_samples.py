"""The documents of Cog's own generator for 72 small models: ours are the same bytes, but for what is listed here.

DIFFERENCES, ACCEPTED and REFUSED hold every exception with its reason, and what the bytes are instead.
"""

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


@dataclass(frozen=True)
class Accepted:
    """Why a model that Cog refuses has a document here, and what is in it besides what is in every document."""

    reason: str
    input: str
    output: str = '{"title":"Output","type":"string"}'
    choices: str = ""


SECRET = '{"format":"password","title":"E","type":"string","writeOnly":true,"x-cog-secret":true,"x-order":%d}'
URI = '{"format":"uri","title":"Output","type":"string"}'
D_CHOICES = '"d":{"description":"An enumeration.","enum":["x"],"title":"d","type":"string"},'

ACCEPTED = {
    "67-alias-import": Accepted(
        "`from cog import Path as P` and `import cog as c` name the same things",
        '{"properties":{"a":{"format":"uri","title":"A","type":"string","x-order":0},'
        '"b":{"default":2,"title":"B","type":"integer","x-order":1},'
        '"d":{"allOf":[{"$ref":"#/components/schemas/d"}],"x-order":2},'
        f'"e":{SECRET % 3}}},"required":["a","d","e"],"title":"Input","type":"object"}}',
        URI,
        D_CHOICES,
    ),
    "73-choices-tuple": Accepted(
        "a tuple lists choices as well as a list does",
        '{"properties":{"a":{"allOf":[{"$ref":"#/components/schemas/a"}],"x-order":0}},'
        '"required":["a"],"title":"Input","type":"object"}',
        choices='"a":{"description":"An enumeration.","enum":["x","y"],"title":"a","type":"string"},',
    ),
    "89-qualified-input": Accepted(
        "`c.Input(...)` after `import cog as c` is Input",
        '{"properties":{"b":{"default":2,"title":"B","type":"integer","x-order":0},'
        '"d":{"allOf":[{"$ref":"#/components/schemas/d"}],"x-order":1},'
        f'"e":{SECRET % 2}}},"required":["d","e"],"title":"Input","type":"object"}}',
        URI,
        D_CHOICES,
    ),
    "91-model-inherited": Accepted(
        "a subclass of a subclass of BaseModel is a BaseModel",
        '{"properties":{},"title":"Input","type":"object"}',
        '{"properties":{"x":{"title":"X","type":"integer"},"y":{"title":"Y","type":"integer"}},'
        '"required":["x","y"],"title":"Output","type":"object"}',
    ),
    "119-concurrent-nonliteral": Accepted(
        "a module's constant is as good as a literal", '{"properties":{},"title":"Input","type":"object"}'
    ),
    "143-bad-ref": Accepted(
        "a file alone names its Runner or Predictor",
        '{"properties":{"s":{"title":"S","type":"string","x-order":0}},"required":["s"],"title":"Input","type":"object"}',
    ),
}

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
    theirs = SAMPLES[name]["openapi"]
    schemas = theirs["components"]["schemas"]
    properties = {key: dict(sorted(each.items())) for key, each in difference.properties.items()}
    required = {"required": difference.required} if difference.required else {}
    component = {**schemas[difference.component], "properties": properties, **required}
    if not required:
        component.pop("required", None)
    changed = schemas | {difference.component: dict(sorted(component.items()))}
    ours = theirs | {"components": {"schemas": changed}}
    assert compact(ours) != compact(theirs)
    assert read(name, tmp_path).to_bytes().decode() == compact(ours)


@pytest.mark.parametrize("name", [n for n, sample in SAMPLES.items() if "error" in sample and n not in ACCEPTED])
def test_what_cog_refuses_is_refused_with_a_position(name, tmp_path):
    with pytest.raises(SourceError, match=r"^predict\.py:\d+:\d+: "):
        read(name, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_fail_when_it_is_loaded_is_refused_before(name, tmp_path):
    with pytest.raises(SourceError, match="defines both"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_python_means_is_read_where_cog_gives_up(name, tmp_path):
    accepted = ACCEPTED[name]
    every = SAMPLES["03-no-inputs"]["openapi"]["components"]["schemas"]
    ours = f'"Input":{accepted.input},"Output":{accepted.output},{accepted.choices}'
    smallest = compact(SAMPLES["03-no-inputs"]["openapi"])
    theirs = f'"Input":{compact(every["Input"])},"Output":{compact(every["Output"])},'
    assert smallest.count(theirs) == 1
    assert read(name, tmp_path).to_bytes().decode() == smallest.replace(theirs, ours)


def test_a_constant_of_the_module_is_how_many_run_at_once(tmp_path):
    assert read("119-concurrent-nonliteral", tmp_path).concurrency == 2
