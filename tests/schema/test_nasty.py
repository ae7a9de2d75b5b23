"""Sources that nobody should write end in a sentence with a position, soon, and never in a traceback."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.errors import SourceError
from cog_oci.schema import read_schema
from tests.schema.nasty import IMPORTS, SOURCES, write


@pytest.mark.parametrize("name", SOURCES)
def test_a_nasty_source_ends_soon_in_a_sentence(name, tmp_path):
    write(name, tmp_path)
    began = time.process_time()  # not what others take of the machine meanwhile
    with pytest.raises(SourceError, match=r"^[a-z0-9/]+\.py:\d+:\d+: .{8}") as caught:
        read_schema(tmp_path, "run.py:run")
    assert time.process_time() - began < 1
    assert max(len(problem.message) for problem in caught.value.problems) < 400


def test_there_are_more_than_a_hundred_of_them():
    assert len(SOURCES) > 100


def test_a_pattern_is_tried_on_a_default_whatever_they_hold(read):
    for pattern, default in [("(a|b)+$", "abab"), ("\\x00.*", "\0é\n"), ("^(x{2,3})*$", "xx" * 1000), (".*a.*", "cab")]:
        read(f"def run(a: str = Input(default={default!r}, regex={pattern!r})) -> str: ...\n")
    with pytest.raises(SourceError, match="doesn't fit pattern"):
        read("def run(a: str = Input(default='ac', regex='^(a|b)+$')) -> str: ...\n")


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


def test_a_file_at_the_root_is_in_no_package_to_import_from(read):
    source = "from other import *\n\n\nclass Runner(BaseRunner):\n    def run(self, a: str) -> str: ...\n"
    schema = read(source, "run.py:Runner", files={"other.py": "from . import *\n"})
    assert list(schema.document["components"]["schemas"]["Input"]["properties"]) == ["a"]
