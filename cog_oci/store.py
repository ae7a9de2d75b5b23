"""The store: blobs by their digest, layers by their recipe. A blob appears whole or not at all.

Several builds may use one store at once: content-addressed files are written beside their place and renamed into it, so
whoever comes second replaces equal bytes with equal bytes. `claim` keeps two builds from doing the same work twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, Digest, LayerBlob, parse_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HALF_MADE", "DigestMismatchError", "Incoming", "Store", "default_root", "in_use", "unused"]


HALF_MADE = ".partial-"
"""How the names of folders begin that are being unpacked, or cleared away."""
_UNPACKED_NAME = 24  # digits: relative names of many layers have to fit into a page that the kernel reads


class DigestMismatchError(CogError):
    """Bytes that are not what their name says."""

    def __init__(self, name: str, *, expected: str, actual: str) -> None:
        self.name, self.expected, self.actual = name, expected, actual
        super().__init__(
            f"{name} is not the file that was locked: expected {expected}, got {actual}",
            hint="the file was changed where it is kept, or on the way; nothing of it was used",
        )


def default_root() -> Path:
    """Where the store is: `COG_CACHE_DIR`, else the platform's cache folder. CogError for a user without a home."""
    if configured := os.environ.get("COG_CACHE_DIR"):
        return Path(os.path.expanduser(configured)).absolute()  # noqa: PTH111 - pathlib raises for a user who is not known
    import platformdirs  # noqa: PLC0415 - only needed when nothing is configured

    try:
        root = Path(platformdirs.user_cache_dir("cog-oci", appauthor=False))
    except RuntimeError:
        root = Path("~")
    if not root.is_absolute():  # as older platformdirs has it: it would be in the project, and in its image
        raise CogError("this user has no home folder, in which the store would be", hint="set COG_CACHE_DIR, or HOME")
    return root


@contextmanager
def in_use(path: Path) -> Iterator[bool]:
    """A file or folder that nobody clears away while the context is open; False when it is gone already."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    except PermissionError:  # who may not read it can use what is in it
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield _is_there(path, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def unused(path: Path) -> Iterator[bool]:
    """Whether no process of this machine has the file or folder in use; none begins to while the context is open."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # it is gone, or it is somebody else's
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield _is_there(path, descriptor)
    finally:
        os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class Incoming:
    """A file on its way into the store: write to `file`, then `commit`."""

    def __init__(self, store: Store, file: BinaryIO) -> None:
        self._store = store
        self.file = file
        self.committed = False

    def write(self, data: bytes | memoryview) -> int:
        """Append; nothing is visible yet."""
        return self.file.write(data)

    def commit(self, digest: Digest) -> Path:
        """Move the file to its place. The caller has taken the digest while it wrote."""
        self.file.flush()
        path = self._store.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(self.file.name).chmod(0o644)
        Path(self.file.name).replace(path)
        self.committed = True
        return path


class Store:
    """A folder of blobs and of what is known about layers."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self.root / "blobs" / "sha256" / parse_digest(digest).removeprefix("sha256:")

    def unpacked(self, diff_id: DiffID) -> Path:
        """The folder in which the layer is unpacked, or would be."""
        return self.root / "unpacked" / diff_id.removeprefix("sha256:")[:_UNPACKED_NAME]

    def has(self, digest: Digest, size: int | None = None) -> bool:
        """Whether the blob is here; with `size` in bytes, a file cut short does not count."""
        try:
            found = self.path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place to write a blob whose digest is not known yet; what is not committed is removed."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / os.urandom(16).hex()).open("xb+", buffering=1 << 20) as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # as `in_use` has it
            incoming = Incoming(self, file)
            try:
                yield incoming
            finally:
                if not incoming.committed:
                    Path(file.name).unlink(missing_ok=True)

    def add(self, data: bytes) -> Digest:
        """Keep these bytes."""
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        if not self.has(digest, len(data)):
            with self.incoming() as incoming:
                incoming.write(data)
                incoming.commit(digest)
        return digest

    def layer(self, recipe: str) -> LayerBlob | None:
        """The layer that this recipe made, as long as its blob is here."""
        try:
            record = json.loads(self._record(recipe).read_bytes())
        except FileNotFoundError:
            return None
        descriptor = Descriptor(**record["descriptor"])
        if not self.has(descriptor.digest, descriptor.size):
            return None
        return LayerBlob(record["name"], DiffID(record["diff_id"]), descriptor, record["uncompressed_size"])

    def remember(self, recipe: str, layer: LayerBlob) -> None:
        """From now on `layer(recipe)` answers with this."""
        path = self._record(recipe)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.incoming() as incoming:
            incoming.write(json.dumps(asdict(layer), sort_keys=True).encode())
            incoming.file.flush()
            Path(incoming.file.name).replace(path)
            incoming.committed = True

    def forget(self, recipe: str) -> None:
        """From now on `layer(recipe)` answers None; the blob stays."""
        self._record(recipe).unlink(missing_ok=True)

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Only one process at a time works on `name`; others wait here. Released when the process ends, however."""
        folder = self.root / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / hashlib.sha256(name.encode()).hexdigest()).open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _record(self, recipe: str) -> Path:
        return self.root / "layers" / recipe
