"""cog.lock: everything an image will contain, pinned by hash; read, written and compared.

The file is canonical JSON made to be read in a diff: sorted keys, one artifact a line, a newline at the end. It names
artifacts by the name of their index or archive, their file and their hash, and never by a host (design §1.3, §3).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cog_oci import artifacts, checked
from cog_oci.artifacts import (
    Archive,
    Artifact,
    BaseImage,
    BaseLayer,
    Deb,
    Interpreter,
    InterpreterArchive,
    RecordedLayer,
    Rendering,
    Requires,
    Source,
    Wheel,
    seldom,
)
from cog_oci.build_steps import SecretMount, Step
from cog_oci.checked import Strict, UnfitError
from cog_oci.errors import CogError
from cog_oci.memory import Question

if TYPE_CHECKING:
    from datetime import datetime

    from cog_oci.memory import Memory
    from cog_oci.oci import Platform

__all__ = [
    "Archive",
    "Artifact",
    "BaseImage",
    "BaseLayer",
    "Deb",
    "Interpreter",
    "InterpreterArchive",
    "Lock",
    "PlatformLock",
    "RecordedLayer",
    "Rendering",
    "Requires",
    "Source",
    "StaleLockError",
    "Wheel",
]


class StaleLockError(CogError):
    """The lock was made from other inputs than those at hand."""

    def __init__(self, path: Path, changed: list[str]) -> None:
        self.changed = changed
        super().__init__(
            f"{path.name} no longer fits: " + "; ".join(changed),
            hint="run `cog-oci lock` to bring it up to date, or undo the change",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLock(Strict):
    """Everything locked for one platform, each list in a total order: name, then version.

    `builders` are the wheels that others are built with, each with the names of those as what asked for it; they are
    not in the image. `bytecode` says whether the image holds compiled Python. `layers` is what the layers that this
    lock alone decides turned out to be when they were first made, bottom up: a build that makes anything else fails.
    `steps` are commands that build the image, in the order in which they run; `requires` is for images with a GPU.
    `without_scripts` are Debian packages whose scripts have no computed effect: they are left out, or run as steps.
    """

    inputs: Mapping[str, str]
    interpreter: Interpreter
    archives: tuple[Archive, ...]
    debs: tuple[Deb, ...]
    wheels: tuple[Wheel, ...]
    server: tuple[Wheel, ...]
    bytecode: bool = False
    layers: tuple[RecordedLayer, ...] = ()
    steps: tuple[Step, ...] = seldom(())
    without_scripts: tuple[str, ...] = seldom(())
    builders: tuple[Wheel, ...] = seldom(())
    base_image: BaseImage | None = seldom(None)
    requires: Requires | None = seldom(None)

    def artifacts(self) -> Iterator[Artifact]:
        """Every artifact once, in a fixed order."""
        seen: set[str] = set()
        archive = (self.interpreter.archive,) if self.interpreter.archive else ()
        below = self.base_image.layers if self.base_image else ()
        for artifact in (*below, *archive, *self.debs, *self.server, *self.wheels):
            if artifact.sha256 not in seen:
                seen.add(artifact.sha256)
                yield artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(Strict):
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

    def moments(self, platform: Platform) -> list[datetime]:
        """When its Debian packages were in the archive, `as_of` first.

        Some may have been kept since an earlier lock: half a day after each archive's Date its state was published.
        """
        from datetime import datetime, timedelta  # noqa: PLC0415 - only what is fetched needs the time

        # Archives of others have no snapshots: their dates say nothing of where to look.
        own = [archive for archive in self.platform(platform).archives if not archive.key]
        dates = [datetime.fromisoformat(archive.date) for archive in own]
        return [datetime.fromisoformat(self.as_of), *sorted({date + timedelta(hours=12) for date in dates})]

    def carried(self, platform: Platform) -> Lock:
        """The lock as an image has it with it: for its platform, without the record of its layers.

        That way an image does not change because another platform was locked, or because it was built before.
        """
        parts = replace(self.platform(platform), layers=())
        return replace(self, platforms={str(platform): parts})

    def recording(self, layers: Mapping[str, tuple[RecordedLayer, ...]]) -> Lock:
        """The lock with what the layers of these platforms turned out to be."""
        platforms = {
            name: replace(parts, layers=layers[name]) if name in layers else parts
            for name, parts in self.platforms.items()
        }
        return replace(self, platforms=platforms)

    def to_bytes(self) -> bytes:
        """The canonical file. `Lock.from_bytes(lock.to_bytes()) == lock`."""
        return (_render(self, "") + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "cog.lock", memory: Memory | None = None) -> Lock:
        """Parse and check a lock, with a memory once; a CogError names what does not fit."""
        question = Question(data, Path(__file__), Path(artifacts.__file__), Path(checked.__file__))
        if memory is not None and memory.recall(question):
            return _lock(json.loads(data))
        try:
            lock = checked.check(cls, data)
        except UnfitError as error:
            raise CogError(
                f"{name}: {error.where or 'the file'}: {error}",
                hint="it was edited or made by another version: put it back as it was, or let everything move: "
                "`cog-oci lock --upgrade`",
            ) from error
        if memory is not None:
            memory.keep(question, True)
        return lock

    @classmethod
    def read(cls, path: Path, memory: Memory | None = None) -> Lock:
        """The lock in this file; a CogError when there is none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise CogError(f"there is no {path.name} in {path.parent}", hint="run `cog-oci lock` first") from None
        return cls.from_bytes(data, path.name, memory)

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


def _lock(values: dict[str, Any]) -> Lock:
    """From the values of a file that `check` has passed."""
    return Lock(**{**values, "platforms": {name: _platform(parts) for name, parts in values["platforms"].items()}})


def _platform(values: dict[str, Any]) -> PlatformLock:
    lists: dict[str, type[Archive | Artifact]] = {"archives": Archive, "debs": Deb, "wheels": Wheel, "server": Wheel}
    if "builders" in values:
        lists["builders"] = Wheel
    rows = {name: tuple(kind(**_tuples(row)) for row in values[name]) for name, kind in lists.items()}
    steps = {"steps": tuple(_step(row) for row in values["steps"])} if "steps" in values else {}
    layers = tuple(
        RecordedLayer(**{**row, "blobs": {name: Rendering(**blob) for name, blob in row["blobs"].items()}})
        for row in values.get("layers", ())
    )
    python, below = _interpreter(values["interpreter"]), _base_image(values.get("base_image"))
    needs: dict[str, Any] = {"requires": Requires(**_tuples(values["requires"]))} if values.get("requires") else {}
    needs |= {"without_scripts": tuple(values.get("without_scripts", ()))}
    whole = {**values, **rows, **steps, **needs, "interpreter": python, "layers": layers, "base_image": below}
    return PlatformLock(**whole)


def _base_image(values: dict[str, Any] | None) -> BaseImage | None:
    if values is None:
        return None
    return BaseImage(**{**_tuples(values), "layers": tuple(BaseLayer(**_tuples(row)) for row in values["layers"])})


def _interpreter(values: dict[str, Any]) -> Interpreter:
    archive = values.get("archive")
    return Interpreter(**{**values, "archive": InterpreterArchive(**_tuples(archive)) if archive else None})


def _step(values: dict[str, Any]) -> Step:
    secrets = tuple(SecretMount(**row) for row in values["secrets"])
    return Step(**{**values, "secrets": secrets, "variables": tuple(values["variables"])})


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    source = {"source": Source(**row["source"])} if "source" in row else {}
    return {**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}, **source}


def _fields(value: Any) -> dict[str, Any]:
    values = ((one, getattr(value, one.name)) for one in fields(value))
    return {one.name: found for one, found in values if not (one.metadata.get("seldom") and found == one.default)}


_ROW = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_fields)


def _render(value: Any, indent: str) -> str:
    """Objects and lists of objects open up; an object in a list is one line."""
    inner = indent + "  "
    if is_dataclass(value):
        value = _fields(value)
    if isinstance(value, Mapping) and value:
        rows = (f"{inner}{json.dumps(key)}: {_render(value[key], inner)}" for key in sorted(value))
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, tuple) and value:
        return "[\n" + ",\n".join(inner + _ROW.encode(item) for item in value) + f"\n{indent}]"
    return _ROW.encode(value)
