"""Where an image's bytes are: by layer, by package, by file; and which of them are carried for nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.contents._contents import Contents
    from cog_oci.contents._packages import Package
    from cog_oci.contents._root import Hidden
    from cog_oci.oci import StoredImage

__all__ = ["Copies", "FileUsage", "LayerUsage", "OwnerUsage", "Usage", "usage"]


@dataclass(frozen=True, slots=True)
class LayerUsage:
    """A layer: bytes of its blob as `stored`, of its tar as `plain`, and of the `contents` of its files."""

    name: str
    stored: int
    plain: int
    contents: int
    files: int


@dataclass(frozen=True, slots=True)
class OwnerUsage:
    """A package, with its version and how many files in how many bytes; or a folder, of kind `rest`."""

    kind: str
    name: str
    version: str
    folder: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class FileUsage:
    """A file: bytes of its content, the number of its layer from 0, and the name of its package, or none."""

    path: str
    size: int
    layer: int
    package: str


@dataclass(frozen=True, slots=True)
class Copies:
    """One content at several paths that do not share it, each with bytes of its own."""

    sha256: str
    size: int
    paths: tuple[str, ...]

    @property
    def wasted(self) -> int:
        """Bytes that one copy would save."""
        return self.size * (len(self.paths) - 1)


@dataclass(frozen=True, slots=True)
class Usage:
    """Layers bottom up; everything else the largest first, in a total order. Sizes are in bytes, unpacked."""

    layers: tuple[LayerUsage, ...]
    owners: tuple[OwnerUsage, ...]
    files: tuple[FileUsage, ...]
    hidden: tuple[Hidden, ...]
    copies: tuple[Copies, ...]


def usage(image: StoredImage, contents: Contents) -> Usage:
    """Where the bytes of this image are; `contents` are its own."""
    files = _files(contents)
    layers = (
        LayerUsage(
            layer.name,
            layer.descriptor.size,
            found.size,
            sum(member.size for member in found.members),
            sum(member.kind == "file" for member in found.members),
        )
        for layer, found in zip(image.layers, contents.layers, strict=True)
    )
    return Usage(
        layers=tuple(layers),
        owners=tuple(sorted(_owners(contents, files), key=lambda one: (-one.size, one.kind, one.name, one.folder))),
        files=tuple(sorted(files, key=lambda one: (-one.size, one.path))),
        hidden=tuple(contents.root.hidden),
        copies=tuple(sorted(_copies(contents, files), key=lambda one: (-one.wasted, one.paths))),
    )


def _files(contents: Contents) -> list[FileUsage]:
    """Every content that can be seen, once, at the first of its paths."""
    found = {}
    for path in contents.root:
        seen = contents.root.get(path)
        if seen is not None and seen.member.kind == "file" and seen.inode not in found:
            owner = contents.owners.get(path)
            found[seen.inode] = FileUsage(path, seen.member.size, seen.layer, owner.name if owner else "")
    return list(found.values())


def _owners(contents: Contents, files: list[FileUsage]) -> Iterator[OwnerUsage]:
    packages: defaultdict[Package, list[FileUsage]] = defaultdict(list)
    folders: defaultdict[str, list[FileUsage]] = defaultdict(list)
    for file in files:
        if owner := contents.owners.get(file.path):
            packages[owner].append(file)
        else:
            folders[_folder(file.path)].append(file)
    for package, theirs in packages.items():
        size = sum(file.size for file in theirs)
        yield OwnerUsage(package.kind, package.name, package.version, package.folder, len(theirs), size)
    for folder, rest in folders.items():
        yield OwnerUsage("rest", folder, "", folder, len(rest), sum(file.size for file in rest))


def _folder(path: str) -> str:
    """The folder that a file counts to: `/usr/lib`, `/src`; `/` for files of the root itself."""
    return "/" + "/".join(path.split("/")[:-1][:2])


def _copies(contents: Contents, files: list[FileUsage]) -> Iterator[Copies]:
    paths: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for file in files:
        seen = contents.root.get(file.path)
        if seen is not None and file.size:
            paths[seen.member.sha256, file.size].append(file.path)
    for (sha256, size), equal in paths.items():
        if len(equal) > 1:
            yield Copies(sha256, size, tuple(equal))
