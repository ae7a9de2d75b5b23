"""What apt, pip and uv have to know of this machine while a step uses the network, as files that are there meanwhile.

Where mirrors and indexes are is this machine's business and no part of an image (design §1.3).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cog_oci.origins import default_index
from cog_oci.sandbox import identities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cog_oci.lock import PlatformLock

    File = tuple[int, bytes]

__all__ = ["network_env", "network_files", "passwords", "tool_files"]

_CERTIFICATES = "/run/cog-oci/certificates.pem"
_BUNDLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The last `@` is the one before the host: a password may have others.
_LOGIN = re.compile(r"://([^/\s:@'\"]*)(?::([^/\s@]*(?:@[^/\s@'\"]*)*))?@")
_TOKEN = 8  # characters: a user without a password and with a shorter name is a name
# As in Debian's own images: nothing is started when a service is installed (Policy 9.3.3.1).
_NO_SERVICES = b"#!/bin/sh\nexit 101\n"


def tool_files() -> dict[str, File]:
    """For every step: apt gives up no privileges where there are none to give up, and no service is started."""
    files: dict[str, File] = {"/usr/sbin/policy-rc.d": (0o755, _NO_SERVICES)}
    if not identities().several:
        files["/etc/apt/apt.conf.d/00cog-oci"] = (0o644, b'APT::Sandbox::User "root";\n')
    return files


def network_files(
    parts: PlatformLock, archive: Callable[[str], Sequence[str]], certificates: Sequence[bytes]
) -> dict[str, File]:
    """Where the index, the archives and the certificates are; `archive` gives the addresses of a Debian archive."""
    index = default_index()
    files: dict[str, File] = {
        # The least of pip's configuration files: a step's own, or a secret at /etc/pip.conf, comes before it.
        "/etc/xdg/pip/pip.conf": (0o444, f"[global]\nindex-url = {index}\n".encode()),
        "/etc/uv/uv.toml": (0o444, f"[[index]]\nurl = {json.dumps(index)}\ndefault = true\n".encode()),
    }
    if _has_apt(parts):
        suite = parts.interpreter.suite
        places = (("debian", suite), ("debian", f"{suite}-updates"), ("debian-security", f"{suite}-security"))
        rows = [_source(archive(name)[0], at) for name, at in places]
        files["/etc/apt/sources.list"] = (0o444, "".join(rows).encode())
    if bundle := _bundle(certificates):
        files[_CERTIFICATES] = (0o444, bundle)
    return files


def _source(address: str, suite: str) -> str:
    """A line of sources.list(5). What was signed for a past day is past its time, and is what was asked for."""
    past = " check-valid-until=no" if "//snapshot." in address else ""
    return f"deb [signed-by={_KEYRING}{past}] {address} {suite} main\n"


def network_env(files: Mapping[str, File]) -> dict[str, str]:
    """Proxies as this machine has them (BuildKit passes the same), and who is trusted."""
    names = [name for lower in _PROXIES for name in (lower, lower.upper())]
    proxies = {name: os.environ[name] for name in names if name in os.environ}
    return proxies | (dict.fromkeys(_BUNDLES, _CERTIFICATES) if _CERTIFICATES in files else {})


def passwords(texts: Iterable[str]) -> list[bytes]:
    """The passwords in addresses, and tokens that stand alone there; as they are written and as they are meant."""
    logins = (login for text in texts for login in _LOGIN.findall(text))
    secrets = (password or (user if len(user) >= _TOKEN else "") for user, password in logins)
    return [one.encode() for secret in secrets if secret for one in dict.fromkeys((secret, unquote(secret)))]


def _has_apt(parts: PlatformLock) -> bool:
    return any(deb.name == "apt" for deb in parts.debs)


def _bundle(certificates: Sequence[bytes]) -> bytes:
    """Whom this machine trusts where it says so, and the certificates; nothing where the image's own bundle will do."""
    named = os.environ.get("SSL_CERT_FILE")
    if not named and not certificates:
        return b""
    known = Path(named or "/etc/ssl/certs/ca-certificates.crt")
    own = known.read_bytes() if known.is_file() else b""
    return b"\n".join([own, *certificates])
