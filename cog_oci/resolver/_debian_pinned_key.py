"""Signatures by a key that somebody has pinned, and that says who it is with SHA-1.

The keys of many archives, NVIDIA's among them, are bound to their names by signatures of their own that are too weak:
to Sequoia, and to apt since 2026, such a key has no identity, and nothing that it signs counts. Here it needs none: a
file of the project or a fingerprint says that this very key signs the archive. So its own word is not asked for; what
it has to do is to sign the text, with the primary key, RSA of 2048 bits or more, over SHA-2 (RFC 9580 §5.2.4, RFC 8017
§8.2.2). What its own signatures limit, they limit here too.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pysequoia
    from pysequoia.packet import Packet

__all__ = ["cleartext", "is_bound", "signed_by"]

_LEAST_BITS = 2048
_BEGIN, _SIGNATURE = b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----"
_RSA = {1, 3}  # RFC 9580 §9.1
_HASHES = {  # RFC 9580 §9.5: the name, and the DER that stands before it in a signature (RFC 8017 §9.2)
    8: ("sha256", bytes.fromhex("3031300d060960864801650304020105000420")),
    9: ("sha384", bytes.fromhex("3041300d060960864801650304020205000430")),
    10: ("sha512", bytes.fromhex("3051300d060960864801650304020305000440")),
}


def is_bound(certificate: pysequoia.Cert) -> bool:
    """Whether Sequoia accepts what the key says of itself: then its verdict on signatures is the one that counts."""
    try:
        _ = certificate.expiration
    except RuntimeError:  # the library's only class
        return False
    return True


def cleartext(data: bytes) -> tuple[bytes, bytes] | None:
    """(text as it is signed, signature block) of a message in the cleartext form (RFC 9580 §7); None for any other."""
    head, found, rest = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *headers = head.split(b"\n")
    body, mark, block = rest.partition(b"\n" + _SIGNATURE)
    if first != _BEGIN or not (found and mark) or not all(line.startswith(b"Hash: ") for line in headers):
        return None
    lines = body.split(b"\n")
    if any(line.startswith(b"-") and not line.startswith(b"- ") for line in lines):
        return None
    text = b"\r\n".join(line.removeprefix(b"- ").rstrip(b" \t") for line in lines)
    return text, _SIGNATURE + block


def signed_by(certificate: pysequoia.Cert, text: bytes, signatures: bytes) -> bool:
    """Whether one of the signatures, armored or binary, is one of this text by the certificate's primary key."""
    from pysequoia.packet import PacketPile  # noqa: PLC0415 - as heavy as the rest of the library

    key, *own = PacketPile.from_bytes(bytes(certificate))
    if certificate.is_revoked or not _may_sign(key, own):
        return False
    return any(_valid(key, packet, text) for packet in PacketPile.from_bytes(signatures))


def _may_sign(key: Packet, own: list[Packet]) -> bool:
    """What the newest of the key's signatures over itself says: that it has not expired, and that it is for signing."""
    said = list(_self_signatures(key, own))
    if not said:
        return False
    newest = max(said, key=lambda packet: packet.signature_created or datetime.min.replace(tzinfo=UTC))
    if newest.key_flags is not None and not newest.key_flags.signing:
        return False
    ends = key.key_created and newest.key_validity_period and key.key_created + newest.key_validity_period
    return not ends or ends > datetime.now(UTC)


def _self_signatures(key: Packet, packets: list[Packet]) -> Iterator[Packet]:
    from pysequoia.packet import SignatureType, Tag  # noqa: PLC0415 - as above

    kinds = (SignatureType.DirectKey, SignatureType.PositiveCertification, SignatureType.GenericCertification)
    for packet in packets:
        if packet.tag == Tag.PublicSubkey:  # what follows is about that
            return
        by_itself = (packet.issuer_fingerprint or packet.issuer_key_id) in {key.fingerprint, key.key_id}
        if packet.tag == Tag.Signature and by_itself and packet.signature_type in kinds:
            yield packet


def _valid(key: Packet, packet: Packet, text: bytes) -> bool:
    """Whether this packet is a signature by this key over the text, and has not expired."""
    if packet.signature_created is None or packet.issuer_key_id != key.key_id:
        return False
    if packet.signature_validity_period and packet.signature_created + packet.signature_validity_period < datetime.now(
        UTC
    ):
        return False
    return _verified(key.body, packet.body, text)


def _verified(key: bytes, signature: bytes, text: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 over version 4 packets. What should have been signed is made anew and compared as a whole."""
    if key[0] != 4 or signature[0] != 4 or key[5] not in _RSA or signature[2] not in _RSA or signature[1] not in {0, 1}:
        return False
    if signature[3] not in _HASHES:
        return False
    name, prefix = _HASHES[signature[3]]
    hashed = 6 + int.from_bytes(signature[4:6])
    unhashed = int.from_bytes(signature[hashed : hashed + 2])
    digest = hashlib.new(name, text + signature[:hashed] + b"\x04\xff" + hashed.to_bytes(4)).digest()
    modulus, exponent = _integers(key[6:], 2)
    [power] = _integers(signature[hashed + 2 + unhashed + 2 :], 1)
    size = (modulus.bit_length() + 7) // 8
    if modulus.bit_length() < _LEAST_BITS or power >= modulus:
        return False
    expected = b"\x00\x01" + b"\xff" * (size - 3 - len(prefix) - len(digest)) + b"\x00" + prefix + digest
    return pow(power, exponent, modulus).to_bytes(size) == expected


def _integers(data: bytes, count: int) -> list[int]:
    """Multiprecision integers (RFC 9580 §3.2)."""
    found = []
    for _ in range(count):
        size = (int.from_bytes(data[:2]) + 7) // 8
        found.append(int.from_bytes(data[2 : 2 + size]))
        data = data[2 + size :]
    return found
