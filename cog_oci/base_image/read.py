"""A base image: found in its registry, brought into the store, looked through without running any of it."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from cog_oci.base_image._inherited import inherited
from cog_oci.base_image._python import find_python, is_wanted
from cog_oci.base_image._unfit import UnfitBaseError
from cog_oci.base_image.bring import bring, note
from cog_oci.blobs import Stream, open_plain
from cog_oci.contents import Root, read_layer
from cog_oci.lock import BaseImage, BaseLayer
from cog_oci.oci import MediaType
from cog_oci.progress import SILENT
from cog_oci.transports._place import Place
from cog_oci.transports._registry_source import RegistrySource
from cog_oci.transports._verified import AlteredBlobError

if TYPE_CHECKING:
    from typing import BinaryIO

    from cog_oci.contents import LayerContents
    from cog_oci.lock import Interpreter
    from cog_oci.oci import Platform, StoredImage, StoredLayer
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["UnfitBaseError", "read_base", "read_status"]

_MEDIA_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": MediaType.LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": MediaType.LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar": MediaType.LAYER,
}
"""Docker's names of layers, and OCI's: the bytes are the same."""
_LARGEST_PROGRAM = 64 << 20
_KNOWN = frozenset({MediaType.LAYER, MediaType.LAYER_GZIP, MediaType.LAYER_ZSTD})


def read_base(
    text: str, platform: Platform, python_version: str, store: Store, progress: Progress = SILENT
) -> tuple[BaseImage, Interpreter]:
    """The image that `text` names (`host/name:tag`, `host/name@sha256:…`) for a platform, and the Python in it.

    `python_version` is what that must be (X.Y or X.Y.Z), or empty. Its layers are in the store when this returns.
    Raises UnfitBaseError for an image that cannot be a base, CogError for a name that is none, and what reading a
    registry raises.
    """
    place = Place.parse(text)
    progress.say(f"reading {text}")
    with place.open() as repository:
        source = RegistrySource(text, repository, place.digest or place.reference.tag)
        image = _for_platform(source.images(platform), platform, text)
    scheme = {True: "http://", False: "https://", None: ""}[place.plain_http]
    name = f"{scheme}{place.reference.host}/{place.path}"
    layers = tuple(_layer(one, number, name, text) for number, one in enumerate(image.layers, 1))
    bring(layers, store, progress)
    note(layers, store)
    contents = [_contents(one, store, text, progress) for one in layers]
    root = Root(one.members for one in contents)
    _check_room(root, text)
    kept = _seen(contents, root)
    said = inherited(image.config, text)

    def read(path: str) -> bytes:
        seen = root.get(path)
        return b"" if seen is None else _file(layers[seen.layer], seen.inode.path, store)

    python, glibc = find_python(root, kept, read, said.path, platform.architecture, python_version, text)
    base = BaseImage(
        reference=name,
        manifest=image.descriptor.digest,
        architecture=platform.architecture,
        glibc=glibc,
        env=said.env,
        user=said.user,
        ports=said.ports,
        volumes=said.volumes,
        labels=said.labels,
        layers=tuple(replace(layer, tar=found.size) for layer, found in zip(layers, contents, strict=True)),
    )
    return base, python


def read_status(image: BaseImage, store: Store, progress: Progress = SILENT) -> bytes:
    """What dpkg of the image says is installed; empty where it has none. Layers that are not here are fetched."""
    bring(image.layers, store, progress)
    contents = [_contents(one, store, image.reference, progress) for one in image.layers]
    return _seen(contents, Root(one.members for one in contents)).get("var/lib/dpkg/status", b"")


def _for_platform(images: list[StoredImage], platform: Platform, name: str) -> StoredImage:
    for image in images:
        if (image.platform.os, image.platform.architecture) == (platform.os, platform.architecture):
            return image
    there = ", ".join(sorted({str(image.platform) for image in images}))
    raise UnfitBaseError(name, f"it is for {there}, and not for {platform}", hint=f"lock without --platform {platform}")


def _layer(stored: StoredLayer, number: int, repository: str, name: str) -> BaseLayer:
    """A layer as a lock has it, but for the size of its tar."""
    media_type = _MEDIA_TYPES.get(stored.descriptor.media_type, stored.descriptor.media_type)
    if media_type not in _KNOWN:
        foreign = "foreign" in media_type or "nondistributable" in media_type
        reason = "kept by somebody else than its registry" if foreign else "none that images are made of"
        raise UnfitBaseError(name, f"layer {number} is of type {media_type}, which is {reason}")
    return BaseLayer(
        name=f"base image layer {number}",
        version="",
        file=f"{repository}@{stored.descriptor.digest}",
        sha256=stored.descriptor.digest.removeprefix("sha256:"),
        size=stored.descriptor.size,
        media_type=media_type,
        diff_id=stored.diff_id,
        tar=0,
    )


def _contents(layer: BaseLayer, store: Store, name: str, progress: Progress) -> LayerContents:
    """What is in the layer, once it has turned out to be the one that the image's configuration names."""
    digest = hashlib.sha256()
    with store.path(layer.digest).open("rb") as blob, progress.task(f"reading {layer.name}", layer.size) as task:
        plain = open_plain(blob, layer.media_type)

        def more(size: int) -> bytes:
            data = plain.read(size)
            digest.update(data)
            return data

        found = read_layer(cast("BinaryIO", Stream(more)), f"{name}: {layer.name}", is_wanted)
        task.advance(layer.size)
    if (actual := f"sha256:{digest.hexdigest()}") != layer.diff_id:
        raise AlteredBlobError(f"{name}: {layer.name}", expected=layer.diff_id, actual=actual)
    return found


def _file(layer: BaseLayer, path: str, store: Store) -> bytes:
    """One file out of a layer, up to a size that no interpreter has."""
    with store.path(layer.digest).open("rb") as blob:
        plain = open_plain(blob, layer.media_type)
        with tarfile.open(fileobj=plain, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            for member in archive:
                if posixpath.normpath("/" + member.name).lstrip("/") == path and member.isreg():
                    file = archive.extractfile(member)
                    return file.read(_LARGEST_PROGRAM) if file is not None else b""
    return b""


def _check_room(root: Root, name: str) -> None:
    for path in ("opt/venv", "opt/cog"):
        if root.get(path) is not None:
            raise UnfitBaseError(
                name,
                f"it has a /{path}, which is where images of cog-oci have their own",
                hint="an image of cog-oci is no base; name the one that it is built on",
            )
    for path in ("opt", "src"):
        seen = root.get(path)
        if seen is not None and seen.member.kind != "directory":
            raise UnfitBaseError(name, f"its /{path} is a {seen.member.kind}, and must be a directory")


def _seen(contents: list[LayerContents], root: Root) -> dict[str, bytes]:
    """The contents that were kept and that a container sees, by path."""
    found: dict[str, bytes] = {}
    for path in root:
        seen = root.get(path)
        if seen is not None and seen.member.kind == "file":
            data = contents[seen.layer].kept.get(seen.inode.path)
            if data is not None:
                found[path] = data
    return found
