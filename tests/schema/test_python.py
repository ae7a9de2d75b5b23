"""The source means what Python means by it, wherever that can be told without running it."""

from __future__ import annotations

import sys

import pytest

from cog_oci.schema._names import COGS
from cog_oci.sdk import cog

STRING = {"title": "A", "type": "string", "x-order": 0}
INTEGER = {"title": "A", "type": "integer", "x-order": 0}


@pytest.mark.parametrize(
    ("expression", "before", "value"),
    [
        ("'a' 'b' \"c\"", "", "abc"),
        ("'a' + 'b' * 3", "", "abbb"),
        (r"'tab\tend \u00e9 \x41'", "", "tab\tend é A"),
        (r"r'\d+'", "", r"\d+"),
        ("N", "N = M = 'x'", "x"),
        ("N", "N: str = 'x'", "x"),
        ("N", "N, M = 'x', 'y'", "x"),
        ("N", "N = 'x'\nN += 'y'", "xy"),
        ("N", "N = 'x'\nN = 'z'", "z"),
        ("N", "try:\n    N = 'x'\nexcept ImportError:\n    N = 'y'", "x"),
        ("N[1:]", "N = 'xy'", None),
        ("N['k']", "N = {'k': 'v', **{'l': 'w'}}", "v"),
        ("N[0]", "N = ['p', *['q']]", "p"),
        ("C.N", "class B:\n    N = 'x'\nclass C(B): ...", "x"),
        ("E.X.value", "import enum\nclass E(enum.Enum):\n    X = 'x'", "x"),
        ("f'{N}-{1 + 1:03d}-{\"q\"!r}'", "N = 'x'", "x-002-'q'"),
        ("'-'.join(['a', 'b'])", "", "a-b"),
        ("' a '.strip().upper()", "", "A"),
        ("N.lower()", "N = 'ABC'", "abc"),
        ("textwrap.dedent('  a')", "import textwrap", "a"),
        ("make()", "def make():\n    '''Made.'''\n    return 'x'", "x"),
        ("'a' if N else 'b'", "N = 2", "a"),
        (" + ".join(["'x'"] * 300), "", "x" * 300),
    ],
)
def test_a_constant_has_the_value_that_python_gives_it(inputs, expression, before, value):
    if value is None:
        with pytest.raises(Exception, match="can't be read without running it"):
            inputs(f"a: str = {expression}", before)
    else:
        assert inputs(f"a: str = {expression}", before)["a"] == {**STRING, "default": value}


@pytest.mark.parametrize(
    ("choices", "before", "values"),
    [
        ("CHOICES", "CHOICES = ['x', 'y']", ["x", "y"]),
        ("list(D)", "D = {'x': 1, 'y': 2}", ["x", "y"]),
        ("list(D.keys())", "D = {'x': 1, 'y': 2}", ["x", "y"]),
        ("D.keys()", "D = {'x': 1, 'y': 2}", ["x", "y"]),
        ("sorted({'y', 'x'})", "", ["x", "y"]),
        ("['x'] + CHOICES", "CHOICES = ['y']", ["x", "y"]),
        ("[*CHOICES, 'y']", "CHOICES = ('x',)", ["x", "y"]),
        ("CHOICES", "CHOICES = ['x']\nCHOICES += ['y']", ["x", "y"]),
        ("'x y'.split()", "", ["x", "y"]),
    ],
)
def test_choices_are_read_from_wherever_they_are_listed(read, choices, before, values):
    schema = read(f"{before}\ndef run(a: str = Input(choices={choices})) -> str: ...\n")
    assert schema.document["components"]["schemas"]["a"]["enum"] == values


@pytest.mark.parametrize(
    "before",
    [
        "CHOICES = ['x']\nCHOICES.append('y')",
        "CHOICES = ['x']\nCHOICES[0] = 'y'",
        "CHOICES = []\nfor c in 'xy':\n    CHOICES = [*CHOICES, c]",
        "import os\nif os.environ.get('X'):\n    CHOICES = ['x']\nelse:\n    CHOICES = ['y']",
        "with open('f') as CHOICES: pass",
        "CHOICES = {'x', 'y'}",
        "CHOICES = [c for c in 'xy']",
        "from elsewhere import CHOICES",
    ],
)
def test_choices_that_depend_on_running_the_model_are_refused(inputs, before):
    with pytest.raises(Exception, match="parameter 'a': choices: ") as caught:
        inputs("a: str = Input(choices=CHOICES)", before)
    assert caught.type.__name__ == "SourceError"


@pytest.mark.parametrize(
    ("annotation", "before"),
    [
        ("P", "from cog import Path as P"),
        ("c.Path", "import cog as c"),
        ("cog.Path", "import cog"),
        ("pathlib.Path", "import pathlib"),
        ("'Path'", ""),
        ("Optional['Path']", ""),
        ("Alias", "Alias = Path"),
        ("Alias", "from typing import TypeAlias\nAlias: TypeAlias = 'Path'"),
        ("Alias", "from typing import NewType\nAlias = NewType('Alias', Path)"),
        ("Annotated[Path, 'a file']", ""),
        ("P", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cog import Path as P"),
        ("P", "try:\n    from cog import Path as P\nexcept ImportError:\n    P = None"),
        ("P", "import sys\nif sys.version_info > (3, 12):\n    from cog import Path as P\nelse:\n    from pathlib import Path as P"),
        ("types_.P", "import types_"),
        ("P", "from types_ import *"),
        ("P", "from types_ import P"),
        ("P", "from package import P"),
        ("package.inner.P", "import package.inner"),
    ],
)  # fmt: skip
def test_a_file_is_a_file_by_whatever_name(inputs, annotation, before):
    files = {
        "types_.py": "from cog import Path as P\n",
        "package/__init__.py": "from .inner import P\n",
        "package/inner.py": "from types_ import P\n",
    }
    found = inputs(f"a: {annotation}", before, files=files)["a"]
    assert (found["type"], found["format"]) == ("string", "uri")


@pytest.mark.parametrize("order", [("cog", "typing"), ("typing", "cog")])
def test_stars_of_cog_and_of_typing_bind_what_each_of_them_has(inputs, order):
    found = inputs("a: Optional[Path]", header="".join(f"from {module} import *\n" for module in order))["a"]
    assert (found["format"], found["nullable"]) == ("uri", True)


def test_the_names_of_a_star_of_cog_are_those_of_the_sdk():
    assert frozenset(cog.__all__) == COGS


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is read with the grammar of the host's Python")
def test_a_type_statement_names_a_type(inputs):
    assert inputs("a: Text", "type Text = str | None")["a"] == {**STRING, "nullable": True}


@pytest.mark.parametrize(
    ("files", "value"),
    [
        ({"src/sizes.py": "N = 1\n"}, 1),
        ({"src/sizes.py": "N = 1\n", "sizes.py": "N = 2\n"}, 2),
        ({"src/sizes/__init__.py": "from .all import N\n", "src/sizes/all.py": "N = 3\n"}, 3),
    ],
)
def test_an_import_looks_into_the_projects_folder_and_then_beside_the_file(read, files, value):
    source = "from sizes import N\ndef run(a: int = N) -> str: ...\n"
    schema = read("", "src/run.py:run", files={"src/run.py": source, **files})
    assert schema.document["components"]["schemas"]["Input"]["properties"]["a"]["default"] == value


def test_annotations_are_read_the_same_when_they_are_not_evaluated(inputs):
    header = "from __future__ import annotations\nfrom cog import Path\n"
    assert inputs("a: Path | None = None", header=header)["a"]["nullable"] is True


def test_keyword_only_parameters_are_inputs_in_order(inputs):
    found = inputs("a: int, *, b: str = 'x', c: float")
    assert [(name, each["x-order"]) for name, each in found.items()] == [("a", 0), ("b", 1), ("c", 2)]


def test_none_as_a_default_makes_an_input_optional(inputs):
    assert inputs("a: int = None")["a"] == {**INTEGER, "nullable": True, "default": None}
    assert inputs("a: int = Input(default=None, ge=1)")["a"] == {
        **INTEGER,
        "nullable": True,
        "default": None,
        "minimum": 1,
    }


def test_an_ellipsis_is_no_default(read):
    schema = read("def run(a: int = Input(default=...), b: int = Input(...)) -> str: ...\n")
    assert schema.document["components"]["schemas"]["Input"]["required"] == ["a", "b"]


def test_a_literal_lists_the_choices(read):
    schemas = read("def run(a: Literal['x', 'y'] = 'x') -> str: ...\n").document["components"]["schemas"]
    assert schemas["a"] == {"title": "a", "description": "An enumeration.", "enum": ["x", "y"], "type": "string"}
    assert schemas["Input"]["properties"]["a"]["default"] == "x"


def test_choices_for_a_list_are_for_its_elements(read):
    schemas = read("def run(a: list[str] = Input(choices=['x', 'y'], default=['y'])) -> str: ...\n").document[
        "components"
    ]["schemas"]
    assert schemas["Input"]["properties"]["a"]["items"] == {"$ref": "#/components/schemas/a"}
    assert schemas["a"]["enum"] == ["x", "y"]


@pytest.mark.parametrize("name", ["Output", "Status", "Input", "ValidationError", "PredictionRequest"])
def test_an_input_with_choices_never_takes_the_name_of_another_component(read, name):
    plain = read("def run() -> str: ...\n").document["components"]["schemas"]
    schemas = read(f"def run({name}: str = Input(choices=['x'])) -> str: ...\n").document["components"]["schemas"]
    assert {key: schemas[key] for key in plain if key != "Input"} == {
        key: plain[key] for key in plain if key != "Input"
    }
    assert schemas["Input"]["properties"][name]["allOf"] == [{"$ref": f"#/components/schemas/{name}_choices"}]


def test_choices_of_the_training_are_kept_apart_from_those_of_the_model(read):
    source = """
def run(a: str = Input(choices=['x'])) -> str: ...
def train(a: int = Input(choices=[1])) -> str: ...
"""
    schemas = read(source, train="run.py:train").document["components"]["schemas"]
    assert schemas["a"]["enum"] == ["x"]
    (reference,) = schemas["TrainingInput"]["properties"]["a"]["allOf"]
    assert schemas[reference["$ref"].rpartition("/")[2]]["enum"] == [1]


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("class Runner(BaseRunner):\n    def run(self) -> int: ...\n", "run.py"),
        ("class Predictor(BaseRunner):\n    def predict(self) -> int: ...\n", "run.py"),
        (
            "class Predictor:\n    def predict(self) -> str: ...\nclass Runner:\n    def run(self) -> int: ...\n",
            "run.py",
        ),
        ("class Base:\n    def run(self) -> int: ...\nclass Runner(Base): ...\n", "run.py:Runner"),
        ("class Runner:\n    def run(self) -> str: ...\n    def run(self) -> int: ...\n", "run.py:Runner"),
        ("class Runner:\n    @staticmethod\n    def run() -> int: ...\n", "run.py:Runner"),
        ("class Runner:\n    @classmethod\n    def run(cls) -> int: ...\n", "run.py:Runner"),
        ("import torch\nclass Runner:\n    @torch.inference_mode()\n    def run(self) -> int: ...\n", "run.py:Runner"),
        ("if True:\n    class Runner:\n        def run(self) -> int: ...\n", "run.py:Runner"),
        ("class Model:\n    def run(self) -> int: ...\nRunner = Model\n", "run.py:Runner"),
        ("from inner import Runner\n", "run.py:Runner"),
        ("class Runner:\n    def _go(self) -> int: ...\n    run = _go\n", "run.py:Runner"),
    ],
)
def test_a_reference_finds_what_the_server_would_load(read, source, reference):
    files = {"inner.py": "class Runner:\n    def run(self) -> int: ...\n"}
    schema = read(source, reference, files=files)
    assert schema.document["components"]["schemas"]["Output"] == {"title": "Output", "type": "integer"}
    assert schema.document["components"]["schemas"]["Input"]["properties"] == {}


@pytest.mark.parametrize(
    ("annotation", "before", "properties", "required"),
    [
        ("Out", "class Base(BaseModel):\n    x: int\n    y: str = ''\nclass Out(Base):\n    y: int\n    z: int", "xyz", "xyz"),
        ("Out", "import pydantic\nclass Out(pydantic.BaseModel):\n    x: int\n    y: int = pydantic.Field(...)", "xy", "xy"),
        ("Out", "from pydantic.v1 import BaseModel as B, Field\nclass Out(B):\n    x: int = Field(3)", "x", ""),
        ("Out", "class Out(TypedDict, total=False):\n    x: int\n    y: 'Required[int]'", "xy", "y"),
        ("Out", "class Mixin:\n    m: int\nclass Out(Mixin, BaseModel):\n    x: int", "x", "x"),
        ("Out", "from typing import ClassVar\nclass Out(BaseModel):\n    x: int\n    N: ClassVar[int] = 3", "x", "x"),
        ("Out", "Out = TypedDict('Out', {'x': int, 'y': NotRequired[str]})", "xy", "x"),
        ("Runner.Out", "class Runner:\n    class Out(BaseModel):\n        x: int", "x", "x"),
    ],
)  # fmt: skip
def test_an_object_has_the_members_that_the_class_has(output, annotation, before, properties, required):
    found = output(annotation, before)
    assert (list(found["properties"]), found.get("required", [])) == (list(properties), list(required))


def test_a_recursive_object_ends_in_any_object(output):
    found = output("Tree", "class Tree(BaseModel):\n    children: list['Tree']")
    assert found["properties"]["children"]["items"] == {"type": "object"}


@pytest.mark.parametrize("wrapper", ["Iterator", "AsyncIterator", "ConcatenateIterator", "AsyncConcatenateIterator"])
def test_an_iterator_in_quotes_is_an_iterator(output, wrapper):
    assert output(f"'{wrapper}[str]'")["x-cog-array-type"] == "iterator"


def test_a_generator_is_an_iterator_of_what_it_yields(output):
    found = output("Generator[int, None, None]", "from collections.abc import Generator")
    assert found == {
        "title": "Output",
        "type": "array",
        "items": {"type": "integer"},
        "x-cog-array-type": "iterator",
    }


def test_floats_are_printed_as_cog_prints_them(read):
    schema = read("def run(a: float = 1e-5, b: float = 1.0, c: float = 1e22, d: float = -2.5e-7) -> str: ...\n")
    text = schema.to_bytes().decode()
    for number in ("0.00001", "1", "1e+22", "-2.5e-7"):
        assert f'"default":{number},' in text
