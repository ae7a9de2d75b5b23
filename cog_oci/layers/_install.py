"""Wheels installed without pip: PEP 427 by `installer`, into entries of a layer instead of a folder.

`installer` decides what goes where, writes scripts and RECORD; nothing is unpacked to disk, and what lies deflated in
the wheel stays deflated.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
from base64 import urlsafe_b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast

from installer import install
from installer.destinations import WheelDestination
from installer.records import Hash, RecordEntry, parse_record_file
from installer.scripts import Script
from installer.sources import WheelSource
from installer.utils import Scheme, fix_shebang, parse_wheel_filename

from cog_oci.errors import CogError
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers._zip import Member, open_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Literal

    from installer.scripts import LauncherKind
    from installer.sources import WheelContentElement

    from cog_oci.lock import Wheel
    from cog_oci.store import Store

__all__ = ["FileConflictError", "Prefix", "flat", "install_wheels", "venv"]


class FileConflictError(CogError):
    """Two wheels bring different files for one path."""

    def __init__(self, path: str, first: str, second: str) -> None:
        self.path, self.first, self.second = path, first, second
        super().__init__(
            f"{first} and {second} both bring {path}, and not the same",
            hint="one of the two does not belong in this image; remove it from the requirements",
        )


@dataclass(frozen=True, slots=True)
class Prefix:
    """Where wheels go: a folder for each scheme key of PEP 427, and the interpreter that scripts name."""

    schemes: Mapping[str, str]
    executable: str


def venv(python_version: str) -> Prefix:
    """The virtual environment at /opt/venv that every image has, for Python X.Y."""
    site = f"opt/venv/lib/python{python_version}/site-packages"
    return Prefix(
        {
            "purelib": site,
            "platlib": site,
            "headers": f"opt/venv/include/site/python{python_version}",
            "scripts": "opt/venv/bin",
            "data": "opt/venv",
        },
        "/opt/venv/bin/python",
    )


def flat(folder: str, executable: str) -> Prefix:
    """One folder for packages, with what else they bring beneath it."""
    return Prefix(
        {
            "purelib": folder,
            "platlib": folder,
            "headers": f"{folder}/_headers",
            "scripts": f"{folder}/_bin",
            "data": f"{folder}/_data",
        },
        executable,
    )


@contextmanager
def install_wheels(wheels: Iterable[Wheel], prefix: Prefix, store: Store) -> Iterator[list[Entry]]:
    """The files of these wheels below a prefix, each path once; readable while the context is open."""
    with ExitStack() as stack:
        owners: dict[str, tuple[str, Entry]] = {}
        for wheel in wheels:
            members = stack.enter_context(open_zip(store.path(wheel.digest), wheel.file))
            destination = _Destination(prefix)
            try:
                install(_Source(wheel.file, members), destination, {"INSTALLER": b"cog-oci\n"})
            except (ValueError, KeyError, AssertionError) as error:
                raise CogError(f"{wheel.file} is not a wheel that can be installed: {error}") from error
            for entry in destination.entries:
                owner, known = owners.setdefault(entry.path, (wheel.file, entry))
                if known is not entry and not _same(known, entry):
                    raise FileConflictError(f"/{entry.path}", owner, wheel.file)
        yield [entry for _, entry in owners.values()]


def _same(first: Entry, second: Entry) -> bool:
    if (first.mode, first.size) != (second.mode, second.size) or first.content is None or second.content is None:
        return False
    return b"".join(first.content.chunks()) == b"".join(second.content.chunks())


class _Stream(io.BytesIO):
    """What `installer` hands from source to destination: a member, inflated only when something reads it."""

    def __init__(self, member: Member, recorded: str) -> None:
        self.member, self.recorded = member, recorded
        super().__init__()

    def inflated(self) -> io.BytesIO:
        return io.BytesIO(b"".join(self.member.chunks()))


class _Source(WheelSource):
    """A wheel in the store: its name is a hash, so the file name comes from the lock."""

    def __init__(self, file: str, members: list[Member]) -> None:
        name = parse_wheel_filename(file)
        super().__init__(distribution=name.distribution, version=name.version)
        self._members = {member.info.filename: member for member in members}

    @property
    def dist_info_filenames(self) -> list[str]:
        folder = self.dist_info_dir + "/"
        return [name.removeprefix(folder) for name in self._members if name.startswith(folder)]

    @cached_property
    def dist_info_dir(self) -> str:
        # At the top only: some packages carry others, whole, inside.
        folders = {name.partition("/")[0] for name in self._members}
        folders = {folder for folder in folders if folder.endswith(".dist-info")}
        if len(folders) != 1:
            raise ValueError(f"it has {len(folders)} .dist-info folders")
        return folders.pop()

    @cached_property
    def data_dir(self) -> str:
        return self.dist_info_dir.removesuffix(".dist-info") + ".data"

    def read_dist_info(self, filename: str) -> str:
        return b"".join(self._members[f"{self.dist_info_dir}/{filename}"].chunks()).decode()

    def validate_record(self) -> None:
        """The wheel as a whole was verified against the lock."""

    def get_contents(self) -> Iterator[WheelContentElement]:
        recorded = {row[0]: row for row in parse_record_file(self.read_dist_info("RECORD").splitlines())}
        for name, member in self._members.items():
            if "__pycache__" in name.split("/"):
                continue  # bytecode of another machine; installers refuse it too
            record = recorded.get(name, (name, "", ""))
            executable = bool(member.info.external_attr >> 16 & 0o111)
            yield record, cast("BinaryIO", _Stream(member, record[1])), executable


class _Row(RecordEntry):
    """A line of RECORD whose hash is taken over as it was written, not taken apart and put together."""

    def __init__(self, path: str, recorded: str, size: int) -> None:
        self.path, self.size, self._recorded = path, size, recorded

    def to_row(self, path_prefix: str | None = None) -> tuple[str, str, str]:
        return (path_prefix or "") + self.path, self._recorded, str(self.size)


class _Destination(WheelDestination):
    """Collects entries below a prefix."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        self.entries: list[Entry] = []

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        path = os.fspath(path)
        target = f"{self._prefix.schemes[scheme]}/{path}"
        mode = 0o755 if is_executable or scheme == "scripts" else 0o644
        if not isinstance(stream, _Stream):
            return self._bytes(target, path, stream.read(), mode)
        if scheme == "scripts":
            with fix_shebang(cast("BinaryIO", stream.inflated()), self._prefix.executable) as fixed:
                return self._bytes(target, path, fixed.read(), mode)
        self.entries.append(Entry(path=target, mode=mode, content=stream.member))
        return _Row(path, stream.recorded, stream.member.size)

    def write_script(self, name: str, module: str, attr: str, section: Literal["console", "gui"]) -> RecordEntry:
        kind: LauncherKind = "posix"
        file, data = Script(name, module, attr, section).generate(self._prefix.executable, kind)
        return self._bytes(f"{self._prefix.schemes['scripts']}/{file}", file, data, 0o755)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        """RECORD, sorted, paths relative to where the packages are (PEP 376)."""
        root = self._prefix.schemes[scheme]
        rows = []
        for owner, record in records:
            row = record.to_row(_relative(self._prefix.schemes[owner], root))
            rows.append(",".join(_quoted(field) for field in row))
        rows.append(f"{_quoted(record_file_path)},,")
        self.entries.append(Entry.file(f"{root}/{record_file_path}", "\n".join(sorted(set(rows))) + "\n"))

    def _bytes(self, target: str, path: str, data: bytes, mode: int) -> RecordEntry:
        self.entries.append(Entry(path=target, mode=mode, content=Bytes(data)))
        digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        return RecordEntry(path, Hash("sha256", digest), len(data))


def _relative(folder: str, root: str) -> str | None:
    if folder == root:
        return None
    return posixpath.relpath(folder, root) + "/"


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if any(char in field for char in ',"\n') else field
