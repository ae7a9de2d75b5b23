"""One repository of a registry (distribution-spec v1.1): requests that are authorized, redirected and retried.

What is pulled or pushed is for others to know; here is how a request gets through.
"""

from __future__ import annotations

import json
import ssl
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from cog_oci.errors import CogError
from cog_oci.fetch import redacted
from cog_oci.transports._authorization import Authorization, Challenge
from cog_oci.transports._credentials import credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["RegistryError", "Repository"]

_ATTEMPTS = 5
_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two reads
_LONGEST_WAIT = 60.0  # seconds, whatever the registry asks for
_REDIRECTS = 5
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_BODY = 64 << 10  # bytes of an error's or a token's body that are read
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RegistryError(CogError):
    """A registry that cannot be reached or does not do what it is asked: `status` and its own `code`, if it has one.

    `url` has no query and no credentials: redirects are signed.
    """

    def __init__(self, url: str, reason: str, *, status: int = 0, code: str = "", hint: str | None = None) -> None:
        self.url, self.reason, self.status, self.code = redacted(url), reason, status, code
        super().__init__(f"{self.url}: {reason}", hint=hint)


class Repository:
    """A repository, as a context that keeps connections. Threads may share it.

    HTTP is spoken without TLS to this machine only, or where the user says so with `plain_http`.
    """

    def __init__(self, host: str, path: str, *, plain_http: bool | None = None) -> None:
        self.host, self.path = host, path
        if plain_http is None:
            plain_http = urlsplit(f"//{host}").hostname in _LOOPBACK
        self._plain_http = plain_http
        served = "registry-1.docker.io" if host == "docker.io" else host
        self._root = f"{'http' if plain_http else 'https'}://{served}/v2/{path}/"
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "cog-oci"
        self._session.auth = _leave_alone
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=8, pool_maxsize=16))
        self._authorization = Authorization(
            host, path, self._ask, lambda: credentials(host, path), plain_http=plain_http
        )

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

    def request(self, method: str, path: str, headers: Mapping[str, str], actions: str) -> requests.Response:
        """Any request below the repository; `actions` is what the token must allow: `pull`, `pull,push`.

        The response is a context that ends it.
        """
        return self._persistent(method, self._root + path, headers, f"repository:{self.path}:{actions}")

    def _persistent(self, method: str, url: str, headers: Mapping[str, str], scope: str) -> requests.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                response = self._authorized(method, url, headers, scope)
            except requests.RequestException as error:
                if last or not _worth_another_try(error):
                    raise RegistryError(url, _reason(error), hint="check the name and the network") from None
                wait = _backoff(attempt)
            else:
                if response.status_code < HTTPStatus.BAD_REQUEST:
                    return response
                with response:
                    if last or response.status_code not in _RETRIED:
                        raise _refusal(url, response)
                    wait = _wanted(response.headers.get("Retry-After", ""), _backoff(attempt))
            time.sleep(min(wait, _LONGEST_WAIT))
        raise AssertionError("unreachable: the last attempt raises")

    def _authorized(self, method: str, url: str, headers: Mapping[str, str], scope: str) -> requests.Response:
        sent = self._authorization.header(scope)
        response = self._followed(method, url, {**headers, **({"Authorization": sent} if sent else {})})
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        with response:
            challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
        self._authorization.answer(challenge, scope, sent)
        again = self._followed(method, url, {**headers, "Authorization": self._authorization.header(scope) or ""})
        if again.status_code == HTTPStatus.UNAUTHORIZED:
            again.close()
            raise self._authorization.failure()
        return again

    def _followed(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Blobs often lie elsewhere; whoever keeps them is told nothing of who asks the registry."""
        start = url
        for _ in range(_REDIRECTS):
            kept = {name: value for name, value in headers.items() if name != "Authorization" or _same(start, url)}
            response = self._session.request(
                method, url, headers=kept, stream=True, timeout=_TIMEOUT, allow_redirects=False
            )
            if not response.is_redirect:
                return response
            with response:
                url = urljoin(url, response.headers["Location"])
            if urlsplit(url).scheme not in ({"https", "http"} if self._plain_http else {"https"}):
                raise RegistryError(start, f"it sends us to {redacted(url)}, without TLS")
        raise RegistryError(start, f"it sends us from place to place, more than {_REDIRECTS} times")

    def _ask(self, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None) -> tuple[int, bytes]:
        """A request to a token server. Nobody who holds a password is followed elsewhere."""
        response = self._session.request(
            *("GET" if form is None else "POST", url),
            data=form,
            headers=dict(headers),
            stream=True,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        with response:
            return response.status_code, response.raw.read(_BODY, decode_content=True)


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of what requests would do by itself: add a password from ~/.netrc."""
    return request


def _same(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


def _backoff(attempt: int) -> float:
    return 0.25 * float(2**attempt)


def _wanted(after: str, otherwise: float) -> float:
    """What Retry-After says, in seconds from now (RFC 9110 §10.2.3)."""
    if after.isdigit():
        return float(after)
    try:
        then = parsedate_to_datetime(after).timestamp()
    except ValueError:
        return otherwise
    return max(then - time.time(), 0.0)


def _refusal(url: str, response: requests.Response) -> RegistryError:
    """The registry's own words (distribution-spec, "error codes"), where it has some."""
    code = message = ""
    try:
        first = json.loads(response.raw.read(_BODY, decode_content=True))["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, LookupError, TypeError, AttributeError, urllib3.exceptions.HTTPError):
        pass  # the status says it, too
    words = "".join(filter(str.isprintable, ": ".join(filter(None, (code, message)))))[:300]
    reason = f"HTTP {response.status_code}" + (f" ({words})" if words else f" {response.reason or ''}".rstrip())
    hint = "see that the name is right, and that it was pushed" if response.status_code == 404 else None
    return RegistryError(url, reason, status=response.status_code, code=code, hint=hint)


def _worth_another_try(error: requests.RequestException) -> bool:
    lasting = (requests.exceptions.SSLError, requests.exceptions.ProxyError, ValueError)
    return not isinstance(error, lasting)


def _reason(error: Exception) -> str:
    """The innermost cause in its own words, without the address, which may be signed."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    if isinstance(cause, ssl.SSLError):
        return f"it does not speak TLS as it should ({cause.reason or cause}); for plain HTTP write http://HOST/NAME"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
