"""One repository of a registry (distribution-spec v1.1): requests that are authorized, redirected and retried.

What is pulled or pushed is for others to know; here is how a request gets through.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, Protocol, Self
from urllib.parse import urljoin, urlsplit

import requests

from cog_oci.fetch import redacted
from cog_oci.oci import sha256
from cog_oci.transports._authorization import Authorization, Challenge
from cog_oci.transports._connections import connections
from cog_oci.transports._failures import RegistryError, TransientError, broken, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from cog_oci.oci import Digest
    from cog_oci.transports._credentials import Credentials

__all__ = ["Body", "Outcome", "Repository", "is_loopback"]

_ATTEMPTS = 5
_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two reads
_BODY_TIMEOUT = (60.0, 600.0)  # seconds for a piece of a body, and for the registry to hash and move what it got
_REDIRECTS = 5
_READING = frozenset({"GET", "HEAD"})
_BODY = 64 << 10  # bytes of a token's body that are read
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Outcome = Literal["there", "put", "listed"]
"""Of a manifest: `listed` is put, and the registry has understood what its `subject` is."""


class Body(Protocol):
    """What is sent, in bytes: it may be gone through again when a registry wants to know first who sends it."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Repository:
    """A repository, as a context that keeps connections. Threads may share it.

    HTTP is spoken without TLS to this machine only, or where the user says so with `plain_http`. The credentials are
    those that this machine has for it, or what `find` gives. Without a path it is the registry itself. `attempts` is
    how often a request is made before a failure that may pass counts.
    """

    def __init__(
        self,
        host: str,
        path: str,
        *,
        plain_http: bool | None = None,
        find: Callable[[], Credentials | None] | None = None,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self.host, self.path, self._attempts = host, path, attempts
        if plain_http is None:
            plain_http = is_loopback(host)
        self._plain_http = plain_http
        served = "registry-1.docker.io" if host == "docker.io" else host
        self._root = f"{'http' if plain_http else 'https'}://{served}/v2/{path}{'/' if path else ''}"
        self._session = connections(host, served, tls=not plain_http)
        self._authorization = Authorization(host, path, self._ask, find or self._credentials, plain_http=plain_http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """GET `path` below the repository (`blobs/sha256:…`); its body is still to be read.

        Raises RegistryError, for what stays wrong after some tries, and LoginError.
        """
        return self.request("GET", path, headers or {}, "pull")

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        actions: str,
        body: bytes = b"",
        reading: str | None = None,
    ) -> requests.Response:
        """Any request below the repository; `actions` is what the token must allow: `pull`, `pull,push`.

        `reading` names another repository of the registry that the token must let us read. The response is a context
        that ends it.
        """
        scope = self._scope(actions)
        if reading is not None:
            scope += f" repository:{reading}:pull"
        for attempt in range(1, self._attempts + 1):
            try:
                return self._once(method, self._root + path, headers, scope, body)
            except TransientError as trouble:
                if attempt == self._attempts:
                    raise trouble.error from None
                trouble.pause(attempt)
        raise AssertionError("unreachable: the last attempt raises")

    def once(self, method: str, url: str, headers: Mapping[str, str], body: Body | bytes = b"") -> requests.Response:
        """One try of a request that pushes, to an address which the registry gave.

        Raises TransientError where it is for the caller to see what has arrived before it tries again, RegistryError
        and LoginError.
        """
        return self._once(method, url, headers, self._scope("pull,push"), body)

    def has_blob(self, digest: Digest) -> bool:
        """Whether the repository has this blob; it is asked with what pushing wants, so that one token is enough."""
        return self._head(f"blobs/{digest}", {}) is not None

    def manifest_digest(self, name: str, media_type: str) -> str | None:
        """What lies under a tag or a digest, as the registry says; None for nothing."""
        return self._head(f"manifests/{name}", {"Accept": media_type})

    def put_manifest(
        self, name: str, document: bytes, media_type: str, *, new: bool = False, in_place_of: str = ""
    ) -> Outcome:
        """PUT it under a tag or its digest where it is not; whoever knows that it is `new` has that not asked first.

        With an ETag, `in_place_of` that alone. Raises RegistryError, for a registry that keeps something else as well.
        """
        digest = sha256(document)
        if not new and self.manifest_digest(name, media_type) == digest:
            return "there"
        headers = {"Content-Type": media_type, **({"If-Match": in_place_of} if in_place_of else {})}
        for attempt in range(1, self._attempts):
            try:
                return self._put_manifest(name, document, digest, headers)
            except RegistryError as error:
                # docker-registry says so when another one writes the same manifest at this moment, and nobody else can
                # have a reason: the digest is that of what was sent.
                if error.code != "DIGEST_INVALID":
                    raise
                TransientError(error).pause(attempt)
        return self._put_manifest(name, document, digest, headers)

    def _put_manifest(self, name: str, document: bytes, digest: Digest, headers: Mapping[str, str]) -> Outcome:
        with self.request("PUT", f"manifests/{name}", headers, "pull,push", document) as response:
            kept = response.headers.get("Docker-Content-Digest", digest)
            if kept != digest:
                raise RegistryError(response.url, f"it has kept {kept[:80]!r} in place of the manifest {digest}")
            return "listed" if "OCI-Subject" in response.headers else "put"

    def _head(self, path: str, headers: Mapping[str, str]) -> str | None:
        try:
            with self.request("HEAD", path, headers, "pull,push") as response:
                return response.headers.get("Docker-Content-Digest", "")
        except RegistryError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def location(self, response: requests.Response) -> str:
        """Where the registry wants the next request (distribution-spec, "pushing blobs"): it may be relative.

        Behind a proxy that ends TLS many registries take themselves for one without; nothing is sent in the clear then.
        """
        given = response.headers.get("Location", "")
        if not given:
            raise RegistryError(response.url, "it does not say where the upload goes on (there is no Location)")
        url = urljoin(response.url, given)
        root = urlsplit(self._root)
        if urlsplit(url).hostname == root.hostname and (urlsplit(url).scheme, root.scheme) == ("http", "https"):
            url = urlsplit(url)._replace(scheme="https", netloc=root.netloc).geturl()
        self._check_scheme(self._root, url)
        return url

    def _credentials(self) -> Credentials | None:
        from cog_oci.transports._credentials import credentials  # noqa: PLC0415 - many registries ask for none

        return credentials(self.host, self.path)

    def _scope(self, actions: str) -> str:
        return f"repository:{self.path}:{actions}" if self.path else ""

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], scope: str, body: Body | bytes
    ) -> requests.Response:
        try:
            response = self._authorized(method, url, headers, scope, body)
        except requests.RequestException as error:
            raise broken(self.host, url, error) from None
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        with response:
            raise refused(method, url, response)

    def _authorized(
        self, method: str, url: str, headers: Mapping[str, str], scope: str, body: Body | bytes
    ) -> requests.Response:
        if not _same(url, self._root):  # an upload may go elsewhere: who we are is none of their business
            return self._followed(method, url, headers, body)
        sent = self._authorization.header(scope)
        response = self._followed(method, url, {**headers, **({"Authorization": sent} if sent else {})}, body)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        with response:
            challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
        self._authorization.answer(challenge, scope, sent)
        known = {**headers, "Authorization": self._authorization.header(scope) or ""}
        again = self._followed(method, url, known, body)
        if again.status_code == HTTPStatus.UNAUTHORIZED:
            again.close()
            raise self._authorization.failure()
        return again

    def _followed(self, method: str, url: str, headers: Mapping[str, str], body: Body | bytes) -> requests.Response:
        """Blobs often lie elsewhere; whoever keeps them is told nothing of who asks the registry."""
        start = url
        for _ in range(_REDIRECTS):
            kept = {name: value for name, value in headers.items() if name != "Authorization" or _same(start, url)}
            response = self._session.request(
                *(method, url),
                headers=kept,
                data=body,
                stream=True,
                proxies=_way(url),
                timeout=_TIMEOUT if method in _READING else _BODY_TIMEOUT,
                allow_redirects=False,
            )
            if not response.is_redirect:
                return response
            with response:
                url = urljoin(url, response.headers["Location"])
            self._check_scheme(start, url)
        raise RegistryError(start, f"it sends us from place to place, more than {_REDIRECTS} times")

    def _check_scheme(self, start: str, url: str) -> None:
        if urlsplit(url).scheme not in ({"https", "http"} if self._plain_http else {"https"}):
            raise RegistryError(start, f"it sends us to {redacted(url)}, without TLS")

    def _ask(self, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None) -> tuple[int, bytes]:
        """A request to a token server. Nobody who holds a password is followed elsewhere."""
        response = self._session.request(
            *("GET" if form is None else "POST", url),
            data=form,
            headers=dict(headers),
            stream=True,
            proxies=_way(url),
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        with response:
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                if isinstance(trouble := refused("GET", url, response), TransientError):
                    raise trouble
                return response.status_code, b""
            return response.status_code, response.raw.read(_BODY, decode_content=True)


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine: HTTP without TLS is spoken there."""
    return urlsplit(f"//{host}").hostname in _LOOPBACK


def _way(url: str) -> dict[str, str]:
    """No proxy to this machine, whatever the environment says: what docker and the others of Go do as well."""
    return {"http": "", "https": ""} if is_loopback(urlsplit(url).netloc) else {}


def _same(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)
