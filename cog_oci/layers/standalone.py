"""A python-build-standalone archive as a layer: the interpreter under /opt/python, without what only its builders need.

The archive is one of the `install_only` kind: everything is below `python/`, and it runs wherever it lies.
"""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import recipe
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.lock import InterpreterArchive
    from cog_oci.store import Store

__all__ = ["DamagedInterpreterError", "StandaloneLayer"]

_VERSION = 1
_ROOT = "opt/python"
_LARGEST = 2 << 30  # bytes of an archive, unpacked: the real ones are a tenth of it
_LEFT_OUT = re.compile(
    r"""(?x)
        share/man(/.*)?                                       # read where Python is installed for people
      | lib/.*\.a                                             # libpython to link into other programs
      | (?:.*/)?__pycache__(/.*)?                             # of other time stamps; the image's own is a layer above
      | lib/python3\.\d+/(?:.*/)?(?:test|tests|idle_test)(/.*)?   # Python's tests of itself
      | lib/python3\.\d+/site-packages/.*                     # pip, which belongs into an environment
      | bin/(?:pip|easy_install).*
    """
)
_BUILT_IN = re.compile(rb"(?<![\w/.-])/install(?![\w.-])")
"""The prefix that the archive was built for; what tells it to compilers is set right."""
_TELLS_PREFIX = re.compile(r"lib/python3\.\d+/_sysconfigdata_\w*[^/]*\.py|lib/pkgconfig/[^/]+\.pc")
_MANAGED = """[externally-managed]
Error=This interpreter belongs to the image. Packages go into the virtual environment at /opt/venv: name them in the
 requirements of cog.yaml and build the image again.
"""


class DamagedInterpreterError(CogError):
    """An archive that is not what python-build-standalone makes: `archive` is its file name."""

    def __init__(self, archive: str, problem: str) -> None:
        self.archive, self.problem = archive, problem
        super().__init__(f"{archive} {problem}", hint="it is not a python-build-standalone archive (install_only)")


@dataclass(frozen=True)
class StandaloneLayer:
    """The interpreter of one archive."""

    archive: InterpreterArchive

    @property
    def name(self) -> str:
        """`interpreter 3.12.14`."""
        return f"interpreter {self.archive.version}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "Python, from python-build-standalone; changes when the tool knows a newer release"

    @property
    def artifacts(self) -> tuple[InterpreterArchive, ...]:
        """The archive."""
        return (self.archive,)

    @cached_property
    def recipe(self) -> str:
        """By the archive's hash."""
        return recipe("standalone interpreter", _VERSION, archive=self.archive.sha256)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The files, below /opt/python. Raises DamagedInterpreterError for what no interpreter's archive has in it."""
        from cog_oci.layers._deb import Slice  # noqa: PLC0415 - a layer that is known opens nothing

        file = self.archive.file.rpartition("/")[2]
        folder = store.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as spool:
            _inflate(store.path(self.archive.digest), file, spool)
            entries: dict[str, Entry] = {}
            for member in _members(spool, file):
                path = _inside(member.name, file)
                if path is None or _LEFT_OUT.fullmatch(path):
                    continue
                content = Slice(spool.fileno(), member.offset_data, member.size) if member.isreg() else None
                if content is not None and _TELLS_PREFIX.fullmatch(path):
                    data = _BUILT_IN.sub(b"/" + _ROOT.encode(), b"".join(content.chunks()))
                    entries[path] = Entry.file(f"{_ROOT}/{path}", data)
                else:
                    entries[path] = replace(_entry(member, path, file), content=content)
            _complete(entries, self.archive, file)
            yield [entry for path, entry in entries.items() if path]


def _inflate(path: object, file: str, spool: IO[bytes]) -> None:
    size = 0
    try:
        with gzip.open(str(path)) as archive:
            while chunk := archive.read(1 << 20):
                size += len(chunk)
                if size > _LARGEST:
                    raise DamagedInterpreterError(file, f"is larger than {_LARGEST} bytes when it is unpacked")
                spool.write(chunk)
    except (OSError, EOFError) as error:
        raise DamagedInterpreterError(file, f"cannot be unpacked: {error}") from None
    spool.flush()


def _members(spool: IO[bytes], file: str) -> Iterator[tarfile.TarInfo]:
    spool.seek(0)
    try:
        with tarfile.open(fileobj=spool, mode="r:", encoding="utf-8") as archive:
            yield from archive
    except tarfile.TarError as error:
        raise DamagedInterpreterError(file, f"is no tar: {error}") from None


def _inside(name: str, file: str) -> str | None:
    """The path below `python/`; None for that folder itself."""
    parts = name.removeprefix("./").rstrip("/").split("/")
    if name.startswith("/") or ".." in parts or parts[0] != "python":
        raise DamagedInterpreterError(file, f"has a file outside of python/: {name}")
    return "/".join(part for part in parts[1:] if part not in {"", "."}) or None


def _entry(member: tarfile.TarInfo, path: str, file: str) -> Entry:
    """A member at its place, as yet without content."""
    place, mode = f"{_ROOT}/{path}", 0o755 if member.mode & 0o111 or member.isdir() else 0o644
    if member.isdir():
        return Entry.directory(place)
    if member.issym():
        target = posixpath.normpath(posixpath.join(posixpath.dirname(f"python/{path}"), member.linkname))
        if member.linkname.startswith("/") or not f"{target}/".startswith("python/"):
            raise DamagedInterpreterError(file, f"has a link out of python/: {member.name} to {member.linkname}")
        return Entry.symlink(place, member.linkname)
    if member.islnk():
        target = _inside(member.linkname, file) or ""
        return Entry(path=place, kind="hardlink", mode=mode, target=f"{_ROOT}/{target}")
    if not member.isreg():
        raise DamagedInterpreterError(file, f"has something that is neither file, folder nor link: {member.name}")
    return Entry(path=place, mode=mode)


def _complete(entries: dict[str, Entry], archive: InterpreterArchive, file: str) -> None:
    """What every archive has, and what is added: the mark that keeps pip from installing beside the environment."""
    name = f"python{archive.version.rpartition('.')[0]}"
    for path in (f"bin/{name}", f"lib/{name}/os.py"):
        if path not in entries:
            raise DamagedInterpreterError(file, f"has no python/{path}")
    for path, entry in list(entries.items()):
        if entry.kind == "hardlink" and entry.target.removeprefix(f"{_ROOT}/") not in entries:
            raise DamagedInterpreterError(file, f"has a hard link to what is not in it: python/{path}")
    mark = f"lib/{name}/EXTERNALLY-MANAGED"
    entries[mark] = Entry.file(f"{_ROOT}/{mark}", _MANAGED)
