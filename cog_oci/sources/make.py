"""A file of the project, an address, a repository or a source archive → a wheel, by Cog's rules for such lines."""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from cog_oci.indexes import bare, without_logins
from cog_oci.lock import Source, Wheel
from cog_oci.oci import Digest
from cog_oci.requirement_lines import ARCHIVES
from cog_oci.sources._git import Repository, checkout
from cog_oci.sources._trees import inside, unpack
from cog_oci.sources.build import Project
from cog_oci.store import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.fetch import Fetcher
    from cog_oci.progress import Progress
    from cog_oci.requirement_lines import Line
    from cog_oci.resolver.python import Target
    from cog_oci.sources.build import Workbench
    from cog_oci.store import Store

__all__ = ["OURS", "LineError", "Maker", "take"]

OURS = frozenset({"cog", "coglet"})
"""What the image brings itself, whatever version a project asks for."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Maker:
    """Makes wheels of lines. `kept` are wheels of an earlier lock, and `tools` what those were built with."""

    folder: Path
    target: Target
    store: Store
    fetcher: Fetcher
    progress: Progress
    bench: Workbench
    kept: Sequence[Wheel] = ()
    tools: Sequence[Wheel] = ()

    def of_line(self, line: Line) -> tuple[Wheel, Sequence[Wheel]] | None:
        """The wheel of a line and what it was built with; None for a line that does not count here."""
        if line.source != "path" and not self._applies(line.rest):
            return None
        if line.name in OURS or (line.source == "path" and _stem(line.where) in OURS):
            self.progress.say(f"leaving out {without_logins(line.text)}: the image brings its own")
            return None
        made = {"path": self._of_path, "url": self._of_url, "git": self._of_git}[line.source](line)
        wheel = made[0]
        if line.name and wheel.name != line.name:
            raise LineError(f"{bare(line.where)} is {wheel.name}, not {line.name}")
        tags = parse_wheel_filename(wheel.file)[3]
        if tags.isdisjoint(self.target.tags()):
            python = ".".join(map(str, self.target.python))
            raise LineError(f"{wheel.file} is not for Python {python} on Linux {self.target.machine}")
        return made

    def counts(self, line: Line) -> bool:
        """Whether markers that are said of a line elsewhere let it count here; LineError for what is no marker."""
        within, unless = ([self._applies(f";{one}") for one in said] for said in (line.within, line.unless))
        return all(within) and not any(unless)

    def _applies(self, rest: str) -> bool:
        if not rest:
            return True
        if not rest.startswith(";"):
            raise LineError(f"{rest!r} does not belong here")
        try:
            return Marker(rest.removeprefix(";")).evaluate(dict(self.target.environment()))  # type: ignore[arg-type]  # a TypedDict is a dict
        except InvalidMarker as error:
            raise LineError(f"{rest!r} is no marker: {error}") from None

    def _of_path(self, line: Line) -> tuple[Wheel, Sequence[Wheel]]:
        path = self._file(line)
        digest, size = take(path, self.store)
        where = path.relative_to(self.folder.resolve()).as_posix()
        return self.of_file(path.name, digest, size, Source(path=where))

    def _file(self, line: Line) -> Path:
        """The file that a line names, by Cog's rules for such lines."""
        if line.text.startswith("-e") or line.text.startswith("--editable"):
            raise LineError("an image has no editable packages: build a wheel of it and name the file")
        if " @ " in line.text and not line.text.startswith(line.where):
            raise LineError("a file of the project is named by its path alone")
        if line.rest:
            raise LineError(f"{line.rest!r} does not belong after a path: the file itself is locked")
        if line.where.startswith("file:") or line.where.startswith("~"):
            raise LineError("a file of the project is named by its path, from here")
        path = (line.file.absolute().parent / line.where).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise LineError(f"{line.where} is outside the project: an image is made of what is in it")
        if path.is_dir():
            raise LineError(f"{line.where} is a folder: build a wheel or a source archive of it and name the file")
        if not path.name.lower().endswith(ARCHIVES):
            raise LineError(f"{line.where} is neither a wheel nor a source archive ({' '.join(ARCHIVES)})")
        if not path.is_file():
            raise LineError(f"{line.where} does not exist")
        return path

    def _of_url(self, line: Line) -> tuple[Wheel, Sequence[Wheel]]:
        address, fragment = urldefrag(line.where)
        if "+" in (scheme := urlsplit(address).scheme):
            raise LineError(
                f"{bare(address)} is a repository of {scheme.partition('+')[0]}, and only git is known here"
            )
        file = Path(unquote(urlsplit(address).path)).name  # a local version has %2B there for its plus sign
        if not file.lower().endswith(ARCHIVES):
            raise LineError(f"{bare(address)} does not end in the name of a file ({' '.join(ARCHIVES)})")
        source = Source(url=bare(address), subdirectory=_subdirectory(fragment))
        promised = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})", fragment)
        if re.search(r"(?:^|&)(?:md5|sha1|sha224|sha384|sha512)=", fragment):
            raise LineError("the hash of an address is to be a sha256")
        wanted = promised[1].lower() if promised else self._known(source)
        if wanted:
            digest = Digest(f"sha256:{wanted}")
            size = self.fetcher.blob(file, [address], digest, None).stat().st_size
        else:
            digest, size = self.fetcher.unknown(file, address)
        if line.hashes and digest.removeprefix("sha256:") not in line.hashes:  # nothing of it is built, then
            raise LineError(f"{file} has the hash {digest}, which is none of the {len(line.hashes)} given here")
        return self.of_file(file, digest, size, source)

    def _known(self, source: Source) -> str:
        """The hash that an earlier lock has for what is at this address."""
        for wheel in self.kept:
            if wheel.source and (wheel.source.url, wheel.source.commit) == (source.url, ""):
                return wheel.source.sha256 or wheel.sha256
        return ""

    def _of_git(self, line: Line) -> tuple[Wheel, Sequence[Wheel]]:
        if line.hashes:
            raise LineError("a repository is pinned by its commit: --hash does not belong here")
        return self.of_repository(line.name, Repository.parse(line.where))

    def of_repository(self, name: str, repository: Repository, commit: str = "") -> tuple[Wheel, Sequence[Wheel]]:
        """The wheel that is built from a repository at its revision, or at a `commit` that this once was.

        Without a commit, that of an earlier lock. Raises what `checkout` and `Workbench.build` raise.
        """
        source = Source(
            url=bare(repository.address), revision=repository.revision, subdirectory=repository.subdirectory
        )
        before = next((one.source for one in self.kept if one.source and _unpinned(one.source) == source), None)
        pinned = commit or (before.commit if before else "")
        wanted = Repository(repository.address, pinned, "") if pinned else repository
        with tempfile.TemporaryDirectory(prefix="cog-oci-git-") as folder:
            tree = Path(folder) / "source"
            commit = checkout(wanted, tree)
            return self.built(name or bare(repository.address), tree, replace(source, commit=commit))

    def of_file(self, file: str, digest: Digest, size: int, source: Source) -> tuple[Wheel, Sequence[Wheel]]:
        """The wheel in a file that is in the store, or that is built from it."""
        sha256 = digest.removeprefix("sha256:")
        if not file.lower().endswith(".whl"):
            return self.from_archive(replace(source, file=file, sha256=sha256, size=size))
        try:
            name, version, *_ = parse_wheel_filename(file)
        except InvalidWheelFilename as error:
            raise LineError(str(error)) from None
        wheel = Wheel(
            name=str(name), version=str(version), file=file, sha256=sha256, size=size, index="", source=source
        )
        return wheel, ()

    def from_archive(self, source: Source, name: str = "") -> tuple[Wheel, Sequence[Wheel]]:
        """The wheel that is built from a source archive in the store. Raises what Workbench.build raises."""
        with tempfile.TemporaryDirectory(prefix="cog-oci-source-") as folder:
            tree = unpack(self.store.path(Digest(f"sha256:{source.sha256}")), source.file, Path(folder))
            return self.built(name or source.file, tree, source)

    def metadata(self, wheel: Wheel) -> bytes:
        """METADATA of a wheel that is in the store."""
        with zipfile.ZipFile(self.store.path(wheel.digest)) as archive:
            found = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            return archive.read(next(found))

    def built(self, name: str, tree: Path, source: Source) -> tuple[Wheel, Sequence[Wheel]]:
        """The wheel that is built from a folder, which is used up."""
        inside(tree, source.subdirectory, name)
        before = next((one for one in self.kept if one.source and _unpinned(one.source) == _unpinned(source)), None)
        kept = [tool for tool in self.tools if before and before.name in tool.needed_by]
        project = Project(tree, source.sha256 or source.commit, source.subdirectory)
        made = self.bench.build(name, project, kept=kept)
        wheel = Wheel(
            **{one: getattr(made, one) for one in ("name", "version", "file", "sha256", "size")},
            index="",
            source=source,
        )
        return wheel, [_for(tool, made.name) for tool in made.tools]


class LineError(Exception):
    """What is wrong with a line; it is told where it stands."""


def take(path: Path, store: Store, expected: str = "") -> tuple[Digest, int]:
    """A file of the project into the store: its digest, and its size in bytes.

    Raises DigestMismatchError when it is not the `expected` one (hexadecimal).
    """
    taken = hashlib.sha256()
    with path.open("rb") as file, store.incoming() as incoming:
        while chunk := file.read(_CHUNK):
            taken.update(chunk)
            incoming.write(chunk)
        digest = Digest(f"sha256:{taken.hexdigest()}")
        if expected and taken.hexdigest() != expected:
            raise DigestMismatchError(path.name, expected=f"sha256:{expected}", actual=digest)
        incoming.commit(digest)
    return digest, path.stat().st_size


def _for(tool: Wheel, name: str) -> Wheel:
    return replace(tool, needed_by=(name,))


def _unpinned(source: Source) -> Source:
    """Where it is, whatever is there now."""
    return replace(source, commit="", file="", sha256="", size=0)


def _subdirectory(fragment: str) -> str:
    found = re.search(r"(?:^|&)subdirectory=([^&]+)", fragment)
    return found[1].strip("/") if found else ""


def _stem(path: str) -> str:
    """The name of the package that a path of a wheel or a source archive seems to have."""
    return canonicalize_name(re.split(r"-(?=\d)", Path(path).name)[0])
