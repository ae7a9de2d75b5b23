"""Wheels of a lock that no index serves, brought into the store: files of the project taken, source built again.

A wheel that was built once is kept in the store, and carried with it. Where it is not, it is built from the same source
with the same tools on the same packages, and has to come out the same.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.base_image.bring import bring
from cog_oci.errors import CogError
from cog_oci.lock import Wheel
from cog_oci.oci import Digest
from cog_oci.sources._git import Repository, checkout
from cog_oci.sources._trees import inside, unpack
from cog_oci.sources.build import Project, Root, Workbench
from cog_oci.sources.make import take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Artifact, PlatformLock, Source
    from cog_oci.oci import Platform
    from cog_oci.origins import Origins
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["Bringer", "NotRebuiltError"]


class NotRebuiltError(CogError):
    """A wheel that did not come out as it was locked."""

    def __init__(self, wheel: Wheel, sha256: str) -> None:
        self.wheel, self.sha256 = wheel, sha256
        super().__init__(
            f"{wheel.file} was built again from the same source, and is another: expected sha256:{wheel.sha256}, "
            f"got sha256:{sha256}. Its build is not reproducible",
            hint="bring the wheel from where it was locked (`cog-oci store export`, `store import`), or lock it anew "
            f"here: `cog-oci lock --upgrade-package {wheel.name}`",
        )


@dataclass(frozen=True)
class Bringer:
    """For one platform of a lock, in the `folder` of one project; None where that is not at hand."""

    folder: Path | None
    platform: Platform
    parts: PlatformLock
    store: Store
    fetcher: Fetcher
    origins: Origins
    progress: Progress
    offline: bool = False

    def bring(self, artifacts: Iterable[Artifact]) -> None:
        """Have all of them in the store: those of indexes and archives fetched, the others taken or built.

        Raises what `Fetcher.artifacts` and `Workbench.build` raise, NotRebuiltError, and CogError for a file of the
        project that is gone.
        """
        rest = bring(artifacts, self.store, self.progress, offline=self.offline)
        wanted = [one for one in rest if not self.store.has(one.digest, one.size)]
        special = [one for one in wanted if isinstance(one, Wheel) and one.source and (one.built or one.source.path)]
        known = {one.sha256 for one in special}
        self.fetcher.artifacts([one for one in wanted if one.sha256 not in known], self.origins.locate)
        for wheel in special:
            if wheel.built:
                self._rebuild(wheel)
            else:
                self._take(wheel.source.path if wheel.source else "", wheel.sha256)

    def _take(self, path: str, sha256: str) -> None:
        if self.folder is None:
            raise CogError(f"{path} is a file of the project, which is not here", hint="name the project's folder")
        file = self.folder / path
        # A lock may be anybody's: it names no file outside the project.
        if not file.is_file() or not file.resolve().is_relative_to(self.folder.resolve()):
            raise CogError(f"{path}, which the lock names, is not in {self.folder}", hint="put it back, or lock again")
        take(file, self.store, sha256)

    def _rebuild(self, wheel: Wheel) -> None:
        """Build it with what the lock says. Raises NotRebuiltError when it is another."""
        tools = [tool for tool in self.parts.builders if wheel.name in tool.needed_by]
        source = wheel.source
        assert source is not None
        with tempfile.TemporaryDirectory(prefix="cog-oci-source-") as folder:
            tree = self._tree(wheel.name, source, Path(folder))
            inside(tree, source.subdirectory, wheel.name)
            project = Project(tree, source.sha256 or source.commit, source.subdirectory)
            made = self._bench.build(wheel.name, project, tools=tools)
        if made.sha256 != wheel.sha256:
            raise NotRebuiltError(wheel, made.sha256)

    def _tree(self, name: str, source: Source, folder: Path) -> Path:
        if source.commit:
            tree = folder / "source"
            commit = checkout(Repository(self.origins.direct(source.url), source.commit, ""), tree)
            if commit != source.commit:
                raise CogError(f"{source.url} has no commit {source.commit}, only {commit}")
            return tree
        digest = Digest(f"sha256:{source.sha256}")
        if source.path:
            self._take(source.path, source.sha256)
        else:
            self.fetcher.blob(source.file, self._addresses(name, source), digest, source.size)
        return unpack(self.store.path(digest), source.file, folder)

    def _addresses(self, name: str, source: Source) -> Iterator[str]:
        """Found out only when the archive is not in the store."""
        yield self.origins.direct(source.url) if source.url else self.origins.file_of(name, source.index, source.file)

    @property
    def _bench(self) -> Workbench:
        root = Root(self.platform, lambda: self.parts)
        return Workbench(root, self.store, self.progress, _locked_only, self.bring)


def _locked_only(requirements: Sequence[str], _: Sequence[Wheel]) -> Sequence[Wheel]:
    raise AssertionError(f"unreachable: what is built again has its tools in the lock, not {requirements}")
