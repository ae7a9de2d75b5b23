"""Which Docker daemon is meant, and a connection to it: DOCKER_HOST, else a context, as Docker's own client has it.

The rules are those of docs.docker.com/engine/manage-resources/contexts and …/engine/security/protect-access.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Daemon", "find_daemon"]

_SOCKET = "unix:///var/run/docker.sock"
_PORT, _TLS_PORT = 2375, 2376
_FORWARD = (
    "ssh:// is not spoken here: forward the socket with `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST` "
    "and set DOCKER_HOST=unix:///tmp/docker.sock"
)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon at `unix:///path` or `tcp://host:port`.

    With `certificates`, a folder of ca.pem, cert.pem and key.pem, it is spoken to over TLS. `problem` is what keeps it
    from being spoken to, where that is known beforehand.
    """

    address: str
    certificates: Path | None = None
    verify: bool = True
    problem: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether its files are this machine's, as far as an address can tell."""
        return self.address.startswith("unix://")

    def connect(self, timeout: float | None) -> socket.socket:
        """A stream to it; `timeout` is in seconds, for every step of it. Raises OSError."""
        if self.problem is not None:
            raise OSError(self.problem)
        try:
            found = urlsplit(self.address)
            scheme, host, port = found.scheme, found.hostname or "127.0.0.1", found.port
        except ValueError as error:
            raise OSError(str(error)) from None
        if scheme == "tcp":
            stream = socket.create_connection((host, port or (_TLS_PORT if self.certificates else _PORT)), timeout)
            return self._secured(stream, host) if self.certificates else stream
        if scheme != "unix":
            raise OSError(_FORWARD if scheme == "ssh" else "it is neither unix:// nor tcp://")
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.settimeout(timeout)
            stream.connect(found.path)
        except BaseException:
            stream.close()
            raise
        return stream

    def _secured(self, stream: socket.socket, host: str) -> socket.socket:
        import ssl  # noqa: PLC0415 - hardly anybody's daemon is behind TLS

        assert self.certificates is not None
        try:
            authority, certificate = self.certificates / "ca.pem", self.certificates / "cert.pem"
            context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
            if not self.verify:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if certificate.exists():
                context.load_cert_chain(certificate, self.certificates / "key.pem")
            return context.wrap_socket(stream, server_hostname=host)
        except BaseException:
            stream.close()
            raise


def find_daemon(environment: Mapping[str, str] = os.environ) -> Daemon:
    """That of DOCKER_HOST, of the context that DOCKER_CONTEXT or Docker's configuration names, or of this host."""
    folder = Path(environment.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"))  # noqa: PTH111 - pathlib raises for a user who is not known
    if host := environment.get("DOCKER_HOST"):
        certificates, verify = environment.get("DOCKER_CERT_PATH"), bool(environment.get("DOCKER_TLS_VERIFY"))
        if not certificates and not verify:
            return Daemon(host)
        return Daemon(host, Path(certificates or folder), verify=verify)
    name = environment.get("DOCKER_CONTEXT") or _current(folder / "config.json")
    return Daemon(_SOCKET) if name in {"", "default"} else _of_context(folder / "contexts", name)


def _current(file: Path) -> str:
    try:
        found = json.loads(file.read_bytes())["currentContext"]
    except (OSError, ValueError, KeyError, TypeError):  # credentials are read elsewhere, where what is wrong matters
        return ""
    return found if isinstance(found, str) else ""


def _of_context(folder: Path, name: str) -> Daemon:
    identity = hashlib.sha256(name.encode()).hexdigest()
    file = folder / "meta" / identity / "meta.json"
    try:
        endpoint = json.loads(file.read_bytes())["Endpoints"]["docker"]
        host, skips = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
    except FileNotFoundError:
        return Daemon(f"context {name}", problem=f"there is no context {name!r} in {folder}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Daemon(f"context {name}", problem=f"{file} cannot be read: {type(error).__name__}: {error}")
    certificates = folder / "tls" / identity / "docker"
    return Daemon(host, certificates if certificates.is_dir() else None, verify=not skips)
