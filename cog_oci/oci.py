"""The OCI image specification as values: what an image is, apart from where it is kept.

Spec sections are those of opencontainers/image-spec v1.1. `Digest` names the bytes of a blob as it is stored;
`DiffID` names an uncompressed layer. They are two types so that a type checker finds the classic mix-up.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NewType

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci import documents

__all__ = [
    "EPOCH",
    "Attachment",
    "Descriptor",
    "DiffID",
    "Digest",
    "Image",
    "ImageConfig",
    "LayerBlob",
    "MediaType",
    "Platform",
    "StoredImage",
    "StoredLayer",
    "canonical_json",
    "index_document",
    "parse_digest",
    "sha256",
]

Digest = NewType("Digest", str)
DiffID = NewType("DiffID", str)

EPOCH = 315_619_200
"""The one time stamp in every header and document, in seconds: 1980-01-02T00:00:00Z.

Not 0, because zip writers refuse anything before 1980 and some programs take 0 for "unknown"; not the first of
January, because local time west of Greenwich would still be 1979. See docs/adr/0002.
"""
EPOCH_RFC3339 = "1980-01-02T00:00:00Z"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def parse_digest(text: str) -> Digest:
    """`sha256:` and 64 lower-case hex digits (§descriptor.md, digests); anything else is a CogError."""
    if not _DIGEST.fullmatch(text):
        raise CogError(f"{text!r} is not a sha256 digest")
    return Digest(text)


def sha256(data: bytes) -> Digest:
    """The digest of these bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def canonical_json(value: object) -> bytes:
    """The one rendering of a JSON value that this project writes: sorted keys, no spaces, UTF-8, no newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


class MediaType:
    """The media types of OCI images (§media-types.md)."""

    CONFIG = "application/vnd.oci.image.config.v1+json"
    MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    INDEX = "application/vnd.oci.image.index.v1+json"
    LAYER = "application/vnd.oci.image.layer.v1.tar"
    LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    EMPTY = "application/vnd.oci.empty.v1+json"
    LOCK = "application/vnd.cog-oci.lock.v1+json"
    CYCLONEDX = "application/vnd.cyclonedx+json"

    # What Docker calls the same things (its image manifest version 2, schema 2).
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

    MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})
    INDEXES = frozenset({INDEX, DOCKER_INDEX})


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What an image runs on, in Go's words (§image-index.md, platform); `variant` is of the processor: `v8`."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """`linux/amd64` → Platform; CogError for what we cannot build."""
        os, _, architecture = text.partition("/")
        if (os, architecture) not in {("linux", "amd64"), ("linux", "arm64")}:
            raise CogError(f"platform {text!r} is not one we can build", hint="use linux/amd64 or linux/arm64")
        return cls(os, architecture)

    def to_json(self) -> dict[str, str]:
        """As it stands in an index."""
        document = {"architecture": self.architecture, "os": self.os, "variant": self.variant}
        return {key: value for key, value in document.items() if value}

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob (§descriptor.md): `size` in bytes, as stored."""

    media_type: str
    digest: Digest
    size: int
    annotations: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, blob: documents.Blob) -> Descriptor:
        """From a document."""
        return cls(blob.media_type, Digest(blob.digest), blob.size, dict(blob.annotations))

    def to_json(self) -> dict[str, Any]:
        """As it stands in a manifest."""
        document: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            document["annotations"] = self.annotations
        return document


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer that exists: its identity, one rendering of it, and what the image's history says of it.

    `command` is what a shell was given to make it, in one line; nothing for a layer that no command has made.
    """

    name: str
    diff_id: DiffID
    descriptor: Descriptor
    uncompressed_size: int
    command: str = ""

    @property
    def created_by(self) -> str:
        """The line in the history: with its command as BuildKit has it, which `docker history` shows."""
        return f"RUN /bin/sh -c {self.command} # cog-oci {self.name}" if self.command else f"cog-oci {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How a container of the image starts (§config.md, `config`)."""

    env: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = "/"
    exposed_ports: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    volumes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The `config` object. `Env` keeps the order given: later entries may refer to earlier ones."""
        document: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "WorkingDir": self.working_dir,
            "ExposedPorts": {port: {} for port in self.exposed_ports},
            "Labels": self.labels,
            "User": self.user,
            "Volumes": {place: {} for place in self.volumes},
        }
        return {key: value for key, value in document.items() if value}


@dataclass(frozen=True)
class Image:
    """An image for one platform: layers from the bottom up, and how it starts.

    Frozen; every document of it is derived, so `digest` is a pure function of the fields.
    """

    platform: Platform
    config: ImageConfig
    layers: tuple[LayerBlob, ...]

    @cached_property
    def config_document(self) -> bytes:
        """The image configuration (§config.md). Its digest is the image ID of Docker's classic store."""
        return canonical_json(
            {
                "architecture": self.platform.architecture,
                "os": self.platform.os,
                "created": EPOCH_RFC3339,
                "config": self.config.to_json(),
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
                "history": [{"created": EPOCH_RFC3339, "created_by": layer.created_by} for layer in self.layers],
            }
        )

    @cached_property
    def config_descriptor(self) -> Descriptor:
        """The descriptor of `config_document`."""
        return Descriptor(MediaType.CONFIG, sha256(self.config_document), len(self.config_document))

    @cached_property
    def manifest_document(self) -> bytes:
        """The image manifest (§manifest.md)."""
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MediaType.MANIFEST,
                "config": self.config_descriptor.to_json(),
                "layers": [layer.descriptor.to_json() for layer in self.layers],
            }
        )

    @cached_property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest."""
        return Descriptor(MediaType.MANIFEST, sha256(self.manifest_document), len(self.manifest_document))

    def stored(self) -> StoredImage:
        """The image as its documents: what is written, and what whoever reads it back finds."""
        layers = tuple(StoredLayer(layer.name, layer.diff_id, layer.descriptor) for layer in self.layers)
        return StoredImage(self.platform, self.descriptor, self.manifest_document, self.config_document, layers)

    @property
    def digest(self) -> Digest:
        """What registries call the image: it changes with the compression."""
        return self.descriptor.digest

    @property
    def content_id(self) -> Digest:
        """What the image *is*: the configuration, diff IDs included, whatever the compression (design §1.2)."""
        return self.config_descriptor.digest


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A layer of an image that exists: the words of the image's history for it, what it is, and the blob it is in."""

    name: str
    diff_id: DiffID
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image that exists, for one platform, with its documents as they are: somebody else may have written them."""

    platform: Platform
    descriptor: Descriptor
    manifest: bytes
    config: bytes
    layers: tuple[StoredLayer, ...]

    @classmethod
    def parse(cls, descriptor: Descriptor, manifest: bytes, config: bytes) -> StoredImage:
        """An image from its manifest and its configuration, whose digests the caller has checked.

        Raises CogError, with the manifest's digest and the field, when they are not what §manifest.md and §config.md
        say or do not fit together.
        """
        from cog_oci import documents  # noqa: PLC0415 - whoever builds reads no documents, and models take time to make

        name = f"image {descriptor.digest}"
        blobs = documents.parse(documents.Manifest, manifest, f"the manifest of {name}").layers
        found = documents.parse(documents.Config, config, f"the configuration of {name}")
        diff_ids = found.rootfs.diff_ids
        if len(blobs) != len(diff_ids):
            raise CogError(f"{name} has {len(blobs)} layers, but its configuration has {len(diff_ids)}")
        history = [_named(entry.created_by) for entry in found.history if not entry.empty_layer]
        names = history if len(history) == len(blobs) else [""] * len(blobs)
        layers = [
            StoredLayer(name or f"layer {number}", DiffID(diff_id), Descriptor.of(blob))
            for number, (name, diff_id, blob) in enumerate(zip(names, diff_ids, blobs, strict=True), 1)
        ]
        return cls(Platform(found.os, found.architecture, found.variant), descriptor, manifest, config, tuple(layers))

    @property
    def config_json(self) -> dict[str, Any]:
        """The configuration, parsed."""
        document: dict[str, Any] = json.loads(self.config)
        return document

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the configuration."""
        return dict((self.config_json.get("config") or {}).get("Labels") or {})

    @property
    def content_id(self) -> Digest:
        """What the image is, whatever the compression: the digest of its configuration (design §1.2)."""
        return sha256(self.config)


def _named(created_by: str) -> str:
    """The name of a layer by its line in the history."""
    return created_by.rpartition(" # cog-oci ")[2].removeprefix("cog-oci ")


@dataclass(frozen=True)
class Attachment:
    """A document about an image, kept beside it as an artifact that names the image (§manifest.md, `subject`)."""

    subject: Descriptor
    artifact_type: str
    data: bytes

    EMPTY: ClassVar[bytes] = b"{}"
    """The configuration of an artifact that needs none (§manifest.md, "empty descriptor")."""

    @cached_property
    def manifest_document(self) -> bytes:
        """The artifact's manifest."""
        config = Descriptor(MediaType.EMPTY, sha256(self.EMPTY), len(self.EMPTY))
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MediaType.MANIFEST,
                "artifactType": self.artifact_type,
                "config": config.to_json(),
                "layers": [Descriptor(self.artifact_type, sha256(self.data), len(self.data)).to_json()],
                "subject": self.subject.to_json(),
            }
        )

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """Everything of it that a layout holds: the manifest, and what that names."""
        return (self.manifest_document, self.EMPTY, self.data)


def index_document(images: Sequence[StoredImage]) -> bytes:
    """One image for several platforms (§image-index.md), in the order given."""
    manifests = [{**image.descriptor.to_json(), "platform": image.platform.to_json()} for image in images]
    return canonical_json({"schemaVersion": 2, "mediaType": MediaType.INDEX, "manifests": manifests})
