"""What is measured: the commands of cog-oci, in a project, over a store of the bench's own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import measure

from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine import Engine

    from cog_oci.lock import PlatformLock

__all__ = ["Subject", "example"]

_ROOT = Path(__file__).parents[2]
_MADE = ("layers", "unpacked")


@dataclass(frozen=True)
class Subject:
    """A project and a store."""

    project: Path
    cache: Path

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    @property
    def archive(self) -> Path:
        """Where its images go."""
        return self.cache.parent / f"{self.name}.tar"

    @property
    def store(self) -> Store:
        """The store, to look into."""
        return Store(self.cache)

    @property
    def parts(self) -> PlatformLock:
        """What is locked."""
        return Lock.read(self.project / "cog.lock").platform(Platform("linux", "amd64"))

    def lock(self, *, bytecode: bool = False, env: Mapping[str, str] | None = None) -> measure.Run:
        """From cog.yaml to the lock."""
        return self("lock", "--bytecode" if bytecode else "--no-bytecode", env=env)

    def __call__(self, *words: str, env: Mapping[str, str] | None = None, servers: Sequence[int] = ()) -> measure.Run:
        """Run `cog-oci` and these words."""
        return self._measured("cog-oci", *words, env=env, servers=servers)

    def image(self) -> measure.Run:
        """From the lock to an archive."""
        return self("image", "-t", f"{self.name}:bench", "-o", str(self.archive))

    def load(self, engine: Engine) -> measure.Run:
        """From the lock into the daemon, without the layers that it has."""
        return self("image", "-t", f"{self.name}:bench", "--load", env=engine.env, servers=engine.pids)

    def load_piped(self, engine: Engine) -> measure.Run:
        """From the lock into the daemon, through a pipe: nothing is kept on the way."""
        return self._measured(
            *("sh", "-c", 'cog-oci image -t "$1" -o - | "$0" load', engine.client, f"{self.name}:bench"),
            env=engine.env,
            servers=engine.pids,
        )

    def load_archive(self, engine: Engine) -> measure.Run:
        """From the lock to an archive, and from there into the daemon."""
        return self.image() + self._measured(
            *(engine.client, "load", "--input", str(self.archive)), env=engine.env, servers=engine.pids
        )

    def forget_layers(self) -> None:
        """What was built is gone, what was fetched stays: only blobs that a layer's record names are removed."""
        for record in (self.cache / "layers").glob("*"):
            digest = json.loads(record.read_text())["descriptor"]["digest"].removeprefix("sha256:")
            (self.cache / "blobs" / "sha256" / digest).unlink(missing_ok=True)
        for folder in _MADE:
            shutil.rmtree(self.cache / folder, ignore_errors=True)

    def add_a_line(self) -> None:
        """Change one line of the code."""
        with (self.project / "run.py").open("a") as file:
            file.write(f"# {file.tell()}\n")

    def run(self, *words: str, env: Mapping[str, str] | None = None, servers: Sequence[int] = ()) -> measure.Run:
        """Run any command in the project, over the same store."""
        return self._measured(*words, env=env, servers=servers)

    def _measured(self, *words: str, env: Mapping[str, str] | None, servers: Sequence[int]) -> measure.Run:
        return measure.command(
            *words, cwd=self.project, env={"COG_CACHE_DIR": str(self.cache), **(env or {})}, servers=servers
        )


def example(name: str, folder: Path) -> Subject:
    """A copy of one of the examples; all of a folder share a store."""
    project = folder / name
    shutil.copytree(_ROOT / "examples" / name, project, ignore=shutil.ignore_patterns("cog.lock", "*.tar"))
    return Subject(project, folder / "cache")
