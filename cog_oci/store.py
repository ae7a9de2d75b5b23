"""The store: blobs by their digest, layers by their recipe. A blob appears whole or not at all.

Several builds may use one store at once: content-addressed files are written beside their place and renamed into it, so
whoever comes second replaces equal bytes with equal bytes. `claim` keeps two builds from doing the same work twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, Digest, LayerBlob, parse_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DigestMismatchError", "Incoming", "Store", "default_root"]


class DigestMismatchError(CogError):
    """Bytes that are not what their name says."""

    def __init__(self, name: str, *, expected: str, actual: str) -> None:
        self.name, self.expected, self.actual = name, expected, actual
        super().__init__(
            f"{name} is not the file that was locked: expected {expected}, got {actual}",
            hint="the file was changed where it is kept, or on the way; nothing of it was used",
        )


def default_root() -> Path:
    """Where the store is: `COG_CACHE_DIR`, else the platform's cache folder."""
    if configured := os.environ.get("COG_CACHE_DIR"):
        return Path(configured).expanduser().absolute()
    import platformdirs  # noqa: PLC0415 - only needed when nothing is configured

    return Path(platformdirs.user_cache_dir("cog-oci", appauthor=False))


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
        with tempfile.NamedTemporaryFile(dir=folder, delete=False, buffering=1 << 20) as file:
            incoming = Incoming(self, file)  # type: ignore[arg-type]  # the wrapper has the methods of a binary file
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

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Only one process at a time works on `name`; others wait here. Released when the process ends, however."""
        import filelock  # noqa: PLC0415 - an unchanged build never waits

        folder = self.root / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / hashlib.sha256(name.encode()).hexdigest()):
            yield

    def _record(self, recipe: str) -> Path:
        return self.root / "layers" / recipe
