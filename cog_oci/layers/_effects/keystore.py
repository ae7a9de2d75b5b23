"""The certificate authorities that Java trusts: a keystore of the form that Java calls JKS.

Big-endian: magic, version 2, how many; then each certificate with its alias and time; last a SHA-1 over the password,
a phrase of Java's, and all that is before. The time is 1970-01-01, as Java would put the clock's.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["java_keystore", "keystore"]

_CERTIFICATES = "etc/ssl/certs"
_TARGET = "etc/ssl/certs/java/cacerts"
_PASSWORD = "changeit"  # noqa: S105 - everyone's; it protects from nothing, and Java wants one
_PHRASE = b"Mighty Aphrodite"
_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def java_keystore(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """What update-ca-certificates makes for Java, when there is a Java to make it."""
    if "ca-certificates-java" not in packages or "usr/bin/java" not in tree:
        return
    found: dict[str, bytes] = {}
    for name in tree.children(_CERTIFICATES):
        entry = tree.at(f"{_CERTIFICATES}/{name}")
        if name.endswith(".pem") and entry is not None and "ca-certificates/" in entry.target:
            pem = _PEM.search(tree.read(f"{_CERTIFICATES}/{name}"))
            if pem is not None:
                found[f"debian:{name.lower()}"] = base64.b64decode(pem[1])
    yield Entry.file(_TARGET, keystore(found))


def keystore(certificates: Mapping[str, bytes]) -> bytes:
    """The file, with certificates (DER) by alias, in the order of the aliases."""
    parts = [struct.pack(">III", _MAGIC, _VERSION, len(certificates))]
    for alias, der in sorted(certificates.items()):
        parts += [struct.pack(">I", _TRUSTED), _text(alias), bytes(8), _text("X.509"), struct.pack(">I", len(der)), der]
    data = b"".join(parts)
    return data + hashlib.sha1(_PASSWORD.encode("utf-16-be") + _PHRASE + data, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data
