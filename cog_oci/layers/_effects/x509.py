"""The subject of a certificate as OpenSSL hashes it: for the names by which it finds certificates in a folder."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["subject_hash"]

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _SET, _UTF8, _VERSION = 0x30, 0x31, 0x0C, 0xA0
_STRINGS = {
    0x0C: "utf-8",  # UTF8String
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # TeletexString, which everyone fills with Latin-1
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_BLANKS = " \t\n\r\v\f"


def subject_hash(pem: bytes, name: str) -> str:
    """Eight hex digits, as `openssl x509 -subject_hash` prints them; a CogError when `name` is no certificate.

    The first four bytes, little-endian, of the SHA-1 over the subject's canonical form (X509_NAME_hash(3)): every
    string in UTF-8, lower case in ASCII, with single blanks; the outer SEQUENCE's header left out.
    """
    found = _PEM.search(pem)
    try:
        if found is None:
            raise ValueError("no PEM block")  # noqa: TRY301 - one place turns every fault of the encoding into one error
        der = base64.b64decode(found[1])
        _, certificate = next(_elements(der))
        _, tbs = next(_elements(certificate))
        fields = [value for tag, value in _elements(tbs) if tag != _VERSION]
        canonical = b"".join(_canonical_rdn(value) for _, value in _elements(fields[4]))
    except (ValueError, IndexError, StopIteration) as error:
        raise CogError(f"/{name} is not a certificate: {error}") from error
    return hashlib.sha1(canonical, usedforsecurity=False).digest()[:4][::-1].hex()


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of the DER elements (X.690 §8.1) that follow each other in the data."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("an element longer than what holds it")
        yield tag, data[at : at + length]
        at += length


def _canonical_rdn(rdn: bytes) -> bytes:
    attributes = [_canonical_attribute(value) for _, value in _elements(rdn)]
    return _element(_SET, b"".join(sorted(attributes)))


def _canonical_attribute(attribute: bytes) -> bytes:
    (kind, identifier), (tag, value) = _elements(attribute)
    if tag in _STRINGS:
        text = " ".join(part for part in re.split(f"[{_BLANKS}]+", value.decode(_STRINGS[tag])) if part)
        tag, value = _UTF8, re.sub("[A-Z]+", lambda found: found[0].lower(), text).encode()
    return _element(_SEQUENCE, _element(kind, identifier) + _element(tag, value))


def _element(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value
