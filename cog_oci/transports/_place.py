"""Where in which registry: the name that a user writes, and the repository that it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.oci import parse_digest
from cog_oci.reference import Reference
from cog_oci.transports._distribution import Repository

if TYPE_CHECKING:
    from cog_oci.oci import Digest

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """`[http://]host/name:tag` or `…@sha256:…`. `plain_http` is None where the user has not said."""

    reference: Reference
    digest: Digest | None
    plain_http: bool | None

    @classmethod
    def parse(cls, text: str) -> Place:
        """CogError for what is no such name. The scheme is for plain HTTP with a registry on another machine."""
        scheme, separator, rest = text.rpartition("://")
        if separator and scheme not in {"http", "https"}:
            raise CogError(f"{text!r} is not the name of an image", hint="use host/name:tag or host/name@sha256:…")
        name, at, digest = rest.partition("@")
        plain_http = {"http": True, "https": False}.get(scheme)
        return cls(Reference.parse(name), parse_digest(digest) if at else None, plain_http)

    def tagged(self) -> Place:
        """Itself, as a place to push to; CogError for a digest, which is for the registry to find."""
        if self.digest is not None:
            raise CogError(
                f"{self.reference.full} cannot be pushed to by a digest",
                hint="name a tag: the digest follows from the image",
            )
        return self

    @property
    def path(self) -> str:
        """The repository's path in its registry."""
        return self.reference.full.partition("/")[2].rpartition(":")[0]

    def open(self, *, insecure: bool = False) -> Repository:
        """The repository, to be entered; `insecure` speaks plain HTTP with it as if the name said so."""
        return Repository(self.reference.host, self.path, plain_http=True if insecure else self.plain_http)
