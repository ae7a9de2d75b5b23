"""Paths, files and secrets as models handle them."""

from __future__ import annotations

import copy
import io
import pathlib
import pickle

import pytest

from cog_oci.sdk.cog import BaseModel, File, Path, Secret, URLFile, URLPath

DATA = "data:text/plain;base64,aGVsbG8="
URL = "https://host.example/a/picture.png?x=1"


def test_a_path_stays_one_whatever_is_done_to_it():
    assert type(Path("a") / "b") is Path
    assert isinstance(Path("a/b").parent, pathlib.Path)
    assert Path("/tmp") == pathlib.Path("/tmp")


def test_a_value_becomes_a_path_or_the_promise_of_one():
    path = Path("a")
    assert Path.validate(path) is path
    assert type(Path.validate("a/b")) is Path
    assert type(Path.validate(URL)) is URLPath
    assert type(Path.validate(DATA)) is URLPath


def test_a_url_path_has_the_name_of_the_url_and_prints_as_it():
    path = URLPath(URL)
    assert (path.name, path.suffix, str(path)) == ("picture.png", ".png", URL)
    assert isinstance(path, pathlib.Path)


def test_what_is_made_from_a_url_path_is_an_ordinary_path():
    path = URLPath(URL)
    assert str(path.with_suffix(".jpg")) == "picture.jpg"
    assert str(path.parent / "x") == "x"
    assert str(path / "x") == "picture.png/x"


def test_a_url_path_survives_pickling_and_copying():
    for again in (pickle.loads(pickle.dumps(URLPath(URL))), copy.deepcopy(URLPath(URL))):
        assert (type(again), str(again)) == (URLPath, URL)


def test_a_url_path_is_downloaded_once():
    path = URLPath(DATA)
    first = path.convert()
    assert first.read_text() == "hello"
    assert path.convert() is first
    path.unlink()
    assert not first.exists()


def test_a_url_path_never_removes_a_file_that_only_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture.png").write_text("mine")
    URLPath(URL).unlink()
    assert (tmp_path / "picture.png").exists()


def test_a_file_is_read_from_a_data_url():
    file = File.validate(DATA)
    assert (file.read(), file.name) == (b"hello", "file.txt")
    stream = io.BytesIO(b"x")
    assert File.validate(stream) is stream


@pytest.mark.parametrize("value", ["/etc/hostname", "file:///etc/hostname", "ftp://host/x", ""])
def test_a_file_is_nothing_else_than_a_url(value):
    with pytest.raises(ValueError, match="URL"):
        File.validate(value)
    with pytest.raises(ValueError, match="is not an http:// or https:// URL"):
        URLFile(value)


def test_a_url_file_asks_for_nothing_before_it_is_read():
    file = File.validate(URL)
    assert (type(file), file.name) == (URLFile, "picture.png")
    again = pickle.loads(pickle.dumps(file))
    assert again.name == "picture.png"
    again.close()
    assert URLFile(URL, filename="x").name == "x"


def test_a_secret_does_not_print_itself():
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == [
        "**********",
        "Secret(**********)",
        "**********",
        "[Secret(**********)]",
    ]
    assert secret.get_secret_value() == secret.secret_value == Secret(secret_value="hunter2").get_secret_value()
    assert (str(Secret()), Secret().get_secret_value()) == ("", None)


def test_a_secret_is_a_value():
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert pickle.loads(pickle.dumps(Secret("a"))) == copy.deepcopy(Secret("a")) == Secret("a")


def test_a_subclass_of_base_model_is_a_dataclass():
    class Out(BaseModel):
        text: str
        score: float = 0.5

    class More(Out, frozen=False):
        n: int = 1

    assert Out("x") == Out(text="x", score=0.5)
    assert More("x", 1.0, 2).n == 2
    with pytest.raises(TypeError, match="text"):
        Out()


def test_a_base_model_may_be_left_as_it_is():
    class Out(BaseModel, auto_dataclass=False):
        def __init__(self, text):
            self.text = text

    assert Out("x").text == "x"
    assert Out("x") != Out("x")
