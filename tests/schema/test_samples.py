"""Cog's own generator as the oracle: 72 sources with the documents, or the errors, that it gave for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cog_oci.errors import SourceError
from cog_oci.schema import read_schema

SAMPLES = {sample["name"]: sample for sample in json.loads((Path(__file__).parent / "samples.json").read_text())}

DIFFERENT: dict[str, str] = {
    "47-str-escaped-quote": "an escape in a string means what it means in Python",
    "51-str-paren-concat": "strings in brackets are one string, not none",
    "53-str-fstring-in-input": "an f-string of constants is a constant",
    "61-num-expr-in-input": "arithmetic on numbers is a number",
    "67-alias-import": "`from cog import Path as P` is cog.Path",
    "73-choices-tuple": "a tuple of choices is as good as a list",
    "87-model-default-factory": "a field with default= or default_factory= has a default",
    "89-qualified-input": "`c.Input(...)` is Input",
    "91-model-inherited": "a subclass of a BaseModel's subclass is a BaseModel, with the fields of both",
    "97-duplicate-class": "the last definition of a name wins",
    "105-input-positional": "Input's first argument is the default",
    "109-weird-default-expr": "a default that only running the model could tell is an error, not dropped",
    "119-concurrent-nonliteral": "a name for a number is that number",
    "121-missing-return": "the error says what is missing",
    "125-both-run-predict": "a model that could not start is refused before it is built",
    "143-bad-ref": "a file alone means its Runner, as it does when the model is loaded",
}
REFUSED_HERE = {"109-weird-default-expr", "125-both-run-predict"}
TRAINING = {"45-train-merged", "83-train-class"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_every_sample_is_compared():
    assert len(SAMPLES) == 72
    assert set(SAMPLES) >= set(DIFFERENT) | TRAINING


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in DIFFERENT and name not in TRAINING])
def test_the_document_is_cogs_byte_for_byte(tmp_path, name):
    sample = SAMPLES[name]
    write(tmp_path, sample["files"])

    if "error" in sample:
        with pytest.raises(SourceError):
            read_schema(tmp_path, sample["reference"])
    else:
        made = read_schema(tmp_path, sample["reference"], version=sample["openapi"]["info"]["version"])
        expected = json.dumps(sample["openapi"], separators=(",", ":"), ensure_ascii=False)
        assert made.to_bytes().decode() == expected


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_where_cogs_generator_is_wrong_we_do_what_python_means(tmp_path, name):
    sample = SAMPLES[name]
    write(tmp_path, sample["files"])

    if name in REFUSED_HERE or name == "121-missing-return":
        with pytest.raises(SourceError) as caught:
            read_schema(tmp_path, sample["reference"])
        assert all(problem.line > 1 for problem in caught.value.problems)
    else:
        made = read_schema(tmp_path, sample["reference"], version="dev").document
        assert made != sample.get("openapi")


@pytest.mark.parametrize(
    ("name", "parameter", "expected"),
    [
        ("47-str-escaped-quote", "a", {"default": "it's"}),
        ("51-str-paren-concat", "a", {"description": "one two"}),
        ("53-str-fstring-in-input", "a", {"default": "n=1", "description": "d 1"}),
        ("61-num-expr-in-input", "a", {"default": 8, "minimum": -1, "maximum": 1024}),
        ("67-alias-import", "a", {"format": "uri"}),
        ("97-duplicate-class", "b", {"type": "string"}),
        ("105-input-positional", "a", {"default": 5}),
    ],
)
def test_the_values_are_those_that_python_would_see(tmp_path, name, parameter, expected):
    write(tmp_path, SAMPLES[name]["files"])

    made = read_schema(tmp_path, SAMPLES[name]["reference"]).document
    assert made["components"]["schemas"]["Input"]["properties"][parameter].items() >= expected.items()
