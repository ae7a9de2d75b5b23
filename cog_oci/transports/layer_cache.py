"""Layers in a registry, by what they are made from: the repository of a build cache.

Each is an artifact of its own (image-spec v1.1, §manifest.md), with the key of its rendering as the tag. The manifest
has the layer's blob and, as annotations, its diff ID and the size of its tar. Any registry can keep them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO, cast

from cog_oci.blobs import MAGIC_SIZE, Stream, envelope, open_plain
from cog_oci.documents import Manifest, parse
from cog_oci.errors import CogError
from cog_oci.oci import Attachment, Descriptor, DiffID, LayerBlob, MediaType, canonical_json, parse_digest, sha256
from cog_oci.progress import SILENT
from cog_oci.transports._download import Download
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._sender import Sender
from cog_oci.transports._sizes import MANIFEST_LIMIT
from cog_oci.transports._verified import AlteredBlobError, verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports._distribution import Repository
    from cog_oci.transports._upload import Limits

__all__ = ["LayerCache"]

_TYPE = "application/vnd.cog-oci.layer.v1+json"
_DIFF_ID = "run.cog.layer.diff-id"
_SIZE = "run.cog.layer.size.uncompressed"
_LAYERS = frozenset({MediaType.LAYER, MediaType.LAYER_GZIP, MediaType.LAYER_ZSTD})
_CHUNK = 1 << 20
_ENVELOPE = 64 << 10  # bytes by which an envelope may be larger than a small tar


class LayerCache:
    """A repository of layers. What it says is believed only as far as bytes show it: see `bring`.

    Threads may share it. Everything raises RegistryError and LoginError besides what it says.
    """

    def __init__(self, repository: Repository, store: Store, progress: Progress = SILENT) -> None:
        self._repository, self._store, self._progress = repository, store, progress
        self.host, self.path = repository.host, repository.path
        self.name = f"{repository.host}/{repository.path}"

    def find(self, key: str, name: str) -> LayerBlob | None:
        """What lies under the key, to be called `name`; None for nothing. A CogError for what is no layer."""
        try:
            with Download(self._repository, f"manifests/{key}", MediaType.MANIFEST) as body:
                data = Stream(body.read).read(MANIFEST_LIMIT) or b""
        except RegistryError as error:
            if error.status != 404:
                raise
            return None
        where = f"{self.name}:{key}"
        manifest = parse(Manifest, data, where)
        size = manifest.annotations.get(_SIZE, "")
        if manifest.artifact_type != _TYPE or len(manifest.layers) != 1 or not re.fullmatch(r"\d{1,15}", size):
            raise CogError(f"{where} is no layer of a build cache", hint="give the cache a repository of its own")
        blob = manifest.layers[0]
        descriptor = Descriptor(blob.media_type, parse_digest(blob.digest), blob.size)
        if descriptor.media_type not in _LAYERS:
            raise CogError(f"{where} holds a layer of type {descriptor.media_type}")
        if descriptor.size > int(size) + int(size) // 64 + _ENVELOPE:  # before it fills a disk
            raise CogError(f"{where} is {descriptor.size} bytes large, for a tar of {size}")
        return LayerBlob(name, DiffID(parse_digest(manifest.annotations.get(_DIFF_ID, ""))), descriptor, int(size))

    def has(self, blob: Descriptor) -> bool:
        """Whether the blob is there, which is no word about what is in it."""
        try:
            with self._repository.request("HEAD", f"blobs/{blob.digest}", {}, "pull"):
                return True
        except RegistryError as error:
            if error.status != 404:
                raise
            return False

    def bring(self, layer: LayerBlob) -> None:
        """The layer's blob into the store, once its digest and the diff ID of what is in it have been taken.

        Raises AlteredBlobError when one of them is another than the layer's, DamagedBlobError when it does not inflate;
        nothing of it is in the store then.
        """
        blob, name = layer.descriptor, f"{self.name}: layer {layer.name}"
        if self._store.has(blob.digest, blob.size):
            with self._store.path(blob.digest).open("rb") as file:
                _check(file, layer, name)
            return
        with (
            self._progress.task(f"layer {layer.name} from the cache", blob.size) as task,
            Download(self._repository, f"blobs/{blob.digest}") as body,
            self._store.incoming() as incoming,
        ):

            def read(size: int) -> bytes:
                data = body.read(size)
                task.advance(len(data))
                return data

            shutil.copyfileobj(cast("BinaryIO", verified(read, blob, name)), incoming, _CHUNK)
            incoming.file.seek(0)
            _check(incoming.file, layer, name)
            incoming.commit(blob.digest)

    def keep(self, layers: Mapping[str, LayerBlob], limits: Limits, near: str | None) -> int:
        """Have these layers there, by key; how many were new.

        What `near`, another repository of the registry, has is mounted from there. A layer whose blob is neither here
        nor near is left out.
        """
        able = {key: one for key, one in layers.items() if near or self._store.has(one.descriptor.digest)}
        documents = {key: _document(layer) for key, layer in able.items()}
        with ThreadPoolExecutor(limits.concurrency, thread_name_prefix="cache") as pool:
            there = dict(zip(documents, pool.map(self._tagged, documents), strict=True))
        new = [key for key, document in documents.items() if there[key] != sha256(document)]
        if not new:
            return 0
        blobs = {able[key].descriptor.digest: able[key] for key in new}
        empty = Descriptor(MediaType.EMPTY, self._store.add(Attachment.EMPTY), len(Attachment.EMPTY))
        names = {digest: layer.name for digest, layer in blobs.items()}
        with Sender(self._repository, self._store, limits, self._progress) as sender:
            if near:
                sender.whereabouts.note(near, blobs)
            sender.send([empty, *(layer.descriptor for layer in blobs.values())], names)
        for key in new:
            self._repository.put_manifest(key, documents[key], MediaType.MANIFEST)
        return len(new)

    def _tagged(self, key: str) -> str | None:
        return self._repository.manifest_digest(key, MediaType.MANIFEST)


def _check(file: BinaryIO, layer: LayerBlob, name: str) -> None:
    """That this blob is the layer's tar, in the envelope and of the size that were said."""
    found, size = hashlib.sha256(), 0
    kind = envelope(file.read(MAGIC_SIZE))
    if kind != layer.descriptor.media_type:
        raise AlteredBlobError(name, expected=layer.descriptor.media_type, actual=kind)
    file.seek(0)
    plain = open_plain(file, kind)
    while data := plain.read(_CHUNK):
        found.update(data)
        size += len(data)
        if size > layer.uncompressed_size:
            raise AlteredBlobError(name, expected=f"{layer.uncompressed_size} bytes", actual="more")
    if (actual := f"sha256:{found.hexdigest()}") != layer.diff_id:
        raise AlteredBlobError(name, expected=layer.diff_id, actual=actual)


def _document(layer: LayerBlob) -> bytes:
    """A function of the layer alone: whoever writes it writes the same."""
    config = Descriptor(MediaType.EMPTY, sha256(Attachment.EMPTY), len(Attachment.EMPTY))
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.MANIFEST,
            "artifactType": _TYPE,
            "config": config.to_json(),
            "layers": [layer.descriptor.to_json()],
            "annotations": {_DIFF_ID: layer.diff_id, _SIZE: str(layer.uncompressed_size)},
        }
    )
