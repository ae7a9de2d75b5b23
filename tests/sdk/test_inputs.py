"""From JSON to arguments."""

from __future__ import annotations

import pathlib
from typing import Annotated, Any, Optional, Union

import pytest

from cog_oci.sdk.cog import Input, Path, Secret
from cog_oci.sdk.cog._inputs import InvalidInputError, Signature

HELLO = "data:text/plain;base64,aGVsbG8="


def _arguments(run, values, folder):
    return Signature(run).arguments(values, folder)


def test_arguments_have_the_declared_types(tmp_path):
    def run(i: int, f: float, both: Union[int, float], items: list[float], secret: Annotated[Secret, "x"]):  # noqa: UP007 - spelt so in models
        """Only its signature matters."""

    arguments = _arguments(run, {"i": 3.0, "f": 1, "both": 2, "items": [1, 2.5], "secret": "s"}, tmp_path)
    assert arguments["secret"].get_secret_value() == "s"
    kinds = [type(arguments["i"]), type(arguments["f"]), type(arguments["both"]), *map(type, arguments["items"])]
    assert kinds == [int, float, int, float, float]


@pytest.mark.parametrize("annotation", [Path, pathlib.Path, Optional[Path], Path | None, "Path", list[Path]])
def test_every_spelling_of_a_path_is_one(tmp_path, annotation):
    def run(x):
        """Only its signature matters."""

    run.__annotations__["x"] = annotation
    signature = Signature(run)
    assert signature.takes_files
    value = [HELLO] if annotation == list[Path] else HELLO
    given = signature.arguments({"x": value}, tmp_path)["x"]
    path = given[0] if isinstance(given, list) else given
    assert path.read_text() == "hello"
    assert path.is_relative_to(tmp_path)


def test_a_string_stays_one_unless_it_can_be_a_file(tmp_path):
    def run(x: str, y: str | Path):
        """Only its signature matters."""

    assert _arguments(run, {"x": HELLO, "y": "plain"}, tmp_path) == {"x": HELLO, "y": "plain"}


def test_two_files_of_one_name_do_not_meet(tmp_path):
    def run(a: Path, b: Path, c: list[Path]):
        """Only its signature matters."""

    arguments = _arguments(run, {"a": HELLO, "b": "data:text/plain,other", "c": ["data:,1", "data:,2"]}, tmp_path)
    texts = [p.read_text() for p in (arguments["a"], arguments["b"], *arguments["c"])]
    assert texts == ["hello", "other", "1", "2"]


def test_a_path_from_the_request_never_reaches_the_file_system(tmp_path):
    def run(x: Path):
        """Only its signature matters."""

    with pytest.raises(InvalidInputError) as caught:
        _arguments(run, {"x": "/etc/hostname"}, tmp_path)
    assert caught.value.field == "x"


def test_what_is_missing_is_said_as_python_says_it(tmp_path):
    def run(a: int, b: str = Input(description="b"), c: Optional[str] = Input(), d: Any = 5):
        """Only its signature matters."""

    assert _arguments(run, {"a": 1, "b": "x"}, tmp_path) == {"a": 1, "b": "x", "c": None, "d": 5}
    with pytest.raises(TypeError, match=r"run\(\) missing 2 required arguments: 'a' and 'b'"):
        _arguments(run, {}, tmp_path)


def test_an_annotation_that_cannot_be_evaluated_says_nothing(tmp_path):
    def run(x):
        """Only its signature matters."""

    run.__annotations__["x"] = "Unknown"
    assert _arguments(run, {"x": HELLO}, tmp_path) == {"x": HELLO}


def test_mutable_defaults_are_copied(tmp_path):
    def run(x: list[int] = Input(default=[1]), y: dict = {"k": []}):  # noqa: B006 - spelt so in models
        """Only its signature matters."""

    first = _arguments(run, {}, tmp_path)
    first["x"].append(2)
    first["y"]["k"].append(2)
    assert _arguments(run, {}, tmp_path) == {"x": [1], "y": {"k": []}}


def test_an_input_that_is_no_object_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="Input must be a JSON object"):
        _arguments(lambda: None, [1], tmp_path)
