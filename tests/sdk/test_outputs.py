"""From what a model returns to JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import io
import json
import math
import pathlib
import pickle

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog import BaseModel, Path, Secret, URLFile, URLPath
from cog_oci.sdk.cog._download import file_name
from cog_oci.sdk.cog._outputs import to_json

AGES_AGO = 0.0


class Colour(enum.Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    colour: Colour = Colour.RED


class Modern(pydantic.BaseModel):
    when: dt.date


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Point(x=1), {"x": 1, "colour": "red"}),
        (Modern(when=dt.date(2024, 2, 29)), {"when": "2024-02-29"}),
        ({Colour.RED: (1, 2), 3: None}, {"red": [1, 2], "3": None}),
        (math.nan, None),
        (True, True),
        (b"ab", "data:application/octet-stream;base64,YWI="),
        (io.BytesIO(b"ab"), "data:application/octet-stream;base64,YWI="),
        (io.StringIO("ab"), "data:application/octet-stream;base64,YWI="),
        (2**70, 2**70),
    ],
)
def test_everything_has_its_json_form(value, expected):
    assert to_json(value, AGES_AGO) == expected


class _Stand:
    """Numpy's arrays and scalars, as far as they matter here."""

    __module__ = "numpy"

    def tolist(self):
        return [1, math.inf]


def test_an_array_is_a_list():
    assert to_json(_Stand(), AGES_AGO) == [1, None]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 9) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_like)
def test_the_form_is_always_json_and_its_own_form(value):
    form = to_json(value, AGES_AGO)
    assert json.loads(json.dumps(form, allow_nan=False)) == form
    assert to_json(form, AGES_AGO) == form


def test_a_file_outside_the_temporary_folder_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    kept, made = tmp_path / "kept.txt", tmp_path / "tmp/made.txt"
    for path in (kept, made):
        path.write_text("x")
        assert to_json(path, AGES_AGO) == "data:text/plain;base64,eA=="
    assert (kept.exists(), made.exists()) == (True, False)


def test_a_file_older_than_its_prediction_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "old.txt").write_text("x")
    to_json(tmp_path / "old.txt", (tmp_path / "old.txt").stat().st_mtime + 1)
    assert (tmp_path / "old.txt").exists()


def test_models_are_dataclasses_unless_they_say_otherwise():
    class Plain(BaseModel, auto_dataclass=False):
        x: int

    assert dataclasses.is_dataclass(Point)
    assert not dataclasses.is_dataclass(Plain)


def test_a_secret_does_not_print_itself():
    secret = Secret("hush")
    assert (f"{secret}", repr(secret), secret.get_secret_value()) == ("**********", "Secret(**********)", "hush")
    assert (str(Secret()), repr(Secret())) == ("", "Secret()")


def test_the_file_of_a_data_url_without_a_media_type_is_text():
    assert [file_name(f"data:{head},x") for head in ("", ";base64", "text/plain", "image/png", "x/unknown")] == [
        "file.txt",
        "file.txt",
        "file.txt",
        "file.png",
        "file",
    ]


def test_a_url_stands_for_its_file_until_it_is_read():
    path = Path.validate("https://host/a%20b.png?token=1")
    assert isinstance(path, URLPath)
    assert (path.name, str(path)) == ("a b.png", "https://host/a%20b.png?token=1")
    assert isinstance(Path.validate("/tmp/x"), pathlib.Path)
    copy = pickle.loads(pickle.dumps(URLFile("https://host/x.bin")))
    assert copy.name == "x.bin"


@given(st.text(max_size=300))
def test_a_files_name_is_always_one_component_that_fits(text):
    name = file_name("http://host/" + text)
    assert "/" not in name
    assert "\0" not in name
    assert name not in {"", ".", ".."}
    assert len(name.encode()) <= 200
