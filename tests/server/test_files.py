"""Files in and out, as data URLs and as URLs, and what is left of them."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture(scope="module")
def host():
    """A web server that has /a%20b.txt, redirects /moved there and has nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/a%20b.txt")
                self.end_headers()
            elif self.path == "/a%20b.txt":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"from afar")
            else:
                self.send_error(404, "Not Found")

        def log_message(self, *ignored):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _data_url(content: bytes, media_type: str = "text/plain") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def test_d5_a_data_url_becomes_a_file_with_the_right_suffix_that_is_gone_afterwards(types):
    name, text, kind, _ = types.predict(path=_data_url(b"inside"))["output"]["path"]
    assert (name, text, kind) == ("file.txt", "inside", "Path")
    assert [path for path in types.temporary.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "url", ["data:,a%20b", "DATA:text/plain;BASE64,YSBi", "data:;base64,YS%42i", "data:;base64,YS\nBi"]
)
def test_data_urls_in_all_their_forms(types, url):
    assert types.predict(path=url)["output"]["path"][1] == "a b"


@pytest.mark.parametrize("path", ["/a%20b.txt", "/moved"])
def test_a_url_is_downloaded_under_its_name(types, host, path):
    name, text, *_ = types.predict(path=host.replace("http", "HTTP") + path)["output"]["path"]
    assert text == "from afar"
    assert name == ("a b.txt" if path == "/a%20b.txt" else "moved")


def test_lists_of_files_open_files_and_secrets(types, host):
    output = types.predict(paths=[_data_url(b"one"), host + "/moved"], file=host + "/moved", secret="hush")["output"]
    assert output["paths"] == ["one", "from afar"]
    assert output["file"] == "from afar"
    assert output["secret"] == ["**********", "hush"]


@pytest.mark.parametrize(
    "value", ["/etc/hostname", "file:///etc/hostname", "ftp://x/y", "", "data:;base64,###", "data:nocomma"]
)
def test_what_is_no_usable_url_is_the_clients_mistake(types, value):
    answer = types.post("/predictions", {"input": {"path": value}})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "input", "path"]


def test_a_url_that_leads_nowhere_fails_the_prediction_with_its_status(types, host):
    body = types.predict(path=host + "/nothing")
    assert body["status"] == "failed"
    assert body["error"] == f"Input validation error: 404 Client Error: Not Found for url: {host}/nothing"
    refused = types.predict(path="http://127.0.0.1:9/x")
    assert "Connection refused" in refused["error"]


def test_an_output_file_is_sent_and_one_made_for_the_answer_is_removed(files):
    output = files.predict(text="x")["output"]
    assert output["made"] == _data_url(b"x", "image/png")
    assert output["kept"] == _data_url(b"kept", "text/plain")
    assert [path for path in files.temporary.rglob("*") if path.is_file()] == []
    assert (files.folder / "kept.txt").exists()


def test_an_output_file_that_is_missing_is_an_error(files):
    assert files.predict(text="x", missing=True)["error"].startswith("FileNotFoundError")
