"""What all downloads of a command share: connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

__all__ = ["new_session"]


def new_session(parallel: int, trusted: Callable[[], frozenset[str]]) -> requests.Session:
    """Of connections for `parallel` threads; it checks no certificate of hosts that are trusted by then."""
    import requests  # noqa: PLC0415 - most commands fetch nothing
    import urllib3  # noqa: PLC0415 - likewise
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - likewise

    size: dict[str, Any] = {"pool_connections": 16, "pool_maxsize": parallel * 2}

    class Unchecked(HTTPAdapter):
        def send(self, *arguments: Any, **how: Any) -> requests.Response:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # somebody has asked for it
            return super().send(*arguments, **{**how, "verify": False})

    class Session(requests.Session):
        unchecked = Unchecked(**size)

        def get_adapter(self, url: str) -> Any:
            parts = urlsplit(url)  # `mount` has prefixes of addresses, which may have a login before the host
            host = (parts.hostname or "").lower()
            names = {host, f"{host}:{parts.port or 443}"}
            return self.unchecked if parts.scheme == "https" and names & trusted() else super().get_adapter(url)

    session = Session()
    session.headers["User-Agent"] = "cog-oci"
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(**size))
    return session
