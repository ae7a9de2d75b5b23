"""How a request gets through to a registry: tokens, redirects, refusals, broken connections."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, MediaType, sha256
from cog_oci.store import DigestMismatchError
from cog_oci.transports._authorization import Authorization, Challenge, LoginError
from cog_oci.transports._credentials import Credentials
from cog_oci.transports._distribution import Repository
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._registry_source import RegistrySource
from tests.conftest import need
from tests.transports.fake_registry import Answer, Fake, fake

BLOB = bytes(range(256)) * 2000
PATH = f"/v2/me/model/blobs/{sha256(BLOB)}"
LAYER = Descriptor(MediaType.LAYER, sha256(BLOB), len(BLOB))
PULL = "repository:me/model:pull"


@pytest.fixture
def server():
    with fake() as found:
        yield found


@pytest.fixture
def other():
    """A second host: where tokens are made, or blobs lie."""
    with fake() as found:
        yield found


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The pauses between tries, in seconds, which nobody waits for."""
    found: list[float] = []
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", found.append)
    return found


@pytest.fixture
def source(server):
    with Repository(server.host, "me/model") as repository:
        yield RegistrySource("the image", repository, "v1")


def log_in(home, host: str, **entry: str) -> None:
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def pull(source: RegistrySource) -> bytes:
    with source.blob(LAYER) as blob:
        return blob.read()


def guard(server, other, *tokens: str, challenge: str | None = None, **page: object) -> None:
    """The server wants the first of the tokens that is left; the other one gives them out, one after another."""
    left = list(tokens)
    challenge = challenge or f'Bearer realm="{other.url}/token",service="registry",scope="{PULL}"'

    def answer(request):
        if left and request.headers.get("Authorization") == f"Bearer {left[0]}":
            return Answer(BLOB)
        return Answer(status=401, headers={"WWW-Authenticate": challenge})

    server.pages[PATH] = answer
    other.pages["/token"] = Answer(json.dumps({"token": left[0], "expires_in": 300, **page}).encode())


def test_a_token_is_fetched_once_for_all_requests_of_a_repository(server, other, source):
    guard(server, other, "t0ken")

    assert [pull(source), pull(source)] == [BLOB, BLOB]

    (asked,) = other.seen
    assert asked.query == [("service", "registry"), ("scope", PULL)]
    assert "Authorization" not in asked.headers
    assert [request.headers.get("Authorization") for request in server.seen] == [None, "Bearer t0ken", "Bearer t0ken"]


def test_a_token_may_be_called_access_token(server, other, source):
    guard(server, other, "t0ken", token="", access_token="t0ken")

    assert pull(source) == BLOB


def test_another_scope_that_the_registry_wants_is_asked_for_after_ours(server, other, source):
    guard(server, other, "t0ken", challenge=f'Bearer realm="{other.url}/token?a=b",scope="repository:x:pull"')

    assert pull(source) == BLOB
    assert other.seen[0].query == [("a", "b"), ("scope", PULL), ("scope", "repository:x:pull")]


def test_a_token_that_the_registry_takes_no_longer_is_replaced(server, other, source):
    guard(server, other, "first")
    pull(source)
    guard(server, other, "second")

    assert pull(source) == BLOB
    assert len(other.seen) == 2


def test_a_token_that_has_ended_is_not_tried(server, other, source, monkeypatch):
    guard(server, other, "t0ken", expires_in=40)
    pull(source)
    now = time.monotonic()
    monkeypatch.setattr("cog_oci.transports._authorization.time.monotonic", lambda: now + 31)
    server.seen.clear()

    assert pull(source) == BLOB
    assert [request.headers.get("Authorization") for request in server.seen] == [None, "Bearer t0ken"]


def test_a_registry_that_takes_no_token_is_not_asked_again_and_again(server, other, source):
    guard(server, other, "wrong")
    server.pages[PATH] = Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{other.url}/token"'})

    with pytest.raises(LoginError, match="this machine has none"):
        pull(source)

    assert (len(server.seen), len(other.seen)) == (2, 1)


def test_the_password_goes_to_the_token_server_and_not_to_the_registry(server, other, source, home):
    log_in(home, server.host, auth=base64.b64encode(b"me:secret").decode())
    guard(server, other, "t0ken")

    assert pull(source) == BLOB
    assert other.seen[0].headers["Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
    assert all("Basic" not in request.headers.get("Authorization", "") for request in server.seen)


def test_an_identity_token_is_exchanged_by_post(server, other, source, home):
    log_in(home, server.host, identitytoken="id-secret")
    guard(server, other, "t0ken", token="", access_token="t0ken")

    assert pull(source) == BLOB
    (asked,) = other.seen
    assert (asked.method, asked.query) == ("POST", [])
    assert "grant_type=refresh_token" in asked.body
    assert "refresh_token=id-secret" in asked.body


def test_a_token_server_that_knows_no_post_is_asked_by_get(server, other, source, home):
    log_in(home, server.host, identitytoken="id-secret")
    guard(server, other, "t0ken")
    page = other.pages["/token"]
    other.pages["/token"] = lambda request: Answer(status=405) if request.method == "POST" else page

    assert pull(source) == BLOB
    assert [request.method for request in other.seen] == ["POST", "GET"]


def test_a_registry_token_is_sent_as_it_is(server, other, source, home):
    log_in(home, server.host, registrytoken="t0ken")
    guard(server, other, "t0ken")

    assert pull(source) == BLOB
    assert other.seen == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=401), "this machine has none"),
        (Answer(b"no json"), "the answer of the token server"),
        (Answer(b"{}"), "gives no token"),
        (Answer(status=302, headers={"Location": "/elsewhere"}), "HTTP 302"),
    ],
)
def test_a_token_server_that_gives_no_token_is_said(server, other, source, answer, says):
    guard(server, other, "t0ken")
    other.pages["/token"] = answer

    with pytest.raises(CogError, match=says):
        pull(source)


def test_a_busy_token_server_is_asked_again(server, other, source, waits):
    guard(server, other, "t0ken")
    page = other.pages["/token"]
    busy = [Answer(status=429, headers={"Retry-After": "7"}), Answer(status=503)]
    other.pages["/token"] = lambda _: busy.pop(0) if busy else page

    assert pull(source) == BLOB
    assert waits[0] == 7.0

    other.pages["/token"] = Answer(status=503)
    with Repository(server.host, "me/model") as repository, pytest.raises(RegistryError, match="/token: HTTP 503"):
        pull(RegistrySource("the image", repository, "v1"))


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="x"'])
def test_a_way_of_asking_that_is_not_known_is_said(server, source, header):
    server.pages[PATH] = Answer(status=401, headers={"WWW-Authenticate": header} if header else {})

    with pytest.raises(CogError, match="which is not Basic or Bearer"):
        pull(source)


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example.com/token",
        "https://127.0.0.1/token",
        "https://169.254.169.254/token",
        "https://[::1]/token",
        "https://localhost/token",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_password_goes_nowhere_that_a_registry_has_no_business_with(realm):
    def ask(*_: object, **__: object) -> tuple[int, bytes]:
        pytest.fail("it was asked")

    found = Authorization("r.example.com", "x", ask, lambda: Credentials("me", "secret"), plain_http=False)

    with pytest.raises(CogError, match="where we do not go") as caught:
        found.answer(Challenge("bearer", {"realm": realm}), PULL, None)
    assert "secret" not in str(caught.value)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=20)))
def test_a_challenge_is_read_as_it_was_written(parameters):
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = "Bearer " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())

    assert Challenge.parse(header) == Challenge("bearer", parameters)


def test_whoever_keeps_the_blobs_is_not_told_who_asks(server, other, source, home):
    log_in(home, server.host, registrytoken="t0ken")
    guard(server, other, "t0ken")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    server_page = server.pages[PATH]

    def redirect(request):
        found = server_page(request)
        location = {"Location": f"{other.url}/kept?signature=s3cret"}
        return Answer(status=307, headers=location) if found.status == 200 else found

    server.pages[PATH] = redirect
    other.pages["/kept"] = Answer(BLOB)

    assert pull(source) == BLOB
    assert server.seen[-1].headers["Authorization"] == "Bearer t0ken"
    assert "Authorization" not in other.seen[0].headers


def test_a_redirect_within_the_registry_keeps_the_authorization(server, other, source, home):
    log_in(home, server.host, registrytoken="t0ken")
    guard(server, other, "t0ken")
    server.pages["/v2/me/model/elsewhere"] = server.pages[PATH]
    server.pages[PATH] = Answer(status=302, headers={"Location": "../elsewhere"})

    assert pull(source) == BLOB


def test_a_signed_address_that_fails_is_not_in_the_message(server, other, source, waits):
    server.pages[PATH] = Answer(status=307, headers={"Location": f"{other.url}/kept?signature=s3cret"})
    other.pages["/kept"] = Answer(status=403)

    with pytest.raises(RegistryError, match="HTTP 403") as caught:
        pull(source)
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.url}"


def test_redirects_without_end_are_refused(server, source):
    server.pages[PATH] = Answer(status=302, headers={"Location": PATH})

    with pytest.raises(RegistryError, match="from place to place"):
        pull(source)


def test_a_redirect_that_leaves_tls_is_refused(server, source):
    source._repository._plain_http = False  # as for a registry that is somewhere else
    server.pages[PATH] = Answer(status=302, headers={"Location": f"{server.url}/kept?signature=s3cret"})

    with pytest.raises(RegistryError, match="without TLS") as caught:
        pull(source)
    assert "s3cret" not in str(caught.value)


def test_no_proxy_is_between_us_and_this_machine(server, source, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.pages[PATH] = Answer(BLOB)

    assert pull(source) == BLOB


def test_a_proxy_that_does_not_answer_is_blamed_for_it(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with (
        Repository("r.example.com", "me/model") as repository,
        pytest.raises(RegistryError, match="the proxy") as caught,
    ):
        repository.get("manifests/v1")

    assert "HTTPS_PROXY" in caught.value.hint


def test_whoever_does_not_answer_is_named_and_not_the_registry_that_has_sent_us_there(server, source, waits):
    challenge = 'Bearer realm="http://127.0.0.1:1/token?s=s3cret"'
    server.pages[PATH] = Answer(status=401, headers={"WWW-Authenticate": challenge})

    with pytest.raises(RegistryError, match=r"^http://127\.0\.0\.1:1/token: "):
        pull(source)


def test_a_folder_of_certificates_that_is_not_ours_to_read_is_passed_over(monkeypatch):
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    monkeypatch.setattr(Path, "stat", refuse)

    Repository("r.example.com", "me/model").__exit__(None, None, None)


@pytest.fixture
def authority(tmp_path):
    """A key and a certificate, in files, of this machine."""
    need("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=us", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


def test_a_token_server_is_believed_as_its_registry_is_but_not_shown_our_certificate(
    server, other, authority, monkeypatch, tmp_path
):
    shown = {server.host: [], other.host: []}
    key, certificate = authority

    def heard(self: Fake, request: ssl.SSLSocket, address: tuple[str, int]) -> None:
        shown[self.host].append(bool(request.getpeercert()))
        super(Fake, self).finish_request(request, address)

    monkeypatch.setattr(Fake, "finish_request", heard, raising=False)
    for one in (server, other):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_OPTIONAL
        one.socket = context.wrap_socket(one.socket, server_side=True)
    guard(server, other, "t0ken", challenge=f'Bearer realm="https://{other.host}/token"')
    folder = tmp_path / "settings/containers/certs.d" / server.host
    folder.mkdir(parents=True)
    for name, file in {"ca.crt": certificate, "us.cert": certificate, "us.key": key}.items():
        shutil.copy(file, folder / name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))

    with Repository(server.host, "me/model", plain_http=False) as repository:
        assert pull(RegistrySource("the image", repository, "v1")) == BLOB

    assert (all(shown[server.host]), shown[other.host]) == (True, [False])


def test_a_registry_that_is_spoken_to_in_the_clear_and_wants_tls_is_told_how_to_be_named(server, source):
    server.pages[PATH] = Answer(b"Client sent an HTTP request to an HTTPS server.", status=400)

    with pytest.raises(RegistryError, match="HTTP 400") as caught:
        pull(source)

    assert "https://" in caught.value.hint


def test_a_busy_registry_is_asked_again_when_it_says(server, source, waits):
    later = formatdate(time.time() + 30, usegmt=True)
    answers = [
        Answer(status=429, headers={"Retry-After": "7"}),
        Answer(status=503, headers={"Retry-After": later}),
        Answer(status=502, headers={"Retry-After": "soon"}),
        Answer(status=429, headers={"Retry-After": "86400"}),
        Answer(BLOB),
    ]
    server.pages[PATH] = lambda _request: answers.pop(0)

    assert pull(source) == BLOB
    assert waits[0] == 7
    assert 20 < waits[1] <= 30
    assert waits[2] == 2
    assert waits[3] == 60


def test_a_registry_that_stays_busy_is_an_error(server, source, waits):
    server.pages[PATH] = Answer(b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}', 429)

    with pytest.raises(RegistryError, match=r"HTTP 429 \(TOOMANYREQUESTS: slow down\)") as caught:
        pull(source)
    assert (caught.value.status, caught.value.code) == (429, "TOOMANYREQUESTS")
    assert len(server.seen) == 5


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"errors": []}', b'{"errors": [1]}', b"[]", b"\xff", b'{"errors": [{"message": null}]}']
)
def test_a_refusal_without_words_of_its_own_is_said_by_its_status(server, source, body):
    server.pages[PATH] = Answer(body, 403)

    with pytest.raises(RegistryError, match="HTTP 403") as caught:
        pull(source)
    assert server.host in str(caught.value)


def test_a_refusal_cannot_write_to_the_terminal(server, source):
    message = "\x1b[31mred\x07" + "x" * 1000
    server.pages[PATH] = Answer(json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode(), 403)

    with pytest.raises(RegistryError) as caught:
        pull(source)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("heeds_range", [True, False])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, source, heeds_range):
    ranges = []

    def page(request):
        ranges.append(request.headers.get("Range"))
        start = int(ranges[-1].removeprefix("bytes=").removesuffix("-")) if ranges[-1] and heeds_range else 0
        left = BLOB[start:]
        return Answer(left, 206 if start else 200, cut=len(left) // 2 if len(ranges) < 4 else 0)

    server.pages[PATH] = page

    assert pull(source) == BLOB
    assert ranges[0] is None
    assert ranges[1] == f"bytes={len(BLOB) // 2}-"


def test_a_connection_that_breaks_again_and_again_is_an_error(server, source):
    server.pages[PATH] = lambda _request: Answer(BLOB, cut=len(BLOB))

    with pytest.raises(RegistryError, match="the connection breaks after 0 bytes"):
        pull(source)


def test_a_range_that_begins_elsewhere_is_caught_by_the_digest(server, source):
    server.pages[PATH] = lambda request: (
        Answer(BLOB[1:], 206) if "Range" in request.headers else Answer(BLOB, cut=len(BLOB) - 256)
    )

    with pytest.raises(DigestMismatchError):
        pull(source)


def test_more_bytes_than_promised_are_refused_before_they_fill_a_disk(server, source):
    server.pages[PATH] = Answer(BLOB + b"more")

    with source.blob(LAYER) as blob, pytest.raises(DigestMismatchError, match="got more"):
        while blob.read(1000):
            pass


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(b"x" * (4 << 20) + b"x", headers={"Content-Type": MediaType.MANIFEST}), "is larger than 4194304 bytes"),
        (
            Answer(b"{}", headers={"Content-Type": "text/html; charset=utf-8"}),
            "is of type text/html, which is no image",
        ),
        (Answer(b"{}"), "is of type unknown"),
        (
            Answer(b"{}", headers={"Content-Type": MediaType.MANIFEST + "; charset=utf-8"}),
            "schemaVersion: Field required",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(server, source, answer, says):
    server.pages["/v2/me/model/manifests/v1"] = answer

    with pytest.raises(CogError, match=says):
        source.images()


def test_another_manifest_than_the_one_asked_for_is_refused(server):
    server.pages[f"/v2/me/model/manifests/{sha256(b'asked')}"] = Answer(
        b"{}", headers={"Content-Type": MediaType.INDEX}
    )

    with (
        Repository(server.host, "me/model") as repository,
        pytest.raises(DigestMismatchError, match="expected sha256:"),
    ):
        RegistrySource("x", repository, sha256(b"asked")).images()


def test_plain_http_is_spoken_to_this_machine_only():
    def root(host: str, **options: bool) -> str:
        with Repository(host, "x", **options) as repository:
            return repository._root

    assert root("localhost:5000") == "http://localhost:5000/v2/x/"
    assert root("[::1]:5000") == "http://[::1]:5000/v2/x/"
    assert root("r.example.com") == "https://r.example.com/v2/x/"
    assert root("r.example.com", plain_http=True) == "http://r.example.com/v2/x/"
    assert root("docker.io") == "https://registry-1.docker.io/v2/x/"
