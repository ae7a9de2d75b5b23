"""The Python in an image, found as its `PATH` would find it, and what it needs of the image; nothing is executed.

What a program is follows from where it lies: the standard library beside it, the `pyvenv.cfg` above it (PEP 405), the
dynamic linker that its ELF header names, and the C library beside that.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.base_image._elf import ElfError, read_elf
from cog_oci.base_image._unfit import UnfitBaseError
from cog_oci.cog_yaml import PYTHON_VERSIONS
from cog_oci.lock import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cog_oci.contents import Root

__all__ = ["find_python", "is_wanted"]

_WANTED = re.compile(
    r"""(?x)
        (?:etc|usr/lib)/os-release
      | var/lib/dpkg/(?:status|status\.d/[^/]+)
      | (?:.*/)?pyvenv\.cfg
      | (?:.*/)?include/python3\.\d+/patchlevel\.h
      | (?:.*/)?libc(?:-2\.\d+)?\.so(?:\.6)?
    """
)
_USUAL = ("/usr/local/bin", "/usr/bin", "/opt/conda/bin", "/opt/python/bin")
"""Where images have a Python that is not on their PATH."""
_MOST_LINKS = 40  # as in Linux (path_resolution(7))
_DEBIANS = ("bookworm", "trixie")


@dataclass(frozen=True, slots=True)
class _Python:
    """One that was found: its path without the slash, its X.Y, and its X.Y.Z where the image says it."""

    path: str
    version: str
    release: str

    def __str__(self) -> str:
        return f"Python {self.release or self.version} (/{self.path})"


def is_wanted(path: str) -> bool:
    """Whether the content of this file says something about the image's Python."""
    return _WANTED.fullmatch(path) is not None


def find_python(
    root: Root,
    kept: Mapping[str, bytes],
    read: Callable[[str], bytes],
    path: Sequence[str],
    architecture: str,
    wanted: str,
    name: str,
) -> tuple[Interpreter, str]:
    """The interpreter and the version of its glibc, as `2.36`.

    `kept` are contents of files that are `is_wanted`, and `read` gives any other; `path` are the folders of PATH,
    `wanted` is X.Y, X.Y.Z or empty for the first that there is, and `name` the image's. Raises UnfitBaseError.
    """
    found = list(_Search(root, kept).all((*path, *_USUAL)))
    if not found:
        raise UnfitBaseError(
            name, "there is no Python 3 on its PATH", hint="use an image that has one, or leave out build.base_image"
        )
    fitting = [one for one in found if wanted in {"", one.version, one.release}]
    if not fitting:
        raise UnfitBaseError(
            name,
            f"it has {', '.join(map(str, found))}, and build.python_version asks for {wanted}",
            hint=f"say `python_version: '{found[0].version}'`, or leave it out and the image decides",
        )
    python = fitting[0]
    if python.version not in PYTHON_VERSIONS:
        other = next((one for one in fitting if one.version in PYTHON_VERSIONS), None)
        raise UnfitBaseError(
            name,
            f"its {python} is none of {', '.join(PYTHON_VERSIONS)}",
            hint=f"it has {other} too: say `python_version: '{other.version}'`" if other else None,
        )
    glibc = _glibc(python, root, kept, read, architecture, name)
    interpreter = Interpreter(
        source="base image", suite=_suite(kept), version=python.version, executable=f"/{python.path}"
    )
    return interpreter, glibc


class _Search:
    def __init__(self, root: Root, kept: Mapping[str, bytes]) -> None:
        self._root, self._kept = root, kept
        pattern = re.compile(r"(?:(.*)/)?lib(?:64)?/python(3\.\d+)/os\.py")
        libraries = (match.groups() for path in root if (match := pattern.fullmatch(path)))
        self._libraries = {(prefix or "", version) for prefix, version in libraries}

    def all(self, folders: Sequence[str]) -> Iterator[_Python]:
        """Every one in these folders, in their order, each once; within a folder, `python3` before others."""
        seen: set[str] = set()
        names = ("python3", "python", *(f"python{version}" for version in reversed(PYTHON_VERSIONS)))
        for folder in dict.fromkeys(folders):
            for name in names:
                python = self._at(f"{folder.strip('/')}/{name}")
                if python is not None and python.path not in seen:
                    seen.add(python.path)
                    yield python

    def _at(self, path: str, environments: int = 3) -> _Python | None:
        chain = list(follow(self._root, path))
        for step in chain:
            home = self._home(step)
            if home is not None and environments:
                names = (posixpath.basename(step), "python3", "python")
                return next(filter(None, (self._at(f"{home}/{one}", environments - 1) for one in names)), None)
        if not chain or (seen := self._root.get(chain[-1])) is None or seen.member.kind != "file":
            return None
        real = chain[-1]
        prefix = posixpath.dirname(posixpath.dirname(real))
        named = re.fullmatch(r"python(3\.\d+)", posixpath.basename(real))
        versions = [named[1]] if named else [version for _, version in sorted(self._libraries)]
        for version in versions:
            if (prefix, version) in self._libraries:
                return _Python(real, version, self._release(prefix, version))
        return None

    def _home(self, step: str) -> str | None:
        """The folder of the interpreter that a virtual environment is made on; None for what is in none."""
        config = self._kept.get(posixpath.join(posixpath.dirname(posixpath.dirname(step)), "pyvenv.cfg"))
        if config is None:
            return None
        found = re.search(r"^\s*home\s*=\s*(\S.*?)\s*$", config.decode("utf-8", "replace"), re.MULTILINE)
        return found[1].strip("/") if found else None

    def _release(self, prefix: str, version: str) -> str:
        """X.Y.Z, as headers, Debian or conda say it; empty where none does."""
        header = self._kept.get(posixpath.join(prefix, f"include/python{version}/patchlevel.h"), b"")
        if said := re.search(rb'#define\s+PY_VERSION\s+"(\d+\.\d+\.\d+)', header):
            return said[1].decode()
        if prefix == "usr":
            return _debian_release(self._kept, version)
        conda = re.compile(re.escape(posixpath.join(prefix, "conda-meta/python-")) + r"(\d+\.\d+\.\d+)-[^/]+\.json")
        return next((found[1] for path in self._root if (found := conda.fullmatch(path))), "")


def follow(root: Root, path: str) -> Iterator[str]:
    """Where a path leads, step by step: each time with the folders in it followed; nothing for what is not there."""
    for _ in range(_MOST_LINKS):
        real = root.resolve(path)
        seen = root.get(real)
        if seen is None:
            return
        yield real
        if seen.member.kind != "symlink":
            return
        target = seen.member.target
        path = target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(real), target)


def _debian_release(kept: Mapping[str, bytes], version: str) -> str:
    name = f"python{version}-minimal".encode()
    for path, data in kept.items():
        if path.startswith("var/lib/dpkg/"):
            for stanza in data.split(b"\n\n"):
                found = re.search(rb"^Version: (?:\d+:)?(\d+\.\d+\.\d+)", stanza, re.MULTILINE)
                if found and re.search(rb"^Package: (?:lib)?" + re.escape(name) + rb"$", stanza, re.MULTILINE):
                    return found[1].decode()
    return ""


def _glibc(
    python: _Python,
    root: Root,
    kept: Mapping[str, bytes],
    read: Callable[[str], bytes],
    architecture: str,
    name: str,
) -> str:
    """The version of the C library that the interpreter runs on."""
    try:
        elf = read_elf(read(python.path))
    except ElfError as error:
        raise UnfitBaseError(name, f"its /{python.path} is no program for Linux: {error}") from None
    if elf.architecture != architecture:
        raise UnfitBaseError(name, f"its /{python.path} is for {elf.architecture}, and not for {architecture}")
    if "musl" in elf.linker:
        raise UnfitBaseError(
            name,
            "its Python runs on musl, for which few packages have wheels, and the server has none",
            hint="use an image on Debian or another system with glibc: python:3.12-slim in place of python:3.12-alpine",
        )
    *_, linker = ("", *follow(root, elf.linker.lstrip("/")))
    beside = posixpath.join(posixpath.dirname(linker), "libc.so.6")
    for library in follow(root, beside):
        if found := re.search(rb"GNU C Library [^\n]*release version (\d+\.\d+)", kept.get(library, b"")):
            return found[1].decode()
    raise UnfitBaseError(name, f"there is no glibc beside the dynamic linker of its Python, {elf.linker or 'none'}")


def _suite(kept: Mapping[str, bytes]) -> str:
    """Debian's code name where it is one whose packages can be added; else empty."""
    text = (kept.get("usr/lib/os-release") or kept.get("etc/os-release") or b"").decode("utf-8", "replace")
    said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return said["VERSION_CODENAME"] if said.get("ID") == "debian" and said.get("VERSION_CODENAME") in _DEBIANS else ""
