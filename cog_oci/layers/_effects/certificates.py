"""The certificate authorities that programs trust: the bundle, one link a certificate, and OpenSSL's hashed names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cog_oci.layers._effects.shell import heredoc
from cog_oci.layers._effects.x509 import subject_hash
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["certificates"]

_SOURCES = "usr/share/ca-certificates"
_TARGETS = "etc/ssl/certs"
_CONFIGURATION = "etc/ca-certificates.conf"
_LOCAL = "usr/local/share/ca-certificates"
_PEM_NAME = str.maketrans({" ": "_", ",": "_", "(": "=", ")": "="})


def certificates(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """What update-ca-certificates(8) makes when every certificate that the packages bring is trusted."""
    if "ca-certificates" not in packages:
        return
    names = sorted(_below(tree, ""))
    heading = heredoc(packages["ca-certificates"].script("postinst"), f"/{_CONFIGURATION}") or b""
    yield Entry.directory(_LOCAL)
    yield Entry.file(_CONFIGURATION, heading + "".join(f"{name}\n" for name in names).encode())
    bundle = bytearray()
    pems: dict[str, str] = {}
    for name in names:
        data = tree.read(f"{_SOURCES}/{name}")
        bundle += data if data.endswith(b"\n") else data + b"\n"
        pem = name.rpartition("/")[2].removesuffix(".crt").translate(_PEM_NAME) + ".pem"
        yield Entry.symlink(f"{_TARGETS}/{pem}", f"/{_SOURCES}/{name}")
        pems[pem] = subject_hash(data, f"{_SOURCES}/{name}")
    yield Entry.file(f"{_TARGETS}/ca-certificates.crt", bytes(bundle))
    numbers: Counter[str] = Counter()
    for pem, digest in sorted(pems.items()):
        yield Entry.symlink(f"{_TARGETS}/{digest}.{numbers[digest]}", pem)
        numbers[digest] += 1


def _below(tree: Tree, folder: str) -> Iterator[str]:
    """Certificates below a folder of the sources, by their path in it."""
    for name in tree.children(f"{_SOURCES}/{folder}"):
        if tree.children(f"{_SOURCES}/{folder}{name}"):
            yield from _below(tree, f"{folder}{name}/")
        elif name.endswith(".crt"):
            yield f"{folder}{name}"
