"""What the store holds, as a stock: looked through, cleared out, carried to another machine and back in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.oci import DiffID, Digest
from cog_oci.store import HALF_MADE, DigestMismatchError, Store, unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cog_oci.progress import Progress

__all__ = ["Cleared", "carry_in", "carry_out", "clear", "damaged"]

_DAY = 86_400
_ABANDONED = 3600  # seconds: what is half-made for so long, and in use by nobody, is nobody's
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed, or would be: how many files, and their bytes."""

    files: int
    size: int


def damaged(store: Store, progress: Progress) -> Iterator[Digest]:
    """The blobs that are not what their name says, each as it is found; all are read."""
    found = sorted(_blobs(store))
    with progress.task("verifying", sum(path.stat().st_size for path in found)) as task:
        for path in found:
            if _hash(path) != path.name:
                yield Digest(f"sha256:{path.name}")
            task.advance(path.stat().st_size)


def clear(
    store: Store,
    days: float,
    keep: Iterable[Digest | DiffID] = (),
    *,
    dry: bool = False,
    remove: Callable[[Path], object] = shutil.rmtree,
) -> Cleared:
    """Remove what nothing has read or written for this many days, unless it is to be kept.

    A blob counts as used when it was last read, as far as the file system tells, or made; a layer that is unpacked,
    when something was last started in it. Records of layers whose blob is gone go too. A blob that cannot be told from
    one in use by its age must not be in use: with 0 days, no build may be running. What was left half-made by processes
    that were killed goes after an hour, or after `days` where they are less. Neither that nor a layer that is unpacked
    goes while a process has it in use. `remove` is for folders.
    """
    keep = list(keep)
    kept = {digest.removeprefix("sha256:") for digest in keep}
    now = time.time()
    before = now - days * _DAY
    old = _older((path for path in _blobs(store) if path.name not in kept), before, _used)
    old += _older(_files(store.root / "checked"), before, _used)
    gone = {path.name for path in old}
    old += [path for path in _files(store.root / "layers") if _blob_of(path) in gone]
    size = sum(status.st_size for path in old if (status := _status(path)) is not None)
    if not dry:
        for path in old:
            path.unlink(missing_ok=True)
    unpacked = {store.unpacked(DiffID(digest)) for digest in keep}
    half_made = [*_entries(store.root / "tmp"), *_entries(store.root / "unpacked", HALF_MADE)]
    whole = [path for path in _entries(store.root / "unpacked") if path not in {*unpacked, *half_made}]
    abandoned = now - min(days * _DAY, _ABANDONED)
    left = [*_older(half_made, abandoned), *_older(whole, before)]
    cleared = [_clear_away(path, remove, dry=dry) for path in left]
    return Cleared(len(old) + sum(one.files for one in cleared), size + sum(one.size for one in cleared))


def _begun(status: os.stat_result) -> float:
    """When it was begun, or started in; when a folder was read is when somebody looked at it."""
    return status.st_mtime


def _used(status: os.stat_result) -> float:
    return max(status.st_atime, status.st_mtime)


def _older(paths: Iterable[Path], moment: float, when: Callable[[os.stat_result], float] = _begun) -> list[Path]:
    """Those whose last time is before this, of those that are there: others write, rename and clear meanwhile."""
    return [path for path in paths if (status := _status(path)) is not None and when(status) < moment]


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _clear_away(path: Path, remove: Callable[[Path], object], *, dry: bool) -> Cleared:
    """Remove a file or a folder that no process has in use."""
    with unused(path) as is_unused:
        if not is_unused:
            return Cleared(0, 0)
        inside = [path]
        if path.is_dir():
            inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        sizes = {(status.st_dev, status.st_ino): status.st_size for status in map(Path.lstat, inside)}
        if dry:
            pass
        elif path.is_dir():
            aside = path.with_name(f"{HALF_MADE}{os.urandom(8).hex()}")  # whole, or not there
            path.rename(aside)
            remove(aside)
        else:
            path.unlink(missing_ok=True)
        return Cleared(len(inside), sum(sizes.values()))


def carry_out(store: Store, wanted: Iterable[tuple[str, Digest, int]], folder: Path) -> Cleared:
    """Copy blobs, given as (what to call it, digest, size), to a folder that `carry_in` reads; each is verified.

    Raises CogError with the names of those that the store does not have, DigestMismatchError for a damaged one.
    """
    blobs = {digest: (name, size) for name, digest, size in wanted}
    if missing := sorted(name for digest, (name, size) in blobs.items() if not store.has(digest, size)):
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise CogError(f"not in the store: {shown}", hint="run `cog-oci fetch` first")
    other = Store(folder)
    for digest, (name, size) in sorted(blobs.items()):
        if not other.has(digest, size):
            _copy(store.path(digest), digest, name, other)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return Cleared(len(blobs), sum(size for _, size in blobs.values()))


def carry_in(store: Store, folder: Path) -> Cleared:
    """Take every blob of a folder that `carry_out` made into the store; what is there already is left.

    Raises CogError for another folder, DigestMismatchError for a blob that is not what its name says.
    """
    other = Store(folder)
    found = sorted(_blobs(other))
    if not found:
        raise CogError(f"{folder} holds no blobs", hint="name the folder that `cog-oci store export` wrote")
    for path in found:
        digest = Digest(f"sha256:{path.name}")
        if not store.has(digest, path.stat().st_size):
            _copy(path, digest, str(path), store)
    return Cleared(len(found), sum(path.stat().st_size for path in found))


def _copy(path: Path, digest: Digest, name: str, into: Store) -> None:
    taken = hashlib.sha256()
    with path.open("rb") as file, into.incoming() as incoming:
        while chunk := file.read(_CHUNK):
            taken.update(chunk)
            incoming.write(chunk)
        if taken.hexdigest() != digest.removeprefix("sha256:"):
            raise DigestMismatchError(name, expected=digest, actual=f"sha256:{taken.hexdigest()}")
        incoming.commit(digest)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blobs(store: Store) -> list[Path]:
    return _files(store.root / "blobs" / "sha256")


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file()]


def _entries(folder: Path, begins: str = "") -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(begins)] if folder.is_dir() else []


def _blob_of(record: Path) -> str:
    """The blob that a layer's record names; nothing for what is no record."""
    try:
        return str(json.loads(record.read_bytes())["descriptor"]["digest"]).removeprefix("sha256:")
    except (OSError, ValueError, KeyError, TypeError):
        return ""
