"""A daemon that is not there, or answers what it should not: what the user is told."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import threading
import time

import pytest

from cog_oci.layers import render
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.reference import Reference
from cog_oci.transports.archive import Archive
from cog_oci.transports.docker import Docker, DockerError

EMPTY = Archive([Image(Platform("linux", "amd64"), ImageConfig(), ()).stored()], Reference.parse("x"))


@pytest.fixture
def heard():
    """What came first on each connection."""
    return []


@pytest.fixture
def daemon(tmp_path, heard):
    """A socket that answers each connection with the next of some answers."""
    path = tmp_path / "s"

    def start(*answers: bytes) -> Docker:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening:
                for answer in answers:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):  # whoever asked may be gone
                        heard.append(connection.recv(1 << 20))
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return Docker(f"unix://{path}")

    return start


def answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status.encode(), len(body), body)


def test_no_daemon_is_an_error_with_its_address(tmp_path, store):
    with pytest.raises(DockerError, match=r"unix://.*/none: \[Errno 2\]") as caught:
        Docker(f"unix://{tmp_path}/none").load(EMPTY, store)
    assert "docker load -i" in caught.value.hint


def test_other_addresses_are_refused_by_name(store):
    with pytest.raises(DockerError, match=r"ssh://you@host: ssh:// is not spoken here: forward the socket"):
        Docker("ssh://you@host").load(EMPTY, store)


def test_what_the_daemon_says_is_shown(daemon, store):
    asked = daemon(answer("500 Internal Server Error", b'{"message": "the disk is full"}'))

    with pytest.raises(DockerError, match="the disk is full"):
        asked.load(EMPTY, store)


def test_an_error_in_the_middle_of_a_good_answer_is_an_error(daemon, store):
    failed = answer("200 OK", b'{"stream":"x"}\n{"errorDetail":{"message":"m"},"error":"no such layer"}\n')
    asked = daemon(answer("404 Not Found", b"{}"), failed)

    with pytest.raises(DockerError, match="no such layer"):
        asked.load(EMPTY, store)


@pytest.mark.parametrize(
    "answers",
    [
        [("200 OK", b"no JSON")],
        [("200 OK", b"{}")],
        [("200 OK", b'[{"Names": []}]')],
        [("200 OK", b'[{"Id": "a"}, {"Id": "b"}]'), ("500 Error", b"damaged"), ("200 OK", b'{"RootFS": null}')],
    ],
)
def test_a_daemon_that_does_not_say_what_its_images_are_is_sent_everything(daemon, heard, store, answers):
    blob = render("x", io.BytesIO(random.Random(1).randbytes(2 << 20)), store, compression="none")
    large = Archive([Image(Platform("linux", "amd64"), ImageConfig(), (blob,)).stored()], Reference.parse("x"))

    asked = daemon(answer("404 Not Found", b"{}"), *(answer(*one) for one in answers), answer("200 OK", b"{}"))
    sent = asked.load(large, store)

    assert heard[1].startswith(b"GET /images/json?filters=%7B%22label%22%3A%5B%22run.cog.config%22%5D%7D ")
    assert sent == blob.descriptor.size


def test_what_is_no_http_is_an_error(daemon, store):
    with pytest.raises(DockerError):
        daemon(b"hello\r\n").load(EMPTY, store)


def test_a_daemon_that_is_to_expect_an_image_is_told_before_there_is_one(daemon, heard, store):
    with daemon(answer("404 Not Found", b"{}"), answer("200 OK", b"{}")) as asked:
        asked.expect("x:latest")
        deadline = time.monotonic() + 20
        while len(heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

        assert heard[0] == b"GET /images/x:latest/json HTTP/1.0\r\n\r\n"
        assert heard[1].startswith(b"POST /images/load?quiet=1 HTTP/1.1\r\n")
        assert asked.load(EMPTY, store) == 0


def test_a_daemon_that_has_lost_patience_is_given_everything_again(daemon, heard, store):
    none = answer("404 Not Found", b"{}")
    with daemon(none, b"", answer("200 OK", b"{}")) as asked:
        asked.expect("x:latest")

        assert asked.load(EMPTY, store) == 0
    assert [first.split(b" ")[0] for first in heard] == [b"GET", b"POST", b"POST"]


def test_what_was_expected_and_does_not_come_is_given_up(daemon, heard):
    with daemon(answer("404 Not Found", b"{}"), b"") as asked:
        asked.expect("[::1]:5000/x:latest")

    assert not heard or heard[0].startswith(b"GET /images/%5B::1%5D:5000/x:latest/json ")
