"""What goes wrong between us and a registry: what it is called, whether it may pass, and what to do about it."""

from __future__ import annotations

import json
import ssl
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests
import urllib3

from cog_oci.errors import CogError
from cog_oci.fetch import redacted

__all__ = ["RegistryError", "TransientError", "broken", "refused"]

_LONGEST_WAIT = 60.0  # seconds, whatever the registry asks for
_SLOWEST = 5  # attempts, after which the pauses grow no more
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_READING = frozenset({"GET", "HEAD"})
_BODY = 64 << 10  # bytes of a refusal that are read
_NOT_VOUCHED_FOR = frozenset({18, 19, 20, 21})  # OpenSSL's numbers for a certificate whose issuer is not known
_HINTS = {  # by whether something was read, and the status
    (True, 404): "see that the name is right, and that it was pushed",
    (False, 404): "see that the name is right; some registries want a repository to be made before it is pushed to",
    (False, 403): "see that the user who is logged in may push there",
    (False, 413): "the registry takes no blobs of this size; ask whoever runs it",
}


class RegistryError(CogError):
    """A registry that cannot be reached or does not do what it is asked: `status` and its own `code`, if it has one.

    `url` has no query and no credentials: redirects are signed.
    """

    def __init__(self, url: str, reason: str, *, status: int = 0, code: str = "", hint: str | None = None) -> None:
        self.url, self.reason, self.status, self.code = redacted(url), reason, status, code
        super().__init__(f"{self.url}: {reason}", hint=hint)


class TransientError(Exception):
    """What may go well the next time: the `error` that it is when it does not."""

    def __init__(self, error: RegistryError, after: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self._after = after

    def pause(self, attempt: int) -> None:
        """Wait before the next try: as long as the registry has asked for, else longer after every attempt."""
        time.sleep(min(_wanted(self._after, _backoff(min(attempt, _SLOWEST))), _LONGEST_WAIT))


def _backoff(attempt: int) -> float:
    return 0.25 * float(2**attempt)


def _wanted(after: str, otherwise: float) -> float:
    """What Retry-After says, in seconds from now (RFC 9110 §10.2.3)."""
    if after.isdecimal():
        return float(after)
    try:
        then = parsedate_to_datetime(after).timestamp()
    except ValueError:
        return otherwise
    return max(then - time.time(), 0.0)


def refused(method: str, url: str, response: requests.Response) -> RegistryError | TransientError:
    """What an answer of 400 or more means: in its own words, if it has some (distribution-spec, "error codes")."""
    code = message = ""
    try:
        first = json.loads(response.raw.read(_BODY, decode_content=True))["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, LookupError, TypeError, AttributeError, urllib3.exceptions.HTTPError):
        pass  # the status says it, too
    status = response.status_code
    words = "".join(filter(str.isprintable, ": ".join(filter(None, (code, message)))))[:300]
    reason = f"HTTP {status}" + (f" ({words})" if words else f" {response.reason or ''}".rstrip())
    hint = _HINTS.get((method in _READING, status))
    if status == HTTPStatus.BAD_REQUEST and url.startswith("http://") and not code:
        hint = "if it speaks TLS, write https:// in front of its name"  # servers of TLS answer so to plain HTTP
    error = RegistryError(url, reason, status=status, code=code, hint=hint)
    return TransientError(error, response.headers.get("Retry-After", "")) if status in _RETRIED else error


def broken(host: str, url: str, error: requests.RequestException) -> RegistryError | TransientError:
    """What it means that a request to the registry that users call `host` had no answer, from there or from another.

    For a token and for blobs it may have led elsewhere: the error knows where.
    """
    url = (error.request.url if error.request is not None else None) or url
    cause = _innermost(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        hint = "check the name, and this machine's clock"
        if cause.verify_code in _NOT_VOUCHED_FOR:
            hint = f"put the certificate of whoever vouches for it into /etc/docker/certs.d/{host}/ca.crt"
        return RegistryError(url, f"its certificate is not good: {cause.verify_message}", hint=hint)
    if isinstance(cause, ssl.SSLError):
        reason = f"it does not speak TLS as it should ({cause.reason or cause})"
        return RegistryError(url, reason, hint="for plain HTTP, write http:// in front of its name")
    # In its own words, without the address, which may be signed.
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
    if isinstance(error, requests.exceptions.ProxyError):
        return RegistryError(url, f"the proxy on the way: {reason}", hint="see HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    found = RegistryError(url, reason, hint="check the name and the network")
    return found if isinstance(error, ValueError) else TransientError(found)  # an address that is none stays so


def _innermost(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
