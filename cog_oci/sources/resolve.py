"""Requirements → wheels, wherever they come from: indexes, the project, addresses, repositories, source archives.

uv resolves wheels. Where a package has none, it is asked again with an index beside the others that shows it the source
archives of that package; what it chooses is built. So nothing is built that another version's wheel would have spared,
and nothing runs outside the sandbox.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cog_oci.errors import CogError, Problem, SourceError
from cog_oci.fetch import FetchError, NotFoundError
from cog_oci.indexes import DEFAULT, bare, without_logins
from cog_oci.lock import Source, Wheel
from cog_oci.oci import Digest
from cog_oci.requirement_lines import Options, RequirementLines, read_requirement_lines, shown
from cog_oci.resolver import python
from cog_oci.resolver.python import Given, Keep, NoWheelError
from cog_oci.sources._index import IndexedFile, SourceIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from packaging.pylock import PackageWheel

    from cog_oci.indexes import Indexes
    from cog_oci.origins import Origins
    from cog_oci.progress import Progress
    from cog_oci.resolver.target import Target
    from cog_oci.sources.make import Maker

__all__ = ["Resolved", "Resolver", "merged"]

_ROUNDS = 20  # each shows uv the source archives of more packages


@dataclass(frozen=True, slots=True)
class Resolved:
    """The wheels, sorted by name, and those that some of them were built with."""

    wheels: tuple[Wheel, ...]
    builders: tuple[Wheel, ...] = ()


@dataclass(frozen=True)
class Resolver:
    """Resolves for one target, with nothing newer than `as_of`.

    `making` gives who makes the wheels that no index has, when there is one to be made. `meanwhile` is called each time
    that uv has begun its work, for what need not wait for it.
    """

    target: Target
    making: Callable[[], Maker]
    origins: Origins
    indexes: Indexes
    as_of: datetime
    progress: Progress
    meanwhile: Callable[[], None] = python.nothing

    @cached_property
    def maker(self) -> Maker:
        """Who makes the wheels."""
        return self.making()

    def resolve(self, wanted: Path | Sequence[str], keep: Keep, name: str) -> Resolved:
        """The wheels for a requirements file, or a list of requirements; `name` is what messages call it.

        Raises what `python.resolve` raises, SourceError at a line that cannot be, and CannotBuildError or BuildError
        for a package that has to be built.
        """
        with tempfile.TemporaryDirectory(prefix="cog-oci-given-") as folder:
            scratch = Path(folder)
            file = wanted if isinstance(wanted, Path) else _listed(wanted, scratch)
            said = read_requirement_lines(file)
            if wrong := [line for line in said.lines if line.wrong]:
                raise SourceError([Problem(shown(line.file, name), line.number, 1, line.wrong) for line in wrong])
            if said.plain:
                return self._chosen(wanted, keep, name, said, Given(complete=self._complete), ())
            from cog_oci.sources.given import make_given  # noqa: PLC0415 - most files are plain

            if said.absent:
                problems = [
                    Problem(shown(at, name), number, 1, f"{without_logins(text)} names no file here")
                    for at, number, text in said.absent
                ]
                raise SourceError(problems, hint="put the file beside the one that includes it")
            for at, number, text in said.options.others:
                place = f"{shown(at, name)}:{number}"
                self.progress.say(f"{place}: {without_logins(text)} means nothing here, and is left out")
            given, tools = make_given(said, self.maker, scratch, name)
            links = frozenset(map(_as_address, said.options.find_links))
            given = replace(given, links=links, complete=self._complete)
            return self._chosen(wanted, keep, name, said, given, tools)

    def _chosen(
        self,
        wanted: Path | Sequence[str],
        keep: Keep,
        name: str,
        said: RequirementLines,
        given: Given,
        tools: tuple[Wheel, ...],
    ) -> Resolved:
        names = frozenset(said.options.no_binary - {":all:"})
        everything = ":all:" in said.options.no_binary
        for _ in range(_ROUNDS):
            index = self._index(names, said.options)
            try:
                if names or everything:
                    with index.served() as address:
                        wheels = self._ask(wanted, keep, name, replace(given, before=address))
                else:
                    wheels = self._ask(wanted, keep, name, given)
            except CogError as error:
                if index.failure is not None:
                    raise index.failure from None
                missing = self._buildable(error, said.options) - names
                if not missing:
                    raise
                names |= missing
            else:
                return self._built(wheels, index, tools)
        raise CogError(f"{name}: found no set of packages that fits in {_ROUNDS} rounds", hint="pin some of them")

    def _ask(self, wanted: Path | Sequence[str], keep: Keep, name: str, given: Given) -> list[Wheel]:
        return python.resolve(
            wanted,
            self.target,
            self.as_of,
            name=name,
            progress=self.progress,
            keep=keep,
            indexes=self.indexes,
            given=given,
            meanwhile=self.meanwhile,
        )

    def _buildable(self, error: CogError, options: Options) -> frozenset[str]:
        """The packages of which uv says that they have no wheel, and that have a source archive."""
        said = error if isinstance(error, NoWheelError) else error.__cause__
        if not isinstance(said, NoWheelError) or ":all:" in options.only_binary:
            return frozenset()
        return frozenset(name for name in said.names - options.only_binary if self._has_source(name))

    def _has_source(self, name: str) -> bool:
        try:
            return any(not one.file.endswith(".whl") for one in self._files(name))
        except CogError:  # what uv said is told instead
            return False

    def _index(self, names: frozenset[str], options: Options) -> SourceIndex:
        forced = options.no_binary
        return SourceIndex(
            names,
            self.target,
            from_source=lambda name: name in forced or ":all:" in forced,
            files=self._files,
            metadata=self._metadata,
            everything=":all:" in forced,
        )

    def _files(self, name: str) -> list[IndexedFile]:
        """What the first index that has the package lists of it."""
        for index in (*self.indexes.searched(), DEFAULT):
            place = "index-url" if index == DEFAULT and "index-url" in self.indexes.written else index
            try:
                listed = self.origins.listed(name, place)
            except NotFoundError:
                continue
            except FetchError as error:
                if error.reason.startswith("HTTP 403") and index != DEFAULT and self.indexes.is_pytorch(index):
                    continue
                raise
            return [IndexedFile(place, one.file, one.address, one.row) for one in listed]
        return []

    def _source(self, one: IndexedFile) -> Source:
        """A source archive of an index, brought into the store."""
        fetcher = self.maker.fetcher
        if one.sha256:
            digest = Digest(f"sha256:{one.sha256}")
            size = fetcher.blob(one.file, [one.address], digest, one.row.get("size")).stat().st_size
        else:
            digest, size = fetcher.unknown(one.file, one.address)
        return Source(index=one.index, file=one.file, sha256=digest.removeprefix("sha256:"), size=size)

    def _metadata(self, one: IndexedFile) -> bytes:
        """What the wheel of a source archive will say of itself, without building it where the archive promises so."""
        from cog_oci.sources._trees import static_metadata, unpack  # noqa: PLC0415 - few packages have no wheel

        source = self._source(one)
        with tempfile.TemporaryDirectory(prefix="cog-oci-source-") as folder:
            tree = unpack(self.maker.store.path(Digest(f"sha256:{source.sha256}")), source.file, Path(folder))
            if (said := static_metadata(tree)) is not None:
                return said
        wheel, _ = self.maker.from_archive(source, one.file)
        return self.maker.metadata(wheel)

    def _built(self, wheels: Sequence[Wheel], index: SourceIndex, tools: tuple[Wheel, ...]) -> Resolved:
        """The wheels with those in place that have to be built, and all that others were built with."""
        found: list[Wheel] = []
        used = list(tools)
        for wheel in wheels:
            if one := index.offered.get(wheel.file):
                made, more = self.maker.from_archive(self._source(one), wheel.name)
                found.append(replace(made, needed_by=wheel.needed_by))
                used += more
            elif wheel.name in index.indexes and wheel.source is None:
                found.append(replace(wheel, index=index.indexes[wheel.name]))
            else:
                found.append(wheel)
        return Resolved(tuple(found), merged(used))

    def _complete(self, wheel: PackageWheel, *, linked: bool) -> tuple[str, int, Source | None]:
        """What an index or a page of links does not say of a wheel: asked of the server, or read from the file."""
        address = str(wheel.url or Path(str(wheel.path)).absolute().as_uri())
        file, sha256 = wheel.filename, wheel.hashes.get("sha256", "")
        parts = urlsplit(address)
        if parts.scheme == "file":
            from urllib.request import url2pathname  # noqa: PLC0415 - slow to load, and few wheels are files

            return self._in_project(Path(url2pathname(unquote(parts.path))), file)
        source = Source(url=bare(address)) if linked else None
        if sha256:
            return sha256, wheel.size or self.maker.fetcher.size(file, address), source
        digest, size = self.maker.fetcher.unknown(file, address)
        return digest.removeprefix("sha256:"), size, source

    def _in_project(self, path: Path, file: str) -> tuple[str, int, Source]:
        from cog_oci.sources.make import take  # noqa: PLC0415 - few projects have wheels

        root = self.maker.folder.resolve()
        if not path.resolve().is_relative_to(root):
            raise CogError(
                f"{file} is in {path.parent}, which --find-links names, outside the project",
                hint="an image is made of what is in its project: move the folder into it",
            )
        digest, size = take(path, self.maker.store)
        where = path.resolve().relative_to(root).as_posix()
        return digest.removeprefix("sha256:"), size, Source(path=where)


def _listed(lines: Sequence[str], scratch: Path) -> Path:
    file = scratch / "requirements.in"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def _as_address(place: str) -> str:
    """How uv names a place that --find-links names."""
    return place if "://" in place else Path(place).as_uri()


def merged(tools: Sequence[Wheel]) -> tuple[Wheel, ...]:
    """Each wheel once, with every package that it builds."""
    by_hash: dict[str, Wheel] = {}
    for tool in tools:
        known = by_hash.get(tool.sha256, tool)
        by_hash[tool.sha256] = replace(known, needed_by=tuple(sorted({*known.needed_by, *tool.needed_by})))
    return tuple(sorted(by_hash.values(), key=lambda tool: (tool.name, tool.version, tool.sha256)))
