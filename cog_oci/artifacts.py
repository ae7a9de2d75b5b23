"""What a lock holds as values: artifacts of every kind, where they come from, and what layers turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

from cog_oci.checked import AtLeast, Matching, Strict
from cog_oci.oci import Digest

__all__ = [
    "Archive",
    "Artifact",
    "BaseImage",
    "BaseLayer",
    "Deb",
    "Interpreter",
    "InterpreterArchive",
    "RecordedLayer",
    "Rendering",
    "Requires",
    "Source",
    "Wheel",
    "seldom",
]

_T = TypeVar("_T")


def seldom(default: _T) -> _T:
    """A field that few locks have: it is written only when it differs, so that the other locks stay as they are."""
    value: _T = field(default=default, metadata={"seldom": True})
    return value


Sha256 = Annotated[str, Matching("^[0-9a-f]{64}$")]
Sha256Digest = Annotated[str, Matching("^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, AtLeast(0)]
Fingerprint = Annotated[str, Matching("^([0-9a-f]{40}|[0-9a-f]{64})?$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact(Strict):
    """One file that goes into the image. `size` is in bytes; `needed_by` says who asked for it."""

    name: str
    version: str
    file: str
    sha256: Sha256
    size: Size
    needed_by: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest:
        """The artifact's name in the store."""
        return Digest(f"sha256:{self.sha256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Strict):
    """Where a wheel comes from that no index serves as it is. Sizes are in bytes; what does not apply is empty.

    The wheel itself is at `url`, or at `path` below the project. With a `commit`, it is built from that commit of the
    repository at `url`, which its `revision` once was, in its `subdirectory`; with a `sha256`, from the source archive
    `file`, which is at `url`, at `path`, or on an `index`. An address has no login.
    """

    url: str = seldom("")
    path: str = seldom("")
    index: str = seldom("")
    commit: str = seldom("")
    revision: str = seldom("")
    subdirectory: str = seldom("")
    file: str = seldom("")
    sha256: str = seldom("")
    size: int = seldom(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel(Artifact):
    """A wheel: `file` is its file name (PEP 427), `index` the name of the index that serves it.

    One that no index serves has none, and a `source` instead.
    """

    index: str
    source: Source | None = seldom(None)

    @property
    def built(self) -> bool:
        """Whether it is built from source on this machine, and not fetched."""
        return self.source is not None and bool(self.source.commit or self.source.sha256)

    @property
    def hashes(self) -> set[str]:
        """The sha256 by which a requirements file may know it: its own, or that of what it is built from."""
        return {self.sha256, *((self.source.sha256,) if self.source else ())}

    @property
    def own_hash(self) -> bool:
        """Whether it needs none in a requirements file: a commit is one, and a file of the project is at hand."""
        return self.source is not None and bool(self.source.commit or self.source.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb(Artifact):
    """A Debian package: `file` is its path below the archive's root (`pool/…`), `archive` the archive's name."""

    archive: str
    architecture: str
    layer: Literal["base", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpreterArchive(Artifact):
    """A python-build-standalone archive: `file` is its path below the project's releases, `version` its X.Y.Z."""

    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLayer(Artifact):
    """A layer of a base image as its registry has it: `file` is its repository and digest, `tar` its bytes unpacked."""

    media_type: str
    diff_id: Sha256Digest
    tar: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage(Strict):
    """The image below: `reference` is its repository, `manifest` the digest of what it is for one platform.

    `env` (`NAME=VALUE`), `user`, `ports`, `volumes` and `labels` are what images on it inherit; `glibc` is its version.
    """

    reference: str
    manifest: Sha256Digest
    architecture: str
    glibc: str
    env: tuple[str, ...]
    user: str
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]
    layers: tuple[BaseLayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter(Strict):
    """Where Python comes from: `executable` is its path in the image, `version` its X.Y.

    `suite` is Debian's code name of what is below it, empty for a base image that has none, and `archive` what it is
    unpacked from where neither a package nor a base image brings it.
    """

    source: Literal["debian", "python-build-standalone", "base image"]
    suite: str
    version: str
    executable: str
    archive: InterpreterArchive | None = seldom(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Strict):
    """The state of a Debian suite that was resolved against: the Date and the hash of its InRelease.

    `key` is the fingerprint of the certificate that signed it, empty for Debian's own: the tool ships with those.
    """

    name: str
    suite: str
    date: str
    inrelease: Sha256
    key: Fingerprint = seldom("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering(Strict):
    """A blob that a layer was once made into: what made it, its digest, and its size in bytes."""

    made_by: str
    digest: Sha256Digest
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires(Strict):
    """What a GPU image takes for granted: `cuda` is the release in it (X.Y), `cudnn` that of cuDNN, if any.

    `driver` is the oldest driver that the host may have, `driver_for_ptx` the oldest one for code that is compiled when
    it is loaded. `capabilities` (X.Y) are GPUs that there is code for, `ptx` the capability from which on later ones
    can have it compiled, as far as they are known; `glibc` is the newest that a wheel asks for.
    """

    cuda: str
    driver: str
    driver_for_ptx: str
    cudnn: str = seldom("")
    capabilities: tuple[str, ...] = seldom(())
    ptx: str = seldom("")
    glibc: str = seldom("")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLayer(Strict):
    """What a layer turned out to be: `size` is that of its tar, `blobs` has one for each compression that was used.

    `listing` tells, for what a command made, which path is another one day (`cog_oci.listing`).
    """

    name: str
    recipe: Sha256
    diff_id: Sha256Digest
    size: Size
    blobs: Mapping[str, Rendering]
    listing: str = seldom("")
