"""For models made at random from the table of types, reading says what importing says, ours and Cog's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from cog_oci.schema import Schema, read_schema
from tests.schema.introspection import introspected
from tests.schema.models import Model, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORACLE = Path(__file__).parents[2] / ".oracle/bin/python"
FIXED = ["PredictionRequest", "PredictionResponse", "Status", "HTTPValidationError", "ValidationError"]
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def unordered(value: Any) -> Any:
    """The value with unions in one order: to `typing`, `Union[int, str]` may be an older `Union[str, int]`."""
    if isinstance(value, list):
        return [unordered(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {key: unordered(each) for key, each in value.items()}
    if isinstance(inner.get("anyOf"), list):
        inner["anyOf"].sort(key=lambda each: (each.get("type"), str(each)))
    return inner


def read(model: Model, folder: Path) -> Schema:
    (folder / "shapes.py").unlink(missing_ok=True)
    for name, text in model.files.items():
        (folder / name).write_text(text)
    return read_schema(folder, model.reference)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@settings(SETTINGS, max_examples=250)
@given(model=models())
def test_reading_a_model_says_what_importing_it_says(folder, model):
    document = unordered(json.loads(read(model, folder).to_bytes()))
    schemas = document["components"]["schemas"]
    imported = unordered(json.loads(json.dumps(introspected(model))))
    assert {name: each for name, each in schemas.items() if name not in FIXED} == imported, str(model)
    assert list(schemas) == [*imported, *FIXED]
    assert list(schemas["Input"]["properties"]) == list(imported["Input"]["properties"])
    assert list(schemas["Output"].get("properties", ())) == list(imported["Output"].get("properties", ()))
    assert ("x-cog-streaming" in document["paths"]["/predictions"]["post"]) == ("cog.streaming" in str(model))


PROGRAM = """
import importlib, json, sys, types
import cog
from cog import _inspector

for line in sys.stdin:
    model = json.loads(line)
    for name in ("run", "shapes"):
        sys.modules.pop(name, None)
    for file in sorted(model["files"], reverse=True):
        module = sys.modules[file[:-3]] = types.ModuleType(file[:-3])
        exec(compile(model["files"][file], file, "exec"), module.__dict__)
    try:
        info = _inspector.create_predictor("run", model["name"])
    except ValueError as error:
        print("=" + json.dumps(str(error)), flush=True)
        continue
    fields = [
        {
            "name": each.name, "order": each.order, "schema": each.type.json_type(),
            "optional": each.type.repetition.name.startswith("OPTIONAL"), "default": each.default,
            "description": each.description, "minimum": each.ge, "maximum": each.le, "minLength": each.min_length,
            "maxLength": each.max_length, "pattern": each.regex, "choices": each.choices,
            "deprecated": each.deprecated,
        }
        for each in info.inputs.values()
    ]
    print("=" + json.dumps({"inputs": fields, "output": info.output.json_type()}, default=str), flush=True)
"""


@pytest.fixture(scope="module")
def inspect(folder) -> Iterator[Callable[[Model], dict[str, Any]]]:
    """What Cog's package makes of a model that it imports."""
    if not ORACLE.exists():
        pytest.skip("there is no .oracle: scripts/oracle makes it")
    stub = folder / "stubs"
    stub.mkdir()
    (stub / "pydantic.py").write_text("class BaseModel: ...\n")  # imported by every model, used by none here
    with subprocess.Popen(
        [str(ORACLE), "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(stub)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(model: Model) -> dict[str, Any]:
            request = {"files": model.files, "name": model.reference.partition(":")[2]}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("="):
                    return json.loads(line[1:])
            raise AssertionError(f"no answer about\n{model}")

        yield ask
        process.stdin.close()


@pytest.mark.oracle
@settings(SETTINGS, max_examples=150)
@given(model=models(plain=True))
def test_reading_a_model_says_what_cog_says_that_has_imported_it(folder, inspect, model):
    schemas = unordered(json.loads(read(model, folder).to_bytes()))["components"]["schemas"]
    theirs = unordered(inspect(model))
    assert not isinstance(theirs, str), f"{theirs}\n{model}"
    properties = schemas["Input"]["properties"]
    assert list(properties) == [each["name"] for each in theirs["inputs"]], str(model)
    for each in theirs["inputs"]:
        ours = properties[each["name"]]
        assert ours["x-order"] == each["order"]
        for keyword in ("description", "minimum", "maximum", "minLength", "maxLength", "pattern"):
            assert ours.get(keyword) == each[keyword], (keyword, str(model))
        assert ours.get("deprecated", False) is bool(each["deprecated"])
        assert ours.get("default") == each["default"], str(model)
        component = schemas.get(each["name"], {}) if "allOf" in ours else {}
        assert component.get("enum") == each["choices"]
        kind = component or ours
        assert each["schema"].items() <= _bare(kind).items(), str(model)
        if "default" not in ours:
            assert ours.get("nullable", False) is each["optional"], str(model)
    output = theirs["output"]
    for name, member in output.get("properties", {}).items():
        member["title"] = schemas["Output"]["properties"][name]["title"]  # Cog's introspection has other words here
    assert schemas["Output"] == output, str(model)


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `nullable`, which Cog's documents have in the variants of a union too."""
    if "anyOf" not in schema:
        return schema
    variants = [{key: value for key, value in each.items() if key != "nullable"} for each in schema["anyOf"]]
    return {**schema, "anyOf": variants}
