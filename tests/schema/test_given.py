"""A schema that the user brings: used as it is, or refused with what it lacks."""

from __future__ import annotations

import copy
import json

import pytest

from cog_oci.errors import CogError, SourceError
from cog_oci.schema import read_schema
from cog_oci.schema.given import SchemaFileError, read_given

LEAST = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "1"},
    "paths": {},
    "components": {
        "schemas": {
            "Input": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/b~1c~0"}}},
            "b/c~": {},
        }
    },
}


def given(tmp_path, document: object):
    path = tmp_path / "schema.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return read_given(path)


def test_the_bytes_of_the_file_are_what_the_image_gets(tmp_path):
    data = json.dumps(LEAST, indent=3).encode() + b"\n\n"

    schema = given(tmp_path, data)

    assert schema.to_bytes() == data
    assert schema.document == LEAST
    assert (schema.streaming, schema.concurrency) == (False, None)


def test_what_was_derived_can_be_given(tmp_path):
    (tmp_path / "run.py").write_text(
        "import cog\n\n@cog.streaming\ndef run(a: int, b: list[str]) -> cog.ConcatenateIterator[str]:\n    yield ''\n"
    )
    derived = read_schema(tmp_path, "run.py:run")

    schema = given(tmp_path, derived.to_bytes())

    assert schema.to_bytes() == derived.to_bytes()
    assert schema.document == derived.document
    assert schema.streaming


def without(*names: str, instead: object = None) -> dict:
    document = copy.deepcopy(LEAST)
    inner = document
    for name in names[:-1]:
        inner = inner[name]
    if instead is None:
        del inner[names[-1]]
    else:
        inner[names[-1]] = instead
    return document


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        (without("openapi"), "`openapi` must be a version 3.x.y, and there is none"),
        (without("openapi", instead="2.0"), "`openapi` must be a version 3.x.y, and it is '2.0'"),
        (without("openapi", instead=3.0), "`openapi` must be a version 3.x.y, and it is 3.0"),
        (without("info"), "there is no object `info`"),
        (without("info", "version"), "there is no text `info.version`"),
        (without("paths", instead=[1]), "there is no object `paths`"),
        (without("components"), "there is no object `components`"),
        (without("components", "schemas"), "there is no object `components.schemas`"),
        (without("components", "schemas", "Input"), "there is no object `components.schemas.Input`"),
        (
            without("components", "schemas", "Input", "type"),
            "`components.schemas.Input` must have the type object, not None",
        ),
        (
            without("components", "schemas", "Input", "type", instead="string"),
            "`components.schemas.Input` must have the type object, not 'string'",
        ),
        (
            without("components", "schemas", "Input", "properties", instead=[1]),
            "`components.schemas.Input.properties` must be an object",
        ),
        (without("components", "schemas", "b/c~"), "the reference '#/components/schemas/b~1c~0' leads nowhere"),
        (
            without("components", "schemas", "b/c~", instead={"allOf": [{"$ref": "other.json#/x"}]}),
            "the reference 'other.json#/x' leads out of the document",
        ),
        ([], "it is not a JSON object"),
        (b"\xff", "it is not JSON in UTF-8 ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
        (b'{"a": NaN}', "it is not JSON in UTF-8 (NaN is no number in JSON)"),
    ],
)
def test_what_is_missing_is_said(tmp_path, document, missing):
    with pytest.raises(SchemaFileError) as caught:
        given(tmp_path, document)

    assert str(caught.value) == f"{tmp_path}/schema.json is not the schema of a model: {missing}"


def test_what_is_no_json_is_told_with_its_place(tmp_path):
    with pytest.raises(SourceError, match=r"^schema\.json:2:1: this is not JSON: Expecting value$"):
        given(tmp_path, b'{"a":\n}')


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CogError, match=r"the schema .*/no\.json cannot be read: No such file or directory"):
        read_given(tmp_path / "no.json")
