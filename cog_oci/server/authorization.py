"""The bearer token that a server may ask for (RFC 6750). Whoever runs probes needs none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hmac import compare_digest

__all__ = ["PUBLIC_PATHS", "Authorization"]

PUBLIC_PATHS = frozenset({"/health-check", "/livez", "/readyz"})
"""What needs no token: an orchestrator's probes."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Who may use this server: whoever has the token, or everybody when there is none."""

    token: str | None = None

    @property
    def required(self) -> bool:
        """Whether there is a token at all."""
        return self.token is not None

    def allows(self, authorization_header: str | None) -> bool:
        """Whether a request with this `Authorization` header may be answered.

        The header is as ASGI servers hand it over, a character a byte. The time that this takes says nothing of the
        token.
        """
        if self.token is None:
            return True
        scheme, _, credentials = (authorization_header or "").partition(" ")
        given = credentials.strip(" ").encode("latin-1", "replace")
        return compare_digest(given, os.fsencode(self.token)) and scheme.lower() == "bearer"

    @staticmethod
    def challenge(authorization_header: str | None) -> str:
        """The `WWW-Authenticate` header of a 401: a request that tried is told that its token is not the one (§3.1)."""
        return "Bearer" if not authorization_header else 'Bearer error="invalid_token"'
