"""Downloads against a server that misbehaves."""

from __future__ import annotations

import re
import ssl
import subprocess
from datetime import UTC, datetime

import pytest

from cog_oci.config import Project
from cog_oci.fetch import Fetcher, FetchError, NotFoundError, redacted
from cog_oci.lock import Wheel
from cog_oci.oci import sha256
from cog_oci.origins import Origins
from cog_oci.store import DigestMismatchError
from tests.conftest import need

DATA = bytes(range(256)) * 4096


@pytest.fixture
def fetcher(store, monkeypatch):
    monkeypatch.setattr("cog_oci.fetch._fetcher._ATTEMPTS", 3)
    found = Fetcher(store)
    monkeypatch.setattr(found._cancelled, "wait", lambda _seconds: False)
    return found


def test_a_blob_comes_in_verified(site, fetcher, store):
    site.pages["/a"] = DATA

    path = fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA))

    assert path.read_bytes() == DATA
    assert path == store.path(sha256(DATA))


def test_a_blob_that_is_there_is_not_fetched_again(site, fetcher, store):
    store.add(DATA)

    fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA))

    assert site.asked == []


def test_other_bytes_than_those_locked_are_refused_and_not_kept(site, fetcher, store):
    site.pages["/a"] = DATA[:-1] + b"!"

    with pytest.raises(DigestMismatchError, match="a is not the file that was locked"):
        fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA))

    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_more_bytes_than_locked_are_refused_before_they_fill_the_disk(site, fetcher):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()  # without a length, until the connection ends
        handler.close_connection = True
        handler.wfile.write(DATA * 4)

    site.pages["/a"] = endless

    with pytest.raises(DigestMismatchError, match=r"expected \d+ bytes, got more"):
        fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA))


@pytest.mark.parametrize("data", [DATA * 4, DATA[:-1]])
def test_a_file_of_another_size_is_refused_before_it_is_read_and_not_asked_for_again(site, fetcher, data):
    site.pages["/a"] = data

    with pytest.raises(DigestMismatchError, match=rf"expected {len(DATA)} bytes, got {len(data)}"):
        fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA))

    assert len(site.asked) == 1


def test_a_broken_connection_is_resumed_where_it_broke(site, fetcher):
    ranges = []

    def page(handler):
        asked = handler.headers.get("Range")
        ranges.append(asked)
        if asked is None:
            handler.answer(200, DATA[:300_000], length=str(len(DATA)))
            handler.close_connection = True
            return
        start = int(re.match(r"bytes=(\d+)-", asked)[1])
        handler.answer(206, DATA[start:], Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")

    site.pages["/a"] = page

    assert fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA)).read_bytes() == DATA
    assert ranges[0] is None
    assert 0 < int(re.match(r"bytes=(\d+)-", ranges[1])[1]) <= 300_000


def test_a_server_that_ignores_ranges_makes_it_begin_anew(site, fetcher):
    tries = []

    def page(handler):
        tries.append(1)
        if len(tries) == 1:
            handler.answer(200, DATA[:300_000], length=str(len(DATA)))
            handler.close_connection = True
        else:
            handler.answer(200, DATA)

    site.pages["/a"] = page

    assert fetcher.blob("a", [f"{site.url}/a"], sha256(DATA), len(DATA)).read_bytes() == DATA


def test_a_busy_server_is_asked_again(site, fetcher):
    answers = [503, 429, 200]
    site.pages["/a"] = lambda handler: handler.answer(status := answers.pop(0), DATA if status == 200 else b"")

    assert fetcher.get(f"{site.url}/a", limit=1 << 22) == DATA


def test_the_next_address_is_tried_when_one_does_not_have_it(site, fetcher):
    site.pages["/there"] = DATA

    fetcher.blob("a", [f"{site.url}/gone", f"{site.url}/there"], sha256(DATA), len(DATA))

    assert site.asked == ["/gone", "/there"]


def test_what_no_address_has_is_said_with_the_address(site, fetcher):
    with pytest.raises(NotFoundError, match=r"cannot fetch a from .*/gone: HTTP 404"):
        fetcher.blob("a", [f"{site.url}/gone"], sha256(DATA), len(DATA))


def test_a_server_that_is_not_there_is_an_error_after_some_tries(fetcher):
    with pytest.raises(FetchError, match=r"refused"):
        fetcher.get("http://127.0.0.1:9/x", limit=10)


def test_a_document_over_its_limit_is_refused(site, fetcher):
    site.pages["/a"] = DATA

    with pytest.raises(FetchError, match="larger than 100 bytes"):
        fetcher.get(f"{site.url}/a", limit=100)


def test_no_password_is_in_a_message():
    assert redacted("https://me:secret@example.com:8443/x?token=1") == "https://example.com:8443/x"


@pytest.mark.parametrize(
    "address", ["https://example.com:99999/x", "https://me:secret@example.com:port/x?token=1", "https://[::1/x", "x:y"]
)
def test_what_is_no_address_is_said_whether_it_is_ours_or_a_servers(site, fetcher, address):
    def elsewhere(handler):
        handler.answer(302, b"", Location=address)

    site.pages["/a"] = elsewhere

    for asked in (address, f"{site.url}/a"):
        with pytest.raises(FetchError, match="this is not an address that can be fetched") as told:
            fetcher.get(asked, limit=100)
        with pytest.raises(FetchError, match="this is not an address that can be fetched"):
            fetcher.size("a", asked)
        assert "secret" not in str(told.value)
        assert "token" not in str(told.value)


def test_one_failure_ends_the_others(site, fetcher, store):
    site.pages["/good"] = DATA
    good, bad = (
        Wheel(name=n, version="1", file=n, sha256=sha256(d)[7:], size=len(d), index="default")
        for n, d in (("good", DATA), ("bad", b"other"))
    )

    with pytest.raises(NotFoundError, match="bad"):
        fetcher.artifacts([good, bad], lambda item: [f"{site.url}/{item.file}"])

    assert not store.has(bad.digest)


@pytest.fixture
def behind_tls(site, tmp_path):
    """The site with a certificate that nobody vouches for: its address."""
    need("openssl")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=somebody", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    site.socket = context.wrap_socket(site.socket, server_side=True)
    return f"https://127.0.0.1:{site.server_address[1]}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:{port}"])
def test_a_trusted_host_needs_no_certificate_with_a_login_or_without(behind_tls, site, fetcher, host):
    site.pages["/a"] = DATA
    fetcher.trust([host.format(port=site.server_address[1])])

    assert fetcher.get(f"{behind_tls}/a", limit=len(DATA)) == DATA
    assert fetcher.get(f"{behind_tls.replace('//', '//user:secret@')}/a", limit=len(DATA)) == DATA
    assert fetcher.size("a", f"{behind_tls}/a") == len(DATA)


@pytest.mark.parametrize("trusted", [[], ["localhost"], ["127.0.0.1:1"]])
def test_any_other_host_needs_one(behind_tls, site, fetcher, trusted):
    site.pages["/a"] = DATA
    fetcher.trust(trusted)

    with pytest.raises(FetchError, match="certificate verify failed"):
        fetcher.get(f"{behind_tls}/a", limit=len(DATA))


def test_what_a_trusted_host_sends_us_to_is_not_trusted(behind_tls, site, fetcher):
    site.pages["/a"] = DATA
    there = behind_tls.replace("127.0.0.1", "localhost")
    site.pages["/moved"] = lambda handler: handler.answer(302, b"", Location=f"{there}/a")
    fetcher.trust(["127.0.0.1"])

    with pytest.raises(FetchError, match="certificate verify failed"):
        fetcher.get(f"{behind_tls}/moved", limit=len(DATA))


def test_a_trusted_host_of_the_requirements_file_is_trusted_when_its_wheels_are_fetched(
    behind_tls, site, store, tmp_path
):
    (tmp_path / "cog.yaml").write_text("build: {python_requirements: requirements.txt}\n")
    (tmp_path / "requirements.txt").write_text(f"--index-url {behind_tls}/simple\n--trusted-host 127.0.0.1\nlib\n")
    file = "lib-1.0-py3-none-any.whl"
    site.pages["/simple/lib/"] = f'<a href="/files/{file}">{file}</a>'.encode()
    site.pages[f"/files/{file}"] = DATA
    wheel = Wheel(
        name="lib",
        version="1.0",
        file=file,
        sha256=sha256(DATA).removeprefix("sha256:"),
        size=len(DATA),
        index="index-url",
    )
    fetcher = Fetcher(store)

    fetcher.artifacts([wheel], Origins(fetcher, datetime.now(UTC), indexes=Project.find(tmp_path).indexes()).locate)

    assert store.has(wheel.digest, wheel.size)
