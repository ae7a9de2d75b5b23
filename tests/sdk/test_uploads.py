"""Where the files of an output go when somebody wants them elsewhere: a real server takes them."""

from __future__ import annotations

import dataclasses
import io
import json
import socket
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.sdk.cog import BaseModel, Path, _outputs
from cog_oci.sdk.cog import _upload as upload
from cog_oci.sdk.cog._outputs import UploadError, json_line, to_json
from cog_oci.sdk.cog._upload import Uploader
from tests.receiver import Answer, receiver

AGES_AGO = 0.0


@pytest.fixture
def store():
    with receiver(lambda _: Answer(201)) as it:
        yield it


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(upload, "WAITS", (0.01, 0.01))


class Result(BaseModel):
    image: Path
    more: dict


@dataclasses.dataclass
class Plain:
    audio: Path


def _file(folder, name, content=b"content"):
    path = folder / name
    path.write_bytes(content)
    return Path(path)


def test_every_file_is_put_under_the_prefix_wherever_it_is_in_the_output(store, tmp_path):
    names = ["a.png", "b.txt", "c.wav", "d", "e.bin"]
    a, b, c, d, e = (_file(tmp_path, name, name.encode()) for name in names)
    output = [Result(image=a, more={"list": [b, 5], "none": None}), Plain(audio=c), (d,), e.open("rb")]
    form = to_json(output, AGES_AGO, Uploader(f"{store.url}/up/", "p1", {"traceparent": "00-1-2-01"}).put)
    output[3].close()
    at = f"{store.url}/up/"
    assert form == [
        {"image": f"{at}a.png", "more": {"list": [f"{at}b.txt", 5], "none": None}},
        {"audio": f"{at}c.wav"},
        [f"{at}d"],
        f"{at}e.bin",
    ]
    assert [(it.method, it.target, it.body) for it in store.received] == [
        ("PUT", f"/up/{name}", name.encode()) for name in names
    ]
    media_types = ["image/png", "text/plain", "audio/x-wav", "application/octet-stream", "application/octet-stream"]
    assert [it.headers["content-type"] for it in store.received] == media_types
    assert all(it.headers["x-prediction-id"] == "p1" for it in store.received)
    assert all(it.headers["traceparent"] == "00-1-2-01" for it in store.received)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (None, "/up/o.png"),
        ("http://cdn.example/x.png?signature=s#part", "http://cdn.example/x.png"),
        ("/rel/x.png", "/rel/x.png"),
        ("x.png?v=2", "/up/x.png"),
    ],
)
def test_a_query_goes_with_the_request_and_never_into_the_output(store, tmp_path, location, expected):
    store.answer = lambda _: Answer(200, {} if location is None else {"Location": location})
    form = to_json(_file(tmp_path, "o.png"), AGES_AGO, Uploader(f"{store.url}/up?sig=1&x=%2F", "p", {}).put)
    assert store.received[0].target == "/up/o.png?sig=1&x=%2F"
    assert form == (expected if expected.startswith("http") else store.url + expected)


def test_two_files_of_one_name_do_not_overwrite_each_other(store, tmp_path):
    (tmp_path / "other").mkdir()
    uploader = Uploader(store.url, "p", {}).put
    first, second = _file(tmp_path, "x.png", b"1"), _file(tmp_path / "other", "x.png", b"2")
    third = _file(tmp_path, "x-2.png", b"3")
    forms = [to_json([first, second], AGES_AGO, uploader), to_json([third, io.BytesIO(b"4")], AGES_AGO, uploader)]
    targets = [it.target for it in store.received]
    assert targets == ["/x.png", "/x-2.png", "/x-2-2.png", "/3.bin"]
    assert [it.body for it in store.received] == [b"1", b"2", b"3", b"4"]
    assert [url for form in forms for url in form] == [store.url + target for target in targets]


@pytest.mark.parametrize("prediction", ["käse", "a\r\nx-evil: 1", "\udc80", "plain/one two"])
def test_any_prediction_id_can_be_a_header(store, tmp_path, prediction):
    to_json(_file(tmp_path, "x"), AGES_AGO, Uploader(store.url, prediction, {}).put)
    assert "x-evil" not in store.received[0].headers
    assert unquote(store.received[0].headers["x-prediction-id"], errors="surrogatepass") == prediction


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=20).filter(lambda name: name.strip(".")))
def test_any_name_of_a_file_is_one_segment_of_the_url(store, name):
    stream = io.BytesIO(b"x")
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    stream.name = name
    url = to_json(stream, AGES_AGO, Uploader(f"{store.url}/a b", "p", {}).put)
    assert url == store.url + store.received[-1].target
    assert unquote(urlsplit(url).path) == f"/a b/{name}"


def test_what_may_pass_is_tried_again_with_the_whole_file(store, tmp_path):
    answers = iter([Answer(503), Answer(500), Answer(200)])
    store.answer = lambda _: next(answers)
    assert to_json(_file(tmp_path, "x", b"all of it"), AGES_AGO, Uploader(store.url, "p", {}).put) == f"{store.url}/x"
    assert [it.body for it in store.received] == [b"all of it"] * 3


@pytest.mark.parametrize(
    ("status", "tries", "complaint"),
    [
        (500, 3, "upload returned status 500 Internal Server Error"),
        (403, 1, "upload returned status 403 Forbidden"),
        (301, 1, "upload returned status 301 Moved Permanently"),
    ],
)
def test_a_refused_upload_says_why_without_the_secrets_of_its_url(store, tmp_path, status, tries, complaint):
    store.answer = lambda _: Answer(status, {"Location": "/elsewhere"})
    with pytest.raises(UploadError) as caught:
        to_json(_file(tmp_path, "x"), AGES_AGO, Uploader(f"{store.url}/?key=hush", "p", {}).put)
    assert str(caught.value) == f"Failed to upload output: {complaint}"
    assert len(store.received) == tries


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://127.0.0.1:9/?key=hush", "Connection refused"),
        ("ftp://host/x", "not an http or https URL"),
        ("/etc/passwd", "not an http or https URL"),
        ("http://[x", "not an http or https URL"),
        ("http://host:port/", "not an http or https URL"),
    ],
)
def test_an_upload_that_gets_nowhere_fails_with_the_reason(tmp_path, url, complaint):
    with pytest.raises(UploadError, match=f"Failed to upload output: .*{complaint}") as caught:
        to_json(_file(tmp_path, "x"), AGES_AGO, Uploader(url, "p", {}).put)
    assert "hush" not in str(caught.value)


def test_an_uploaded_file_that_was_made_for_the_answer_is_removed_even_if_the_upload_fails(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = _file(tmp_path, "made.png")
    assert to_json([path, path], AGES_AGO, Uploader(store.url, "p", {}).put) == [
        f"{store.url}/made.png",
        f"{store.url}/made-2.png",
    ]
    assert not path.exists()
    store.answer = lambda _: Answer(400)
    path = _file(tmp_path, "made.png")
    with pytest.raises(UploadError):
        json_line(path, AGES_AGO, Uploader(store.url, "p", {}).put)
    assert not path.exists()


def test_a_large_file_is_never_whole_in_memory_on_its_way(tmp_path):
    path, size = tmp_path / "large.bin", 24 << 20
    with path.open("wb") as file:
        file.truncate(size)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        taken = pool.submit(_take_in_pieces, server, size)
        tracemalloc.start()
        try:
            to_json(path, AGES_AGO, Uploader(f"http://127.0.0.1:{server.getsockname()[1]}", "p", {}).put)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert taken.result()
    assert peak < 8 << 20


def _take_in_pieces(server, size):
    """Read a request with a body of `size` bytes, keep nothing of it, and answer."""
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as request:
        while request.readline() != b"\r\n":
            pass
        while size:
            size -= len(request.read(min(size, 1 << 16)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return True


files = st.builds(
    lambda name, content: (name, content), st.sampled_from(["a.png", "b", "c.txt"]), st.binary(max_size=9)
)
outputs = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.floats()
    | files.map(lambda it: _named(*it))
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def _named(name, content):
    stream = io.BytesIO(content)
    stream.name = name
    return stream


@given(outputs)
def test_the_line_is_the_form_as_json(output):
    assert json.loads(json_line(output, AGES_AGO)) == to_json(output, AGES_AGO)
    assert b"\n" not in json_line(output, AGES_AGO)


@pytest.mark.parametrize("size", [0, 1, 2, 3, _outputs._CHUNK - 1, _outputs._CHUNK, _outputs._CHUNK + 1])
def test_a_data_url_is_whole_whatever_the_size(tmp_path, size):
    import base64

    content = bytes(range(256)) * (size // 256 + 1)
    path = _file(tmp_path, "x.bin", content[:size])
    expected = f"data:application/octet-stream;base64,{base64.b64encode(content[:size]).decode()}"
    assert json.loads(json_line({"é": [path]}, AGES_AGO)) == {"é": [expected]}


def test_a_data_url_is_in_memory_once(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(30 << 20)
    tracemalloc.start()
    try:
        line = json_line([path], AGES_AGO)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(line) > 40 << 20
    assert peak < 1.3 * len(line)
