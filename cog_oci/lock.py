"""cog.lock: everything an image will contain, pinned by hash; read, written and compared.

The file is canonical JSON made to be read in a diff: sorted keys, one artifact a line, a newline at the end. It names
artifacts by the name of their index or archive, their file and their hash, and never by a host (design §1.3, §3).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping  # noqa: TC003 - pydantic reads them at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cog_oci.errors import CogError
from cog_oci.oci import Digest, Platform

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Archive",
    "Artifact",
    "Deb",
    "Interpreter",
    "Lock",
    "PlatformLock",
    "RecordedLayer",
    "Rendering",
    "StaleLockError",
    "Wheel",
]


Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Sha256Digest = Annotated[str, StringConstraints(pattern="^sha256:[0-9a-f]{64}$")]


class StaleLockError(CogError):
    """The lock was made from other inputs than those at hand."""

    def __init__(self, path: Path, changed: list[str]) -> None:
        self.changed = changed
        super().__init__(
            f"{path.name} no longer fits: " + "; ".join(changed),
            hint="run `cog-oci lock` to bring it up to date, or undo the change",
        )


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Artifact(_Value):
    """One file that goes into the image. `size` is in bytes; `needed_by` says who asked for it."""

    name: str
    version: str
    file: str
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    needed_by: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest:
        """The artifact's name in the store."""
        return Digest(f"sha256:{self.sha256}")


class Wheel(Artifact):
    """A wheel: `file` is its file name (PEP 427), `index` the name of the index that serves it."""

    index: str


class Deb(Artifact):
    """A Debian package: `file` is its path below the archive's root (`pool/…`), `archive` the archive's name."""

    archive: str
    architecture: str
    layer: Literal["base", "system"]


class Interpreter(_Value):
    """Where Python comes from: `executable` is its path in the image, `version` its X.Y."""

    source: Literal["debian"]
    suite: str
    version: str
    executable: str


class Archive(_Value):
    """The state of a Debian suite that was resolved against: the Date and the hash of its InRelease."""

    name: str
    suite: str
    date: str
    inrelease: Sha256


class Rendering(_Value):
    """A blob that a layer was once made into: what made it, its digest, and its size in bytes."""

    made_by: str
    digest: Sha256Digest
    size: Annotated[int, Field(ge=0)]


class RecordedLayer(_Value):
    """What a layer turned out to be: `size` is that of its tar, `blobs` has one for each compression that was used."""

    name: str
    recipe: Sha256
    diff_id: Sha256Digest
    size: Annotated[int, Field(ge=0)]
    blobs: Mapping[str, Rendering]


class PlatformLock(_Value):
    """Everything locked for one platform, each list in a total order: name, then version.

    `bytecode` says whether the image holds compiled Python. `layers` is what the layers that this lock alone decides
    turned out to be when they were first made, bottom up: a build that makes anything else fails.
    """

    inputs: Mapping[str, str]
    interpreter: Interpreter
    archives: tuple[Archive, ...]
    debs: tuple[Deb, ...]
    wheels: tuple[Wheel, ...]
    server: tuple[Wheel, ...]
    bytecode: bool = False
    layers: tuple[RecordedLayer, ...] = ()

    def artifacts(self) -> Iterator[Artifact]:
        """Every artifact once, in a fixed order."""
        seen: set[str] = set()
        for artifact in (*self.debs, *self.server, *self.wheels):
            if artifact.sha256 not in seen:
                seen.add(artifact.sha256)
                yield artifact


class Lock(_Value):
    """The whole file. `as_of` is the cut-off for every index and archive, RFC 3339 in UTC."""

    version: Literal[1] = 1
    as_of: str
    platforms: Mapping[str, PlatformLock]

    def platform(self, platform: Platform) -> PlatformLock:
        """What is locked for this platform, or a CogError that lists what there is."""
        try:
            return self.platforms[str(platform)]
        except KeyError:
            raise CogError(
                f"the lock has nothing for {platform}, only for {', '.join(sorted(self.platforms))}",
                hint=f"run `cog-oci lock --platform {platform}`",
            ) from None

    def carried(self, platform: Platform) -> Lock:
        """The lock as an image has it with it: for its platform, without the record of its layers.

        That way an image does not change because another platform was locked, or because it was built before.
        """
        parts = self.platform(platform).model_copy(update={"layers": ()})
        return self.model_copy(update={"platforms": {str(platform): parts}})

    def recording(self, layers: Mapping[str, tuple[RecordedLayer, ...]]) -> Lock:
        """The lock with what the layers of these platforms turned out to be."""
        platforms = {
            name: parts.model_copy(update={"layers": layers[name]}) if name in layers else parts
            for name, parts in self.platforms.items()
        }
        return self.model_copy(update={"platforms": platforms})

    def to_bytes(self) -> bytes:
        """The canonical file. `Lock.from_bytes(lock.to_bytes()) == lock`."""
        return (_render(self.model_dump(mode="json"), "") + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "cog.lock") -> Lock:
        """Parse and check a lock; a CogError names what does not fit."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise CogError(
                f"{name}: {where or 'the file'}: {first['msg']}",
                hint="it was edited or made by another version; run `cog-oci lock` to write it anew",
            ) from error

    @classmethod
    def read(cls, path: Path) -> Lock:
        """The lock in this file; a CogError when there is none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise CogError(f"there is no {path.name} in {path.parent}", hint="run `cog-oci lock` first") from None
        return cls.from_bytes(data, path.name)

    def write(self, path: Path) -> None:
        """Replace the file in one step: a reader sees the old lock or the new one."""
        temporary = path.with_name(f".cog-oci-{os.getpid()}-{path.name}")
        try:
            temporary.write_bytes(self.to_bytes())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def check_fresh(path: Path, locked: Mapping[str, str], current: Mapping[str, str]) -> None:
    """Raise StaleLockError when the inputs differ, naming each one and how."""
    changed = [_difference(name, locked.get(name), current.get(name)) for name in sorted({*locked, *current})]
    if found := [text for text in changed if text]:
        raise StaleLockError(path, found)


def _difference(name: str, before: str | None, after: str | None) -> str | None:
    if before == after:
        return None
    if before is None:
        return f"{name} is new"
    if after is None:
        return f"{name} is gone"
    if before.startswith("sha256:") or after.startswith("sha256:"):
        return f"{name} has changed"
    return f"{name} has changed from {before} to {after}"


def _render(value: Any, indent: str) -> str:
    """Objects and lists of objects open up; an object in a list is one line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        rows = (f"{inner}{json.dumps(key)}: {_render(value[key], inner)}" for key in sorted(value))
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        rows = (inner + json.dumps(item, sort_keys=True, ensure_ascii=False) for item in value)
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
