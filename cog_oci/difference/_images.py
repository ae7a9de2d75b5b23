"""Two images that exist: what they are made of, what they hold, and how they start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from cog_oci.contents import read_contents
from cog_oci.difference._config import compare_configs
from cog_oci.difference._files import FilesDifference, compare_files
from cog_oci.difference._layers import compare_image_layers
from cog_oci.difference._locks import compare_locks, installed
from cog_oci.difference._packages import Installed, compare_packages
from cog_oci.errors import CogError
from cog_oci.image_config import LOCK_LABEL
from cog_oci.lock import Lock
from cog_oci.oci import parse_digest
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.contents import Contents, LayerContents
    from cog_oci.difference._layers import LayersDifference
    from cog_oci.difference._locks import LockDifference
    from cog_oci.difference._packages import PackageChange
    from cog_oci.difference._values import ValueChange
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import DiffID, StoredImage
    from cog_oci.progress import Progress
    from cog_oci.transports.sources import Source

__all__ = ["ImageDifference", "ImagesDifference", "Placed", "carried_locks", "compare_images", "compare_sources"]

_FREEZE_LABEL = "run.cog.pip_freeze"


@dataclass(frozen=True, slots=True)
class Placed:
    """An image, and the place that it can be read from."""

    source: Source
    image: StoredImage


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """What differs between two images, whatever their envelopes.

    `lock` compares the locks that both carry, and is None when one has none: `packages` are those found in the layers
    then, or those that the labels list. `files` is None when nobody looked.
    """

    before: StoredImage
    after: StoredImage
    layers: LayersDifference
    config: tuple[ValueChange, ...]
    lock: LockDifference | None
    packages: tuple[PackageChange, ...]
    files: FilesDifference | None

    @property
    def equal(self) -> bool:
        """Whether both are the same content: layers and configuration."""
        return self.before.content_id == self.after.content_id


@dataclass(frozen=True, slots=True)
class ImagesDifference:
    """What differs between two places that hold an image, or one for each of several platforms.

    `platforms` has those that both have, by name; where each place has a single image, those two are compared whatever
    they run on.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    platforms: dict[str, ImageDifference]

    @property
    def equal(self) -> bool:
        """Whether the same platforms have the same content."""
        return not (self.added or self.removed) and all(one.equal for one in self.platforms.values())


def compare_sources(
    before: Source, after: Source, *, files: bool = True, progress: Progress = SILENT
) -> ImagesDifference:
    """How the images of `after` differ from those of `before`. An index that names a platform twice means the first."""
    sides = before.images(), after.images()
    old, new = ({str(one.platform): one for one in reversed(images)} for images in sides)
    if len(old) == len(new) == 1 and old.keys() != new.keys():
        name = " → ".join((*old, *new))
        old, new = (dict.fromkeys([name], image) for side in (old, new) for image in side.values())
    return ImagesDifference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        platforms={
            name: compare_images(Placed(before, old[name]), Placed(after, new[name]), files=files, progress=progress)
            for name in sorted(old.keys() & new.keys())
        },
    )


def compare_images(
    before: Placed, after: Placed, *, files: bool = True, progress: Progress = SILENT
) -> ImageDifference:
    """How `after` differs from `before`.

    To compare `files`, the layers of both are read, those that both have once; none when all are the same.
    """
    one, other = before.image, after.image
    locks = _carried_lock(before), _carried_lock(after)
    same_layers = [layer.diff_id for layer in one.layers] == [layer.diff_id for layer in other.layers]
    contents = None if same_layers or not files else _read(before, after, progress)
    packages: tuple[PackageChange, ...] = ()
    if locks[0] and locks[1]:
        packages = compare_packages(_locked(locks[0]), _locked(locks[1]))
    elif contents:
        packages = compare_packages(_found(contents[0]), _found(contents[1]))
    elif not same_layers:
        packages = compare_packages(_labelled(one), _labelled(other))
    return ImageDifference(
        before=one,
        after=other,
        layers=compare_image_layers(one, other),
        config=compare_configs(one.config_json, other.config_json),
        lock=compare_locks(locks[0], locks[1]) if locks[0] and locks[1] else None,
        packages=packages,
        files=compare_files(*contents) if contents else FilesDifference((), 0) if same_layers else None,
    )


def _carried_lock(placed: Placed) -> Lock | None:
    """The lock that an image carries; None when it names none, or the place does not have it."""
    label = placed.image.labels.get(LOCK_LABEL)
    data = placed.source.find(parse_digest(label)) if label else None
    return None if data is None else Lock.from_bytes(data, f"the lock of {placed.source.name}")


def carried_locks(source: Source) -> Lock:
    """The lock that all images of a place carry together; a CogError when one carries none, or they were not one."""
    found: dict[str, PlatformLock] = {}
    as_of = set()
    for image in source.images():
        lock = _carried_lock(Placed(source, image))
        if lock is None:
            raise CogError(
                f"the image in {source.name} does not carry the lock that it was made from",
                hint="something else made it, or a copy left the lock behind; compare it with another image instead",
            )
        found.update(lock.platforms)
        as_of.add(lock.as_of)
    if len(as_of) > 1:
        raise CogError(f"the images in {source.name} were made from several locks: {', '.join(sorted(as_of))}")
    return Lock(as_of=as_of.pop(), platforms=found)


def _read(before: Placed, after: Placed, progress: Progress) -> tuple[Contents, Contents]:
    known: dict[DiffID, LayerContents] = {}
    one, other = (read_contents(placed.source, placed.image, progress, known) for placed in (before, after))
    return one, other


def _locked(lock: Lock) -> Iterator[Installed]:
    for parts in lock.platforms.values():
        yield from installed(parts)


def _found(contents: Contents) -> Iterator[Installed]:
    for package in contents.packages:
        members = (contents.root.get(path) for path in package.files)
        size = sum(seen.member.size for seen in members if seen)
        yield Installed(package.kind, package.name, package.version, size)


def _labelled(image: StoredImage) -> Iterator[Installed]:
    """As Cog's label lists them: lines of `name==version`."""
    for line in image.labels.get(_FREEZE_LABEL, "").splitlines():
        name, equal, version = line.partition("==")
        if equal:
            yield Installed("python", canonicalize_name(name), version.strip())
