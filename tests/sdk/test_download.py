"""Content behind URLs: all of it, or an error that says so."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from cog_oci.sdk.cog import URLFile, URLPath, _download
from cog_oci.sdk.cog._download import DownloadError

LINES = b"one\ntwo\nthree"


@contextmanager
def answering(head: bytes, body: bytes = LINES, until: threading.Event | None = None):
    """The URL of a file that is answered once, with these bytes; the connection is closed after that, or `until`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)
                if until is not None:
                    until.wait(30)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.txt"
        thread.join()


WAYS = {
    "a path": lambda url: URLPath(url).convert().read_bytes(),
    "a file at once": lambda url: URLFile(url).read(),
    "a file in pieces": lambda url: b"".join(iter(lambda file=URLFile(url): file.read(5), b"")),
    "a file by lines": lambda url: b"".join(URLFile(url)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 13", b"Connection: close", b"Transfer-Encoding: chunked"],
    ids=["length", "end", "chunks"],
)
def test_what_is_whole_is_read_whole(way, head):
    chunked = b"d\r\n" + LINES + b"\r\n0\r\n\r\n"
    with answering(head, chunked if b"chunked" in head else LINES) as url:
        assert WAYS[way](url) == LINES


@pytest.mark.parametrize("way", WAYS)
def test_a_download_that_breaks_off_is_an_error_and_no_shorter_file(way):
    with answering(b"Content-Length: 1000") as url, pytest.raises(DownloadError, match="could not download http"):
        WAYS[way](url)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", [b"ff\r\nx", b"4\r\none\n\r\n"], ids=["in a chunk", "between two"])
def test_chunks_that_break_off_are_an_error_as_well(way, body):
    with (
        answering(b"Transfer-Encoding: chunked", body) as url,
        pytest.raises(DownloadError, match="could not download http"),
    ):
        WAYS[way](url)


def test_a_line_whose_end_does_not_come_is_an_error_of_the_download(monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 0.05)
    heard = threading.Event()
    with answering(b"Content-Length: 1000", b"on", until=heard) as url:
        with pytest.raises(DownloadError, match="Read timed out"):
            URLFile(url).readline()
        heard.set()
