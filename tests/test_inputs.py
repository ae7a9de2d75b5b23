"""Inputs of a command line, against schemas as models have them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.inputs import InputError, Interface

FIELDS = {
    "text": {"type": "string", "minLength": 2, "pattern": "^[a-z]"},
    "steps": {"type": "integer", "minimum": 1, "maximum": 50},
    "scale": {"type": "number"},
    "safe": {"type": "boolean"},
    "image": {"type": "string", "format": "uri", "nullable": True},
    "images": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "sizes": {"type": "array", "items": {"type": "integer"}},
    "mode": {"allOf": [{"$ref": "#/components/schemas/mode"}]},
    "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "more": {"type": "object"},
}
DOCUMENT = {
    "components": {
        "schemas": {
            "Input": {"properties": FIELDS},
            "mode": {"type": "string", "enum": ["fast", "good"]},
            "TrainingInput": {"properties": {"n": {"type": "integer"}}, "required": ["n"]},
            "Empty": {"properties": {}},
        }
    }
}
MODEL = Interface(DOCUMENT)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "12", "12"),
        ("text", '"quoted"', "quoted"),
        ("steps", "4", 4),
        ("scale", "4", 4.0),
        ("scale", "1e-3", 0.001),
        ("safe", "true", True),
        ("safe", "0", False),
        ("sizes", "[1, 2]", [1, 2]),
        ("sizes", "3", [3]),
        ("mode", "fast", "fast"),
        ("either", "7", 7),
        ("either", "seven", "seven"),
        ("more", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_a_word_becomes_what_the_model_takes(name, text, value):
    parsed = MODEL.parse([(name, text)])[name]

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity"])
def test_a_number_that_json_cannot_write_is_none(text):
    with pytest.raises(InputError, match='invalid input "scale": expected number, got string'):
        MODEL.check(MODEL.parse([("scale", text)]))


def test_a_name_given_twice_is_a_list():
    assert MODEL.parse([("sizes", "1"), ("sizes", "[2, 3]")]) == {"sizes": [1, 2, 3]}


def test_a_file_is_a_data_url_where_the_model_takes_files_and_text_elsewhere(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG")
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
    words = tmp_path / "words"
    words.write_text("from a file")

    assert MODEL.parse([("image", f'"@{path}"')]) == {"image": url}
    assert MODEL.parse([("image", f"@{path}"), ("images", f"@{path}"), ("text", f"@{words}")]) == {
        "image": url,
        "images": [url],
        "text": "from a file",
    }
    assert MODEL.read({"image": f"@{path}", "steps": 1}) == {"image": url, "steps": 1}


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "a\0b"])
def test_a_path_that_cannot_be_one_is_said(path):
    with pytest.raises(InputError, match='input "image": cannot read '):
        MODEL.parse([("image", f"@{path}")])


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=f'input "image": cannot read {tmp_path}/no: No such file'):
        MODEL.parse([("image", f"@{tmp_path}/no")])


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("x", "1")], f'unknown input "x"; valid inputs are: {", ".join(FIELDS)}'),
        ([("x", "1"), ("y", "1")], f'unknown inputs "x", "y"; valid inputs are: {", ".join(FIELDS)}'),
        ([("steps", "many")], 'invalid input "steps": expected integer, got string'),
        ([("steps", "0")], 'invalid input "steps": must be at least 1'),
        ([("steps", "51")], 'invalid input "steps": must be at most 50'),
        ([("text", "a")], 'invalid input "text": must have at least 2 characters'),
        ([("text", "AB")], 'invalid input "text": must match ^[a-z]'),
        ([("mode", "slow")], 'invalid input "mode": must be one of: fast, good'),
        ([("safe", "perhaps")], 'invalid input "safe": expected boolean, got string'),
        ([("sizes", "1"), ("sizes", "b")], 'invalid input "sizes": item 1: expected integer, got string'),
        ([("steps", "1"), ("steps", "2")], 'invalid input "steps": expected integer, got array'),
    ],
)
def test_what_does_not_fit_is_said_in_cogs_words(pairs, says):
    with pytest.raises(InputError) as error:
        MODEL.check(MODEL.parse(pairs))

    assert str(error.value) == says


def test_everything_wrong_is_said_at_once():
    with pytest.raises(InputError) as error:
        MODEL.check({"steps": "x", "text": None, "either": []})

    assert error.value.problems == (
        'invalid input "steps": expected integer, got string',
        'invalid input "text": must not be null (omit the input to use its default)',
        'invalid input "either": expected string or integer, got array',
    )


def test_a_model_without_inputs_takes_none():
    with pytest.raises(InputError, match=r"^model does not accept inputs$"):
        Interface(DOCUMENT, "Empty").parse([("x", "1")])


def test_what_is_required_must_be_there():
    training = Interface(DOCUMENT, "TrainingInput")
    training.check({"n": 1})
    with pytest.raises(InputError, match=r'^missing required input "n"$'):
        training.check({})


def test_null_is_for_those_that_may_be_null():
    MODEL.check({"image": None})


@given(st.integers(1, 50), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.lists(st.integers()))
def test_what_json_says_of_a_value_is_read_as_that_value(steps, scale, safe, sizes):
    values = {"steps": steps, "scale": scale, "safe": safe, "sizes": sizes}

    parsed = MODEL.parse([(name, json.dumps(value)) for name, value in values.items()])

    MODEL.check(parsed)
    assert parsed == values
