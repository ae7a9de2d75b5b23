"""Certificate authorities of the user's own (`COG_CA_CERT`), trusted beside those that the image's packages bring."""

from __future__ import annotations

import base64
import errno
import os
import re
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Unpacked
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["CA_ENVIRONMENT", "CERTIFICATES", "CaLayer", "read_certificates"]

CERTIFICATES = "certificate authorities"
"""What the layer is called, in the history of an image as well."""

_VERSION = 1
_LOCAL = "usr/local/share/ca-certificates"
_CERTS = "etc/ssl/certs"
_BUNDLE = f"{_CERTS}/ca-certificates.crt"

CA_ENVIRONMENT = {"SSL_CERT_FILE": f"/{_BUNDLE}", "REQUESTS_CA_BUNDLE": f"/{_BUNDLE}"}
"""What an image with such certificates has in its environment, as Cog's has: libraries that bring their own bundle."""

# RFC 7468, 2
_BEGIN = re.compile(r"-----BEGIN ([^\n-]*)-----")
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----")

_SHOWN = 60  # characters of a value in a message
_HINT = "name a file, or a folder with *.crt and *.pem files, or give PEM text or its base64"
_NO_KEY = "give the certificate alone; if the key was ever in an image, replace it"


@dataclass(frozen=True)
class CaLayer:
    """Certificates, each in PEM, on top of the layers of an image's `debs`."""

    certificates: tuple[bytes, ...]
    debs: tuple[Deb, ...]

    @property
    def name(self) -> str:
        """CERTIFICATES."""
        return CERTIFICATES

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "what COG_CA_CERT holds, to be trusted; changes when it does, or what Debian trusts"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """The debs that may bring certificates: of the base's, one does."""
        return tuple(deb for deb in self.debs if deb.name == "ca-certificates" or deb.layer == "system")

    @cached_property
    def recipe(self) -> str:
        """By the certificates, in their order, and the debs' hashes."""
        certificates = [certificate.decode("ascii") for certificate in self.certificates]
        return recipe("ca", _VERSION, certificates=certificates, debs=sorted(deb.sha256 for deb in self.artifacts))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """What update-ca-certificates(8) would add to the image's files or change in them."""
        from cog_oci.layers._unpack import unpack_all  # noqa: PLC0415 - a layer that is known opens nothing

        bringing = [deb for deb in self.artifacts if _brings_certificates(deb, store)]
        if not any(deb.name == "ca-certificates" for deb in bringing):
            raise CogError(
                "COG_CA_CERT needs the package ca-certificates, and the image has none",
                hint="add ca-certificates to build.system_packages",
            )
        with unpack_all(bringing, store) as unpacked:
            yield list(_entries(self.certificates, unpacked))


def _brings_certificates(deb: Deb, store: Store) -> bool:
    """By the list of files that a package says about itself: large packages need not be unpacked to know."""
    from cog_oci.layers._deb import read_package  # noqa: PLC0415 - a layer that is known opens nothing

    listed = read_package(store.path(deb.digest), deb.file.rpartition("/")[2]).script("md5sums")
    return deb.name == "ca-certificates" or not listed or " usr/share/ca-certificates/" in listed


def _entries(certificates: tuple[bytes, ...], unpacked: list[Unpacked]) -> Iterator[Entry]:
    from cog_oci.layers._effects.certificates import certificates as trusted  # noqa: PLC0415 - likewise
    from cog_oci.layers._effects.tree import Tree  # noqa: PLC0415 - likewise
    from cog_oci.layers._effects.x509 import subject_hash  # noqa: PLC0415 - likewise
    from cog_oci.layers._tar import Entry  # noqa: PLC0415 - likewise
    from cog_oci.layers._unpack import merge  # noqa: PLC0415 - likewise

    tree = Tree({path: owned.entry for path, owned in merge(unpacked).items()})
    tree.add(trusted(tree, {one.package.name: one.package for one in unpacked}))
    # The hashed names that are taken: the next certificate with the same subject has the next number.
    numbers = Counter(
        name.partition(".")[0] for name in tree.children(_CERTS) if re.fullmatch(r"[0-9a-f]{8}\.\d+", name)
    )
    yield Entry.file(_BUNDLE, tree.read(_BUNDLE) + b"".join(certificates))
    for number, certificate in enumerate(certificates, 1):
        name = f"cog-ca-{number}"
        yield Entry.file(f"{_LOCAL}/{name}.crt", certificate)
        yield Entry.symlink(f"{_CERTS}/{name}.pem", f"/{_LOCAL}/{name}.crt")
        digest = subject_hash(certificate, f"{_LOCAL}/{name}.crt")
        yield Entry.symlink(f"{_CERTS}/{digest}.{numbers[digest]}", f"{name}.pem")
        numbers[digest] += 1


def read_certificates(value: str) -> tuple[bytes, ...]:
    """The certificates that the value of COG_CA_CERT names or holds, each once, in PEM as RFC 7468 writes it.

    The value is the path of a file, or of a folder with *.crt and *.pem files, or PEM, or base64 of PEM. Raises
    CogError: nothing there, no certificate in it, a damaged one, or a private key, which must never be in an image.
    """
    found: dict[bytes, None] = {}
    for name, data in _sources(value.strip()):
        found |= dict.fromkeys(_certificates(data, name))
    return tuple(found)


def _sources(value: str) -> list[tuple[str, bytes]]:
    """What there is to read, and what to call it in a message."""
    if "-----BEGIN" in value:
        return [("its text", value.encode())]
    if not value:
        raise _wrong("it is empty")
    path = Path(os.path.expanduser(value))  # noqa: PTH111 - Path raises for a user that is not known
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return [(str(path), path.read_bytes())]
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # which base64 is
            raise _wrong(f"{error.filename} cannot be read: {error.strerror}") from None
    with suppress(ValueError):
        decoded = base64.b64decode("".join(value.split()), validate=True)
        if b"-----BEGIN" in decoded:
            return [("its base64 text", decoded)]
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    raise _wrong(f"{shown!r} is no file, no folder, no PEM text and no base64 of one")


def _folder(path: Path) -> list[tuple[str, bytes]]:
    named = (one for one in path.iterdir() if one.suffix.lower() in {".crt", ".pem"} and one.is_file())
    files = sorted(named, key=lambda one: os.fsencode(one.name))
    if not files:
        raise _wrong(f"the folder {path} has no *.crt and no *.pem file")
    return [(str(one), one.read_bytes()) for one in files]


def _certificates(data: bytes, name: str) -> list[bytes]:
    text = data.decode("utf-8", "replace")
    kinds = _BEGIN.findall(text)
    if any(kind.endswith("PRIVATE KEY") for kind in kinds):
        raise _wrong(f"{name} holds a private key, which everyone who has the image could read", hint=_NO_KEY)
    if not kinds:
        der = "; it looks like DER: `openssl x509 -inform der` makes PEM of it" if data.startswith(b"\x30\x82") else ""
        raise _wrong(f"{name} holds no certificate in PEM{der}")
    if other := [kind for kind in kinds if kind != "CERTIFICATE"]:
        raise _wrong(f"{name} holds a {other[0]}, and only a CERTIFICATE can be trusted")
    blocks = _BLOCK.findall(text)
    if len(blocks) != len(kinds):
        raise _wrong(f"{name} is cut short: it begins {len(kinds)} certificates and ends {len(blocks)}")
    return [_normalised(block, f"certificate {number} in {name}") for number, block in enumerate(blocks, 1)]


def _normalised(block: str, name: str) -> bytes:
    """The certificate as every program writes it: 64 characters a line and nothing around it."""
    from cog_oci.layers._effects.x509 import subject_hash  # noqa: PLC0415 - most images have no such certificates

    try:
        der = base64.b64decode("".join(block.split()), validate=True)
    except ValueError as error:
        raise _wrong(f"{name} is damaged: {error}") from None
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    pem = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()
    try:
        subject_hash(pem, name)
    except CogError as error:
        raise _wrong(f"{name} is damaged: {error.__cause__}") from None
    return pem


def _wrong(fault: str, hint: str = _HINT) -> CogError:
    return CogError(f"COG_CA_CERT: {fault}", hint=hint)
