"""Replicate's registry, r8.im: who logs in has a token from a page of theirs, and the name follows from the token.

The protocol is that of `cog login`; with the name and the token it is a registry like others.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import requests
from pydantic import BaseModel, Field

from cog_oci.documents import parse
from cog_oci.errors import CogError
from cog_oci.transports._distribution import is_loopback
from cog_oci.transports._failures import RegistryError

__all__ = ["token_page", "username_of"]

_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two reads
_BODY = 64 << 10  # bytes of an answer that are read


class _Page(BaseModel):
    url: Annotated[str, Field(pattern="^https?://")]


class _Owner(BaseModel):
    username: Annotated[str, Field(min_length=1)]


def token_page(host: str) -> str:
    """The address of the page that shows a user the token. Raises RegistryError when the host cannot be asked."""
    answer = _ask(host, "display-token-url", None)
    return parse(_Page, answer, f"what {host} says of its page of tokens").url


def username_of(token: str, host: str) -> str:
    """Whose token it is. Raises CogError for one that is of another kind or of nobody, RegistryError as above."""
    if token.startswith("r8_"):
        raise CogError(
            "that looks like a Replicate API token, not a CLI auth token",
            hint=f"`cog-oci login {host}` without --token-stdin says where to get one",
        )
    answer = _ask(host, "verify-token", {"token": token})
    return parse(_Owner, answer, f"what {host} says of the token").username


def _ask(host: str, path: str, form: dict[str, str] | None) -> bytes:
    url = f"{'http' if is_loopback(host) else 'https'}://{host}/cog/v1/{path}"
    method = "GET" if form is None else "POST"
    try:
        with requests.request(
            method, url, data=form, timeout=_TIMEOUT, allow_redirects=False, stream=True, auth=lambda request: request
        ) as response:
            if response.status_code == HTTPStatus.NOT_FOUND and form is not None:
                raise CogError(f"{host} does not know this token", hint=f"log in again: `cog-oci login {host}`")
            if response.status_code != HTTPStatus.OK:
                raise RegistryError(url, f"HTTP {response.status_code}", status=response.status_code)
            body: bytes = response.raw.read(_BODY, decode_content=True)
            return body
    except requests.RequestException as error:
        raise RegistryError(url, type(error).__name__, hint="check the network") from None
