"""Sources that nobody should write end in a sentence with a position, soon, and never in a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.errors import SourceError
from cog_oci.schema import read_schema

IMPORTS = "from cog import BaseModel, Input, Opaque, Path\nfrom typing import *\n"


def nested(count: int, left: str, middle: str, right: str = "") -> str:
    return left * count + middle + right * count


SOURCES: dict[str, str | bytes] = {
    "unclosed bracket": "def run(a: int = (",
    "bad indentation": "def run() -> str:\npass",
    "tabs and spaces": "def run() -> str:\n\tif 1:\n        pass\n\tpass",
    "null byte": b"a = 1\x00",
    "latin-1": "def run(a: str = 'é') -> str: ...".encode("latin-1"),
    "utf-16": "def run() -> str: ...".encode("utf-16"),
    "unknown encoding": b"# coding: klingon\ndef run() -> str: ...",
    "python 2": "print 'hello'",
    "brackets": nested(10_000, "[", "", "]"),
    "minus signs": "a = " + nested(50_000, "-", "1"),
    "sums": "a = " + "+".join(["1"] * 20_000),
    "attributes": "a = b" + ".b" * 20_000,
    "calls": "a = b" + "()" * 20_000,
    "elifs": "if a: pass\n" + "elif a: pass\n" * 3_000,
    "nested types": f"def run(a: {nested(60, 'Optional[', 'int', ']')}) -> str: ...",
    "nested output": f"def run() -> {nested(60, 'list[', 'int', ']')}: ...",
    "nested dict": f"def run(a: dict = {nested(90, '{0:', '1', '}')}) -> str: ...",
    "nested string types": "def run(a: 'Optional[\"int') -> str: ...",
    "string in string type": """def run(a: '"A"') -> str: ...\nA = 'A'""",
    "alias of itself": "A = A\ndef run(a: A) -> str: ...",
    "aliases in a circle": "A = B\nB = C\nC = A\ndef run(a: A) -> str: ...",
    "constant of itself": "N = N + 1\ndef run(a: int = N) -> str: ...",
    "function of itself": "def f(): return f()\ndef run(a: int = f()) -> str: ...",
    "Input of itself": "def f(): return f()\ndef run(a: int = Input(default=f())) -> str: ...",
    "list of itself": "A = list['A']\ndef run(a: A) -> str: ...",
    "base of itself": "class A(A): ...\ndef run() -> A: ...",
    "bases in a circle": "class A(B): ...\nclass B(A): ...\ndef run() -> A: ...",
    "imports itself": "from run import A\ndef run(a: A) -> str: ...",
    "imports in a circle": "from other import A\ndef run(a: A) -> str: ...",
    "imports itself with a star": "from run import *\ndef run(a: A) -> str: ...",
    "relative beyond the top": "from ....x import A\ndef run(a: A) -> str: ...",
    "huge power": "def run(a: int = 9 ** 9 ** 9) -> str: ...",
    "huge shift": "def run(a: int = 1 << 10 ** 12) -> str: ...",
    "huge text": "def run(a: str = 'x' * 10 ** 12) -> str: ...",
    "huge list": "def run(a: list[int] = [0] * 10 ** 9) -> str: ...",
    "huge product of lists": "def run(a: list[int] = [[0] * 1000] * 10 ** 6) -> str: ...",
    "huge range": "def run(a: int = Input(choices=list(range(10 ** 9)))) -> str: ...",
    "huge width": "def run(a: str = f'{1:999999999}') -> str: ...",
    "huge nested width": "N = 999999999\ndef run(a: str = f'{1:{N}}') -> str: ...",
    "huge join": "def run(a: str = ('x' * 90000).join(['y'] * 90000)) -> str: ...",
    "huge replace": "def run(a: str = ('x' * 90000).replace('x', 'y' * 90000)) -> str: ...",
    "doubling": "A0 = [0, 0]\n"
    + "".join(f"A{n} = [A{n - 1}, A{n - 1}]\n" for n in range(1, 40))
    + "def run(a: dict = A39): ...",
    "many digits": "def run(a: int = int('9' * 90000)) -> str: ...",
    "division by zero": "def run(a: float = 1 / 0) -> str: ...",
    "infinity": "def run(a: float = 1e999) -> str: ...",
    "not a number": "def run(a: float = float('nan')) -> str: ...",
    "half a character": "def run(a: str = '\\ud800') -> str: ...",
    "bytes": "def run(a: str = b'x') -> str: ...",
    "complex": "def run(a: float = 1j) -> str: ...",
    "dict with int keys": "def run(a: dict = {1: 2}) -> str: ...",
    "unhashable key": "def run(a: dict = {[]: 2}) -> str: ...",
    "set": "def run(a: Any = {1, 2}) -> str: ...",
    "starred nothing": "def run(a: list[int] = [*None]) -> str: ...",
    "lambda": "def run(a: Any = lambda: 1) -> str: ...",
    "walrus": "def run(a: int = (b := 1)) -> str: ...",
    "await": "async def run(a: int = await b) -> str: ...",
    "environment": "import os\ndef run(a: str = os.environ['HOME']) -> str: ...",
    "file": "def run(a: str = open('/etc/passwd').read()) -> str: ...",
    "exit": "def run(a: int = exit()) -> str: ...",
    "dunder": "def run(a: str = ''.__class__.__name__) -> str: ...",
    "format": "def run(a: str = '{0.__class__}'.format(1)) -> str: ...",
    "percent": "def run(a: str = '%999999999d' % 1) -> str: ...",
    "positional only": "def run(a: int, /) -> str: ...",
    "lambda as run": "run = lambda: 1",
    "partial as run": "import functools\nrun = functools.partial(print)",
    "number as run": "run = 1",
    "deleted run": "def run() -> str: ...\ndel run",
    "run in main": "if __name__ == '__main__':\n    def run() -> str: ...",
    "nothing": "",
    "only a comment": "# nothing",
    "type is a number": "def run(a: 1) -> str: ...",
    "type is a call": "def run(a: int()) -> str: ...",
    "type is a list": "def run(a: [int]) -> str: ...",
    "type is a module": "import torch\ndef run(a: torch) -> str: ...",
    "type is a function": "def f(): ...\ndef run(a: f) -> str: ...",
    "type is a plain class": "class A: ...\ndef run(a: A) -> str: ...",
    "type is an attribute of a str": "def run(a: ''.b) -> str: ...",
    "bare Optional": "def run(a: Optional) -> str: ...",
    "bare Union": "def run(a: Union) -> str: ...",
    "empty Literal": "def run(a: Literal[()]) -> str: ...",
    "mixed Literal": "def run(a: Literal['x', 1]) -> str: ...",
    "empty tuple of list": "def run(a: list[()]) -> str: ...",
    "list of two": "def run(a: list[int, str]) -> str: ...",
    "dict of one": "def run() -> dict[str]: ...",
    "iterator of nothing": "def run() -> Iterator: ...",
    "iterator in a list": "def run() -> list[Iterator[str]]: ...",
    "iterator in an iterator": "def run() -> Iterator[Iterator[str]]: ...",
    "optional iterator": "def run() -> Iterator[str] | None: ...",
    "iterator as input": "def run(a: Iterator[str]) -> str: ...",
    "iterator as member": "class A(BaseModel):\n    x: Iterator[str]\ndef run() -> A: ...",
    "concatenated int": "from cog import ConcatenateIterator\ndef run() -> ConcatenateIterator[int]: ...",
    "Input in Annotated": "def run(a: Annotated[str, Input(description='x')]) -> str: ...",
    "Input with stars": "def run(a: str = Input(**OPTIONS)) -> str: ...",
    "Input with two defaults": "def run(a: str = Input('x', 'y')) -> str: ...",
    "pattern that is none": "def run(a: str = Input(regex='(')) -> str: ...",
    "pattern for int": "def run(a: int = Input(regex='x')) -> str: ...",
    "limit for str": "def run(a: str = Input(ge=1)) -> str: ...",
    "limit that is text": "def run(a: int = Input(ge='1')) -> str: ...",
    "limits that cross": "def run(a: int = Input(ge=2, le=1)) -> str: ...",
    "negative length": "def run(a: str = Input(max_length=-1)) -> str: ...",
    "description that is a number": "def run(a: str = Input(description=1)) -> str: ...",
    "default against pattern": "def run(a: str = Input(default='x', regex='^y')) -> str: ...",
    "default too long": "def run(a: str = Input(default='xx', max_length=1)) -> str: ...",
    "bool for int": "def run(a: int = True) -> str: ...",
    "int for bool": "def run(a: bool = 1) -> str: ...",
    "text in a list of int": "def run(a: list[int] = ['x']) -> str: ...",
    "secret default": "from cog import Secret\ndef run(a: Secret = 'hunter2') -> str: ...",
    "member from outside": "from torch import Base\nclass A(Base, BaseModel):\n    x: int\ndef run() -> A: ...",
    "union as output": "def run() -> int | str: ...",
    "concurrent that is text": "import cog\n@cog.concurrent(max='x')\nasync def run() -> str: ...",
    "concurrent that is none": "import cog\n@cog.concurrent(max=0)\nasync def run() -> str: ...",
    "concurrent and not async": "import cog\n@cog.concurrent(max=2)\ndef run() -> str: ...",
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_nasty_source_ends_in_a_sentence(name, tmp_path):
    source = SOURCES[name]
    header = b"" if isinstance(source, bytes) else IMPORTS.encode()
    (tmp_path / "run.py").write_bytes(header + (source if isinstance(source, bytes) else source.encode()))
    (tmp_path / "other.py").write_text("from run import A\n")
    with pytest.raises(SourceError, match=r"^(run|other)\.py:\d+:\d+: .{8}"):
        read_schema(tmp_path, "run.py:run")


def test_a_file_of_ten_thousand_functions_is_read(tmp_path):
    body = "".join(f"def f{n}(a: int = {n}) -> int:\n    return a + {n}\n" for n in range(10_000))
    (tmp_path / "run.py").write_text(body + "def run() -> str: ...\n")
    assert read_schema(tmp_path, "run.py:run").document["openapi"] == "3.0.2"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        ":",
        "run.py:",
        ":Runner",
        "run.py:a b",
        "run.py:a.b",
        "/etc/passwd",
        "../run.py",
        "run",
        "run.txt:x",
        "no\0.py",
    ],
)
def test_a_reference_that_is_none_is_refused(reference, tmp_path):
    (tmp_path / "run.py").write_text("def other() -> str: ...\n")
    with pytest.raises(SourceError):
        read_schema(tmp_path, reference)


def test_a_folder_instead_of_a_file_is_refused(tmp_path):
    (tmp_path / "run.py").mkdir()
    with pytest.raises(SourceError, match="no such file"):
        read_schema(tmp_path, "run.py:run")


def test_problems_of_the_model_and_of_the_training_come_together(tmp_path):
    (tmp_path / "run.py").write_text("def run(a) -> str: ...\ndef train(b): ...\n")
    with pytest.raises(SourceError) as caught:
        read_schema(tmp_path, "run.py:run", train="run.py:train")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 2]


def test_a_broken_file_that_several_inputs_come_from_is_told_once(tmp_path):
    (tmp_path / "other.py").write_text("def\n")
    (tmp_path / "run.py").write_text("from other import A, B\ndef run(a: A, b: B, c) -> A: ...\n")
    with pytest.raises(SourceError) as caught:
        read_schema(tmp_path, "run.py:run")
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [("other.py", 1), ("run.py", 2)]


FRAGMENTS = [
    "int",
    "Path",
    "list",
    "Optional",
    "[",
    "]",
    "|",
    "None",
    "'",
    '"',
    "Annotated",
    "Opaque",
    ",",
    "(",
    ")",
    ".",
]
FRAGMENTS += [
    "Input",
    "=",
    "1",
    "-",
    "*",
    "{",
    "}",
    ":",
    "lambda",
    "cog",
    "f'",
    "\\",
    "Literal",
    "x",
    "A",
    " ",
    "\n",
    "é",
    "\0",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@settings(max_examples=400, deadline=None)
@given(
    annotation=st.lists(st.sampled_from(FRAGMENTS), max_size=12),
    default=st.lists(st.sampled_from(FRAGMENTS), max_size=12),
)
def test_no_annotation_and_no_default_gets_anything_but_a_schema_or_a_sentence(folder, annotation, default):
    text = f"{IMPORTS}class A(BaseModel):\n    x: int\ndef run(a: {''.join(annotation)} = {''.join(default)}) -> str: ...\n"
    (folder / "run.py").write_text(text)
    try:
        found = read_schema(folder, "run.py:run").to_bytes().decode()
    except SourceError as error:
        found = str(error)
    assert re.match(r'\{"components":\{"schemas":\{"Input":\{"properties":\{|run\.py:[1-9]\d*:[1-9]\d*: ', found)


@settings(max_examples=200, deadline=None)
@given(source=st.binary(max_size=200))
def test_no_bytes_get_anything_but_a_schema_or_a_sentence(folder, source):
    (folder / "run.py").write_bytes(source)
    with pytest.raises(SourceError):
        read_schema(folder, "run.py:a_name_that_no_few_bytes_define")
