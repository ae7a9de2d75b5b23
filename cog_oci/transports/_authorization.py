"""How a registry wants to be told who asks (distribution-spec; Docker's token authentication; RFC 7235, RFC 6750)."""

from __future__ import annotations

import base64
import ipaddress
import re
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode, urlsplit

from cog_oci.errors import CogError
from cog_oci.fetch import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.transports._credentials import Credentials

__all__ = ["Authorization", "Challenge", "LoginError"]

_MARGIN = 10.0  # seconds before its end at which a token is no longer used
_PARAMETER = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"|(\w+)=([^\s,"]+)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate header: `scheme` in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, header: str) -> Challenge:
        """`Bearer realm="…",service="…"` → Challenge (RFC 7235 §4.1, with one challenge)."""
        scheme, _, rest = header.strip().partition(" ")
        found = {
            (match[1] or match[3]).lower(): re.sub(r"\\(.)", r"\1", match[2] or "") or match[4] or ""
            for match in _PARAMETER.finditer(rest)
        }
        return cls(scheme.lower(), found)


@dataclass(frozen=True, slots=True)
class _Held:
    value: str = field(repr=False)
    until: float


class LoginError(CogError):
    """The registry refuses whoever asks, or does not know him."""

    def __init__(self, host: str, path: str, *, known: bool) -> None:
        self.host, self.path, self.known = host, path, known
        if known:
            message = f"{host} refuses access to {path} with the credentials that this machine has for it"
        else:
            message = f"{host} gives {path} to nobody without credentials, and this machine has none for it"
        super().__init__(message, hint=f"see that the name is right, or log in: `cog-oci login {host}`")


class Ask(Protocol):
    """One request to a token server: its status and its body. `form` makes it a POST."""

    def __call__(
        self, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[int, bytes]: ...


class Authorization:
    """The Authorization headers for one repository, asked for once for each scope and kept as long as they last.

    Any thread may use it. Credentials are not looked for before the registry wants them.
    """

    def __init__(
        self, host: str, path: str, ask: Ask, find: Callable[[], Credentials | None], *, plain_http: bool
    ) -> None:
        self._host, self._path, self._plain_http = host, path, plain_http
        self._ask = ask
        self._find = cache(find)
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def header(self, scope: str) -> str | None:
        """What to send for this scope, as far as it is known."""
        held = self._held.get(scope)
        return held.value if held and time.monotonic() < held.until else None

    def answer(self, challenge: Challenge, scope: str, refused: str | None) -> None:
        """Have a header for the scope after a 401, another one than the `refused`.

        Raises LoginError when there are no credentials, or the token server does not take them.
        """
        with self._lock:
            if (current := self.header(scope)) is not None and current != refused:
                return  # another thread has been here
            found = self._find()
            if challenge.scheme == "basic":
                if found is None or refused:
                    raise self.failure()
                self._held[scope] = _Held(_basic(found), inf)
            elif challenge.scheme == "bearer":
                self._held[scope] = self._bearer(challenge, scope, found)
            else:
                raise CogError(
                    f"{self._host} asks for {challenge.scheme!r} authorization, which is not Basic or Bearer"
                )

    def failure(self) -> LoginError:
        """What it means when the registry takes no answer."""
        return LoginError(self._host, self._path, known=self._find() is not None)

    def _bearer(self, challenge: Challenge, scope: str, found: Credentials | None) -> _Held:
        if found and found.registry_token:
            return _Held(f"Bearer {found.registry_token}", inf)
        status, body = self._request(challenge, scope, found)
        if status in {400, 401, 403}:
            raise self.failure()
        if status != 200:
            raise CogError(f"the token server of {self._host} answers with HTTP {status}", hint="try again later")
        from cog_oci.documents import parse  # noqa: PLC0415 - many registries ask for no token
        from cog_oci.transports._token import Token  # noqa: PLC0415 - likewise

        answer = parse(Token, body, f"the answer of the token server of {self._host}")
        if not (token := answer.token or answer.access_token):
            raise CogError(f"the token server of {self._host} gives no token")
        return _Held(f"Bearer {token}", time.monotonic() + max(answer.expires_in - _MARGIN, 1.0))

    def _request(self, challenge: Challenge, scope: str, found: Credentials | None) -> tuple[int, bytes]:
        realm = self._checked(challenge.parameters.get("realm", ""))
        wanted = dict.fromkeys([*scope.split(), *filter(None, [challenge.parameters.get("scope")])])
        query = {"service": challenge.parameters.get("service", "")}
        if found and found.identity_token:
            grant = {"grant_type": "refresh_token", "client_id": "cog-oci", "refresh_token": found.identity_token}
            status, body = self._ask(realm, headers={}, form={**query, **grant, "scope": " ".join(wanted)})
            if status not in {404, 405}:
                return status, body
        headers = {"Authorization": _basic(found)} if found and found.username else {}
        # One parameter for each scope, ours first: some servers read no more than the first.
        pairs = [*((name, value) for name, value in query.items() if value), *(("scope", each) for each in wanted)]
        return self._ask(f"{realm}{'&' if '?' in realm else '?'}{urlencode(pairs)}", headers=headers, form=None)

    def _checked(self, realm: str) -> str:
        """Where the user's password will go is for the registry to say, within limits (it may be somebody else's)."""
        parts = urlsplit(realm)
        schemes = {"https", "http"} if self._plain_http else {"https"}
        inside = _private(parts.hostname or "") and not _private(urlsplit(f"//{self._host}").hostname or "")
        if parts.scheme not in schemes or not parts.hostname or inside:
            raise CogError(f"{self._host} sends us for a token to {redacted(realm)!r}, where we do not go")
        return realm


def _basic(found: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{found.username}:{found.password}".encode()).decode()


def _private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"
