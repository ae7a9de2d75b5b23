"""What a model's author is told: all of it at once, with file, line, column and what to use."""

from __future__ import annotations

from importlib.util import find_spec
from pkgutil import iter_modules

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.errors import SourceError
from cog_oci.schema import read_schema
from cog_oci.schema._imports import IMPORTABLE
from cog_oci.sdk import cog

HEAD = "import cog\nfrom cog import BaseRunner, Input, Path\nfrom torch import Tensor\n\n\nclass Runner(BaseRunner):\n"


def problems(folder, text, reference="run.py:Runner"):
    (folder / "run.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError) as caught:
        read_schema(folder, reference)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("def run(self, image: Tensor) -> str: ...", "run.py:7:26: parameter 'image': type 'Tensor' comes from torch and can't be read"),
        ("def run(self, a) -> str: ...", "run.py:7:19: parameter 'a': has no type, annotate it: `a: str`"),
        ("def run(self, a: str): ...", "run.py:7:5: run() has no return type, annotate it: `-> str`"),
        ("def run(self, *a: str) -> str: ...", "run.py:7:20: parameter '*a': takes what has no name in the schema"),
        ("def run(self, a: int = 'x') -> str: ...", "run.py:7:28: parameter 'a': default 'x' is not of type int"),
        ("def run(self, a: int = Input(default=0, ge=1)) -> str: ...", "run.py:7:42: parameter 'a': default 0 doesn't fit minimum 1"),
        ("def run(self, a: str = Input(default='q', choices=['x'])) -> str: ...", "run.py:7:42: parameter 'a': default 'q' is not one of the choices"),
        ("def run(self, a: int = Input(choices=['x'])) -> str: ...", "run.py:7:42: parameter 'a': choice 'x' is not of type int"),
        ("def run(self, a: int = Input(gt=1)) -> str: ...", "run.py:7:34: parameter 'a': Input() has no argument 'gt'; it has accept, choices"),
        ("def run(self, a: int = len(os.environ)) -> str: ...", "run.py:7:32: parameter 'a': default: 'os' is not defined"),
        ("def run(self, a: Pth) -> str: ...", "run.py:7:22: parameter 'a': 'Pth' is not defined, did you mean 'Path'?"),
        ("def run(self) -> str | None: ...", "run.py:7:22: return type: Optional is not supported for an output"),
        ("def go(self) -> str: ...", "run.py:6:1: class 'Runner' must define run() or predict()"),
        ("@cog.concurrent(max=4)\n    def run(self) -> str: ...", "run.py:7:25: @concurrent max greater than 1 needs an async function"),
        ("@cog.streaming\n    def run(self) -> str: ...", "run.py:7:6: @streaming needs an iterator as return type, not str"),
        ("def run(self, a: 'list[') -> str: ...", "run.py:7:22: parameter 'a': 'list[' is not a type"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path, method, message):
    found = problems(tmp_path, f"{HEAD}    {method}\n")

    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_mistakes_are_told_at_once(tmp_path):
    found = problems(tmp_path, f"{HEAD}    def run(self, a, b: Tensor, c: int = 'x'): ...\n")

    assert [text.split(":")[2] for text in found] == ["5", "19", "25", "42"]


def test_a_relative_import_without_a_package_fails_and_is_a_mistake(tmp_path):
    (tmp_path / "kinds.py").write_text("from .more import B\n")
    source = (
        "from . import kinds\nfrom .kinds import A\ntry:\n    from .kinds import B\nexcept ImportError:\n    B = 1\n"
        "def run(a) -> str: ...\n"
    )

    found = problems(tmp_path, source, "run.py:run")

    assert found[0] == ("run.py:1:1: a relative import fails here, there is no package around it; write `import …`")
    assert found[1].endswith("write `from kinds import …`")
    assert found[2].startswith("run.py:7:9: parameter 'a'")
    assert len(found) == 3


def test_a_relative_import_in_a_folder_is_of_its_package(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/kinds.py").write_text("A = 1\n")
    (tmp_path / "src/run.py").write_text("from .kinds import A\ndef run(a: int = A) -> str: ...\n")
    assert read_schema(tmp_path, "src/run.py:run")

    (tmp_path / "src/run.py").write_text("from ..kinds import A\ndef run() -> str: ...\n")
    with pytest.raises(SourceError, match=r"^src/run\.py:1:1: a relative import fails here"):
        read_schema(tmp_path, "src/run.py:run")


def test_a_name_that_cog_does_not_have_cannot_be_imported(tmp_path):
    source = (
        "from cog import BaseRuner, Input\nfrom cog import (\n    coder,\n    Nonesuch,\n)\nfrom cog import emit_metric\n"
        "try:\n    from cog import Future\nexcept ImportError: ...\ndef run() -> str: ...\n"
    )

    found = problems(tmp_path, source, "run.py:run")

    assert found[0] == "run.py:1:17: cog has no 'BaseRuner', did you mean 'BaseRunner'?"
    assert found[1].startswith("run.py:4:5: cog has no 'Nonesuch'; it has AsyncConcatenateIterator, BaseModel, ")
    assert len(found) == 2


def test_what_can_be_imported_from_cog_is_what_the_sdk_has():
    assert all(hasattr(cog, name) or find_spec(f"{cog.__name__}.{name}") for name in IMPORTABLE)
    modules = {each.name for each in iter_modules(cog.__path__) if not each.name.startswith("_")}
    assert modules <= IMPORTABLE


def test_columns_count_characters_and_not_bytes(tmp_path):
    (found,) = problems(tmp_path, f"{HEAD}    def run(self, é: str, b) -> str: ...\n")

    assert found.startswith("run.py:7:27: parameter 'b'")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("rum.py:Runner", "rum.py:1:1: no such file, did you mean run.py?"),
        ("run.py:Runer", "run.py:1:1: defines no class or function 'Runer', did you mean 'Runner'?"),
        ("../run.py:Runner", "../run.py:1:1: is outside of the project"),
    ],
)
def test_a_reference_to_nothing_suggests_the_nearest(tmp_path, reference, message):
    (found,) = problems(tmp_path, f"{HEAD}    def run(self) -> str: ...\n", reference)

    assert found.startswith(message)


@pytest.mark.parametrize(
    "source",
    [
        b"def",
        b"class Runner:\n  def run(self) -> str:\n pass",
        b"\xff\xfe",
        b"x = '\xe9'",
        b"\0",
        b"(" * 5000,
        b"a = " + b"-" * 20000 + b"1",
        b"class Runner(Runner):\n    def run(self, a: A) -> A: ...\nA = B\nB = A\n",
        b"from run import Runner\n",
        b"from run import *\n",
        b"class Runner:\n    run = 3\n",
        b"Runner = 1\n",
        b"class Runner:\n    def run(self, a: 'A') -> str: ...\nA = 'A'\n",
        b"class Runner:\n    def run(self, a: int = 9**9**9) -> str: ...\n",
        b"class Runner:\n    def run(self, a: str = 'x' * 10**9) -> str: ...\n",
        b"class Runner:\n    def run(self, a: int = 1/0) -> str: ...\n",
        b"class Runner:\n    def run(self, a: " + b"list[" * 90 + b"int" + b"]" * 90 + b") -> str: ...\n",
        b"x = [\n" + b"1,\n" * 10_000 + b"]\n",
        b"",
    ],
)
def test_a_nasty_source_is_refused_and_never_with_a_traceback(tmp_path, source):
    assert problems(tmp_path, source)


TYPES = ["str", "int", "float", "bool", "Path", "list[str]", "Optional[int]", "str | None", "dict", "int | str", "Any"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.sampled_from(TYPES)), unique_by=lambda p: p[0], max_size=8))  # fmt: skip
def test_inputs_are_in_the_order_of_the_signature(tmp_path_factory, parameters):
    import keyword

    parameters = [(name, kind) for name, kind in parameters if not keyword.iskeyword(name)]
    folder = tmp_path_factory.mktemp("model")
    signature = ", ".join(f"{name}: {kind}" for name, kind in parameters)
    (folder / "run.py").write_text(
        f"from typing import Any, Optional\nfrom cog import Path\ndef run({signature}) -> str: ...\n"
    )

    made = read_schema(folder, "run.py:run")

    properties = made.document["components"]["schemas"]["Input"]["properties"]
    assert list(properties) == [name for name, _ in parameters]
    assert [field["x-order"] for field in properties.values()] == list(range(len(parameters)))
    assert made.to_bytes() == read_schema(folder, "run.py:run").to_bytes()


def test_what_the_server_must_know_is_read_too(tmp_path):
    (tmp_path / "run.py").write_text(
        "import cog\nclass Runner:\n    @cog.concurrent(max=8)\n    async def run(self) -> str: ...\n"
    )

    made = read_schema(tmp_path, "run.py")

    assert (made.is_async, made.concurrency) == (True, 8)


@pytest.mark.parametrize(
    ("source", "places"),
    [
        (
            "def run(a: int = Input(default='x', ge='y', max_length=3, choices=['z'], deprecated=1)) -> str: ...",
            ["3:32 parameter 'a'", "3:40 parameter 'a'", "3:56 parameter 'a'", "3:67 parameter 'a'", "3:85 parameter 'a'"],
        ),
        (
            "class Out(BaseModel):\n    x: Tensor\n    y: 'list['\n    z: int\ndef run(a) -> Out: ...",
            ["4:8 member 'x' of class 'Out'", "5:8 member 'y' of class 'Out'", "7:9 parameter 'a'"],
        ),
        (
            "class In(BaseModel):\n    x: Tensor\nclass Out(BaseModel):\n    a: In\n    b: list[In]\n    c: set\ndef run() -> Out: ...",
            ["4:8 member 'x' of class 'In'", "8:8 member 'c' of class 'Out'"],
        ),
        (
            "@cog.concurrent(max=0)\n@cog.streaming\nasync def run(a, *b: int, c: Tensor = 1) -> set: ...",
            ["3:21 @concurrent max", "5:15 parameter 'a'", "5:19 parameter '*b'", "5:30 parameter 'c'", "5:45 return type"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_one_place_hides_nothing_in_another(tmp_path, source, places):
    found = problems(
        tmp_path, f"import cog; from cog import BaseModel, Input\nfrom torch import Tensor\n{source}\n", "run.py:run"
    )

    assert len(found) == len(places), found
    for text, place in zip(found, places, strict=True):
        position, _, subject = place.partition(" ")
        assert text.startswith(f"run.py:{position}: {subject}"), text


@pytest.mark.parametrize("module", ["types", "input", "model", "predictor", "exceptions"])
def test_a_name_is_the_same_from_the_module_that_cog_has_it_in(tmp_path, module):
    (tmp_path / "run.py").write_text(
        f"import cog.types\nfrom cog.input import Input\nfrom cog.model import BaseModel\nfrom cog.{module} import *\n"
        "class Out(BaseModel):\n    x: cog.types.Path\n"
        "def run(a: cog.types.Secret, b: int = Input(default=3)) -> Out: ...\n"
    )

    schemas = read_schema(tmp_path, "run.py:run").document["components"]["schemas"]

    assert schemas["Input"]["properties"]["a"]["format"] == "password"
    assert schemas["Input"]["properties"]["b"]["default"] == 3
    assert schemas["Output"]["properties"]["x"]["format"] == "uri"
