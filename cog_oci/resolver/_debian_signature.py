"""Signatures of archives: OpenPGP's in cleartext (InRelease) or apart (Release.gpg), RFC 9580 §7 and §10.4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.resolver._debian_pinned_key import cleartext, is_bound, signed_by
from cog_oci.resolver._debian_suite import SignatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pysequoia

    from cog_oci.resolver._debian_suite import Suite

__all__ = ["Signed", "certificates", "signed_text"]

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_FINGERPRINTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Signed:
    """A text that a certificate has signed, by the fingerprint of its primary key."""

    text: bytes
    by: str


def signed_text(data: bytes, suite: Suite, signature: bytes | None = None) -> Signed:
    """What at least one of the suite's certificates has signed: the text inside `data`, or all of it.

    The latter with signatures that are apart in one file, armored or binary. Raises SignatureError, and CogError for a
    key file that does not hold the key.
    """
    import pysequoia  # noqa: PLC0415 - a library of 13 MB that only `lock` needs

    if signature is None and not data.startswith(_SIGNED):
        raise SignatureError(suite, "it is not signed")
    known = certificates(suite)
    signers: list[str] = []

    def remember(identities: list[str]) -> list[pysequoia.Cert]:
        signers.extend(sorted(identities))
        return known

    reason = "there is none in it"
    try:
        for apart in [None] if signature is None else _apart(signature):
            try:
                verified = pysequoia.verify(data, remember, signature=apart)
            except RuntimeError as error:  # the library's only class; its text ends in a stack trace
                reason = str(error).partition("\n")[0]
                continue
            text = verified.bytes if apart is None else data
            if verified.valid_sigs and text is not None:
                return Signed(text, verified.valid_sigs[0].certificate)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
    if suite.foreign and (signed := _by_pinned_key(data, signature, known)):
        return signed
    raise _refusal(suite, known, tuple(signers), reason)


def _by_pinned_key(data: bytes, signature: bytes | None, known: list[pysequoia.Cert]) -> Signed | None:
    """What a key has signed that Sequoia does not judge, because of what it says of itself."""
    inside = cleartext(data) if signature is None else (data, signature)
    for key in known:
        if inside is not None and not is_bound(key) and signed_by(key, *inside):
            return Signed(inside[0], key.fingerprint)
    return None


def _apart(signature: bytes) -> Iterator[pysequoia.Sig]:
    """Each signature of a file of several: one for each key of the archive."""
    import pysequoia  # noqa: PLC0415 - as above
    from pysequoia.packet import PacketPile  # noqa: PLC0415 - likewise

    for packet in PacketPile.from_bytes(signature):
        yield pysequoia.Sig.from_bytes(bytes(packet))


def certificates(suite: Suite) -> list[pysequoia.Cert]:
    """Those that may sign for the suite; a CogError when its file has none, or not the one of its fingerprint."""
    import pysequoia  # noqa: PLC0415 - as above

    name = suite.keyring.name if suite.fingerprint is None else f"the key of {suite.archive}"
    try:
        found = pysequoia.Cert.split_bytes(suite.keyring.read_bytes())
    except (RuntimeError, ValueError):
        found = []
    if not found:
        raise CogError(
            f"{name} holds no OpenPGP key",
            hint="what belongs there is the archive's public key, armored (BEGIN PGP PUBLIC KEY BLOCK) or binary",
        )
    if suite.fingerprint is None:
        return list(found)
    wanted = [one for one in found if one.fingerprint == suite.fingerprint]
    if not wanted:
        there = ", ".join(one.fingerprint for one in found)
        raise CogError(
            f"{name} has the fingerprint {there}, not {suite.fingerprint}",
            hint="if the archive has a new key, ask whoever runs it for the fingerprint, and write that in build.apt",
        )
    return wanted


def _refusal(suite: Suite, known: list[pysequoia.Cert], signers: tuple[str, ...], reason: str) -> SignatureError:
    if not signers:
        return SignatureError(suite, f"its signature cannot be read: {reason}")
    shown = ", ".join(signers[:_FINGERPRINTS_SHOWN])
    signing = [one for one in known if any(key.endswith(signer) for signer in signers for key in _fingerprints(one))]
    if not signing:
        return SignatureError(suite, f"it is signed by {shown}, which is not a key of {suite.archive}", signers)
    return SignatureError(suite, f"the signature by {shown} is not valid: {_fault(signing[0])}", signers)


def _fault(key: pysequoia.Cert) -> str:
    """What is known of why a signature by this key does not count; the library does not say."""
    if key.is_revoked:
        return "the key was revoked"
    if not is_bound(key):
        return (
            "the text was changed, or the key, which says who it is with SHA-1, is not one that can be taken as it is"
        )
    if key.expiration is not None and key.expiration < datetime.now(UTC):
        return f"the key expired on {key.expiration:%Y-%m-%d}"
    return "the text was changed"


def _fingerprints(key: pysequoia.Cert) -> list[str]:
    """Those of the primary key and its subkeys: signatures name the subkey that made them."""
    from pysequoia.packet import PacketPile  # noqa: PLC0415 - only for a message

    return [packet.fingerprint for packet in PacketPile.from_bytes(bytes(key)) if packet.fingerprint]
