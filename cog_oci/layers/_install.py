"""Wheels installed without pip: PEP 427 by `installer`, into entries of a layer instead of a folder.

`installer` decides what goes where, writes scripts and RECORD, but for the files that only stay where they are: a large
wheel has ten thousand. Nothing is unpacked to disk, and what lies deflated in the wheel stays deflated.
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
from installer.exceptions import InvalidWheelSource
from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.scripts import Script
from installer.sources import WheelSource
from installer.utils import SCHEME_NAMES, Scheme, fix_shebang, parse_wheel_filename

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
    """Where wheels go: a folder for each scheme key of PEP 427, and the interpreter that scripts name.

    `purelib` and `platlib` are one folder: what a wheel has besides metadata and `.data` goes there, whatever it says.
    """

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
                source = _Source(wheel.file, members)
                destination.keep(source.get_packages())
                install(source, destination, {"INSTALLER": b"cog-oci\n"})
            except (InvalidRecordEntry, ValueError, KeyError, AssertionError) as error:
                raise CogError(f"{wheel.file} is not a wheel that can be installed: {error}") from error
            except InvalidWheelSource as error:  # it has the source before the words
                raise CogError(f"{wheel.file} is not a wheel that can be installed: {error.args[-1]}") from error
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
        """What `installer` has to decide about: the metadata, and what `.data` says goes elsewhere.

        ValueError for what is in `.data` and not in the folder of a scheme: `installer` may look for one for ever.
        """
        for name, member in self._members.items():
            top, _, below = name.partition("/")
            if top == self.data_dir and below.partition("/")[0] not in SCHEME_NAMES:
                raise ValueError(f"{name} is in no folder of a scheme")
            if top == self.data_dir and not below.partition("/")[2]:
                raise ValueError(f"{name} is a file where there has to be a folder")
            if top in self._special and not _is_bytecode(name):
                record = self._recorded(name)
                yield record, cast("BinaryIO", _Stream(member, record[1])), member.is_executable

    def get_packages(self) -> Iterator[tuple[Member, str]]:
        """Every other file, and its hash as RECORD has it; InvalidRecordEntry for a line that is none."""
        special, rows = self._special, self._record
        for name, member in self._members.items():
            if name.partition("/")[0] in special or _is_bytecode(name):
                continue
            _, recorded, size = rows.get(name, (name, "", ""))
            if not (recorded.startswith("sha256=") and size.isdecimal()):  # what nearly every line is
                RecordEntry.from_elements(name, recorded, size)
            yield member, recorded

    @cached_property
    def _special(self) -> tuple[str, str]:
        return self.dist_info_dir, self.data_dir

    def _recorded(self, name: str) -> tuple[str, str, str]:
        return self._record.get(name, (name, "", ""))

    @cached_property
    def _record(self) -> dict[str, tuple[str, str, str]]:
        return {row[0]: row for row in parse_record_file(self.read_dist_info("RECORD").splitlines())}


def _is_bytecode(name: str) -> bool:
    """Of another machine: installers refuse it too."""
    return "__pycache__" in name and "__pycache__" in name.split("/")


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
        self._lines: list[str] = []

    def keep(self, packages: Iterable[tuple[Member, str]]) -> None:
        """Files that go where packages are, as they lie in the wheel, with their hashes for RECORD."""
        root = self._prefix.schemes["purelib"] + "/"
        for member, recorded in packages:
            path = member.info.filename
            mode = 0o755 if member.is_executable else 0o644
            self.entries.append(Entry(path=root + path, mode=mode, content=member))
            self._lines.append(_line((path, recorded, str(member.size))))

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
        relative = {owner: _relative(folder, root) for owner, folder in self._prefix.schemes.items()}
        rows = {_line(record.to_row(relative[owner])) for owner, record in records}
        rows |= {*self._lines, _line((record_file_path, "", ""))}
        self.entries.append(Entry.file(f"{root}/{record_file_path}", "\n".join(sorted(rows)) + "\n"))

    def _bytes(self, target: str, path: str, data: bytes, mode: int) -> RecordEntry:
        self.entries.append(Entry(path=target, mode=mode, content=Bytes(data)))
        digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        return RecordEntry(path, Hash("sha256", digest), len(data))


def _relative(folder: str, root: str) -> str | None:
    if folder == root:
        return None
    return posixpath.relpath(folder, root) + "/"


def _line(row: tuple[str, str, str]) -> str:
    """A line of RECORD: quoted where CSV needs it, which is hardly ever."""
    joined = ",".join(row)
    if joined.count(",") == len(row) - 1 and '"' not in joined and "\n" not in joined:
        return joined
    return ",".join(map(_quoted, row))


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if any(char in field for char in ',"\n') else field
