"""Connections to a registry, and whose certificates it may show: those that docker, podman and the system believe."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["connections"]


def connections(host: str, served: str, *, tls: bool) -> requests.Session:
    """A session for the registry that users call `host`, and that answers as `served`.

    Beside what requests believes are the system's authorities and those of `certs.d` (containers-certs.d(5)), which
    docker and podman believe of wherever the registry sends them, too: to its token server. A certificate of our own,
    which may be there as well, is for the registry alone. Raises CogError for a file in there that cannot be used.
    """
    session = requests.Session()
    session.headers["User-Agent"] = "cog-oci"
    session.auth = _leave_alone
    session.mount("http://", _Adapter())
    files = [file for folder in _folders(host) for file in _listed(folder)] if tls else []
    session.mount("https://", _Adapter(_believing(files) if tls else None))
    if own := [file for file in files if file.suffix == ".cert"]:
        session.mount(f"https://{served}/", _Adapter(_believing(files, own)))
    return session


class _Adapter(HTTPAdapter):
    """Connections to several hosts at once; requests adds its own authorities to those of the `context`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._settings: dict[str, Any] = {"ssl_context": context} if context else {}
        super().__init__(pool_connections=8, pool_maxsize=16)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **settings: Any) -> None:
        """See requests."""
        super().init_poolmanager(connections, maxsize, block, **settings, **self._settings)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        """See requests."""
        return super().proxy_manager_for(proxy, **settings, **self._settings)


def _folders(host: str) -> Iterator[Path]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib raises for a user who is not known
    for root in (
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers",
        home / ".config" / "docker",
        Path("/etc/containers"),
        Path("/etc/docker"),
    ):
        yield root / "certs.d" / host


def _listed(folder: Path) -> list[Path]:
    """What is in it; nothing where it is not, or is not for us to read: `/etc/docker` is root's on some machines."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _believing(files: list[Path], own: Sequence[Path] = ()) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file in own:
                context.load_cert_chain(file, file.with_suffix(".key"))
        except OSError as error:  # an SSLError is one, too
            raise CogError(f"{file} cannot be used for TLS: {error.strerror or error}") from None
    return context


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of what requests would do by itself: add a password from ~/.netrc."""
    return request
