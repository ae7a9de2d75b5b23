"""A wheel built from source, in the sandbox: the image's Python and system packages, locked tools, and no network.

What it is built with decides the wheel, and the wheel's bytes depend on nothing else as far as the project's own build
allows: fixed places, one time, one order.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from cog_oci.errors import CogError, RequestError
from cog_oci.ground import ground_layers
from cog_oci.layers import realise
from cog_oci.memory import Memory, Question
from cog_oci.oci import Digest, Image, ImageConfig, canonical_json
from cog_oci.sources._environment import PLACE, make_environment, variables
from cog_oci.sources._normal import normalised
from cog_oci.sources._trees import build_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cog_oci.layers import Layer
    from cog_oci.lock import Artifact, Interpreter, PlatformLock, Wheel
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress
    from cog_oci.sources._trees import System
    from cog_oci.store import Store

__all__ = ["BuildError", "Built", "CannotBuildError", "Project", "Root", "Workbench"]

_VERSION = 1
_PROGRAM = Path(__file__).with_name("_program.py")
_SHOWN = 15
_NEEDS_COMPILER = re.compile(
    r"(?:gcc|g\+\+|cc|clang|ld|make|cmake|ninja|pkg-config|rustc|cargo)['\"]?(?: failed)?: "
    r"(?:No such file|command not found|not found)|No such file or directory: '[^']*(?:gcc|g\+\+|cc|make|cmake)'"
    r"|Python\.h: No such file|error: command '[^']*(?:gcc|g\+\+|cc)'|[Uu]nknown compiler|CMAKE_C(?:XX)?_COMPILER",
)


_NEEDS_GIT = re.compile(
    r"setuptools.scm was unable|No such file or directory: '(?:\S*/)?git'|git: (?:command )?not found"
)


class CannotBuildError(CogError):
    """A package that has to be built, on a machine that cannot."""

    def __init__(self, name: str, platform: Platform, reason: str) -> None:
        self.name, self.platform, self.reason = name, platform, reason
        super().__init__(
            f"{name} has no wheel for {platform}, and cannot be built here: {reason}",
            hint=f"run this on a {platform} machine with user namespaces, choose a version that has a wheel, or build "
            "one elsewhere (`pip wheel`), put it into the project and name its file in the requirements",
        )


class BuildError(RequestError):
    """A build that failed; `output` is what it printed."""

    def __init__(self, name: str, output: str, platform: Platform) -> None:
        self.output = output
        shown = "\n".join(output.strip().splitlines()[-_SHOWN:])
        hint = "what it printed is above; choose a version that has a wheel, or one whose build needs less"
        if _NEEDS_COMPILER.search(output):
            hint = "it compiles: add build-essential and the headers of Python (python3-dev) to build.system_packages"
        elif _NEEDS_GIT.search(output):
            hint = "it asks git for its version: add git to build.system_packages"
        told = f"{name} has no wheel for {platform} to take, and building it failed:\n{shown}"
        super().__init__(told, asked=name, hint=hint)


@dataclass(frozen=True)
class Root:
    """What a build starts from: what an image stands on, with its Python and its system packages.

    `ground` is the lock of that, asked for when something is to be built: it may be being resolved still.
    """

    platform: Platform
    ground: Callable[[], PlatformLock]

    @cached_property
    def interpreter(self) -> Interpreter:
        """Whose wheels are built."""
        return self.ground().interpreter

    @cached_property
    def identity(self) -> list[str]:
        """The hashes of all that is in it."""
        return sorted(one.sha256 for layer in self.layers for one in layer.artifacts)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Bottom up."""
        return tuple(ground_layers(self.ground()))


@dataclass(frozen=True, slots=True)
class Project:
    """What is built: a folder `below` a tree. `identity` tells the tree from all others, as a hash does."""

    tree: Path
    identity: str
    below: str = ""

    @property
    def folder(self) -> Path:
        """The one with pyproject.toml or setup.py."""
        return self.tree / self.below


@dataclass(frozen=True, slots=True)
class Built:
    """A wheel in the store, and the wheels that it was built with. `size` is in bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    tools: tuple[Wheel, ...]


@dataclass(frozen=True)
class Workbench:
    """Builds wheels on one root.

    `resolve` finds the wheels for build requirements, those that it is given preferred; `bring` has wheels in the
    store when it returns.
    """

    root: Root
    store: Store
    progress: Progress
    resolve: Callable[[Sequence[str], Sequence[Wheel]], Sequence[Wheel]]
    bring: Callable[[Iterable[Artifact]], None]

    def check(self, name: str) -> None:
        """Raise CannotBuildError where nothing can be built for this platform."""
        if self._reason:
            raise CannotBuildError(name, self.root.platform, self._reason)

    def build(
        self, name: str, project: Project, *, kept: Sequence[Wheel] = (), tools: Sequence[Wheel] | None = None
    ) -> Built:
        """The wheel of a project, whose tree is used up.

        Built with exactly these `tools`, else with what the project asks for, those that are `kept` preferred. What was
        built before with the same is not built again. Raises CannotBuildError, BuildError, and CogError for a project
        that cannot be read.
        """
        system = build_system(project.folder, name)
        wheels = tuple(self._tools(name, project, system, kept) if tools is None else tools)
        made_from = self._made_from("wheel from source", project, system, wheels)
        if (row := self._recalled(made_from)) and self.store.has(Digest(f"sha256:{row['sha256']}"), row["size"]):
            return Built(**row, tools=wheels)
        self.progress.say(f"building {name}")
        with self._opened(name, project, wheels) as folder:
            (folder / "out").mkdir()
            self._run(name, folder, project, system, "wheel")
            found = sorted((folder / "out").glob("*.whl"))
            if len(found) != 1:
                raise BuildError(name, f"it left {len(found)} wheels", self.root.platform)
            data = normalised(found[0])
            row = {**_identity(found[0]), "file": found[0].name, "size": len(data)}
            row["sha256"] = self.store.add(data).removeprefix("sha256:")
        self._keep(made_from, row, anywhere=row["file"].endswith("-none-any.whl"))
        return Built(**row, tools=wheels)

    def _tools(self, name: str, project: Project, system: System, kept: Sequence[Wheel]) -> Sequence[Wheel]:
        """The wheels for what pyproject.toml asks for, and for what the backend asks for besides when it is there."""
        static = list(system.requires)
        first = self._resolved(name, static, kept)
        made_from = self._made_from("build requirements", project, system, first)
        more = self._recalled(made_from)
        if more is None:
            with self._opened(name, project, first, copied=True) as folder:
                self._run(name, folder, project, system, "requires")
                more = json.loads((folder / "requires").read_text(encoding="utf-8"))
            self._keep(made_from, more, anywhere=True)
        return self._resolved(name, [*static, *more], kept or first) if more else first

    def _resolved(self, name: str, requirements: Sequence[str], kept: Sequence[Wheel]) -> Sequence[Wheel]:
        try:
            return self.resolve(requirements, kept) if requirements else []
        except CogError as error:
            told = f"{name} has no wheel for {self.root.platform} to take, and what it is built with cannot be had"
            hint = "choose a version that has a wheel, or another Python"
            raise CogError(f"{told}: {error}", hint=hint) from error

    def _opened(self, name: str, project: Project, wheels: Sequence[Wheel], *, copied: bool = False) -> _Folder:
        self.check(name)
        self.bring(wheels)
        return _Folder(self.root, self.store, project.tree, wheels, copied=copied)

    def _run(self, name: str, folder: Path, project: Project, system: System, what: str) -> None:
        """One hook of the backend, which leaves its result in the folder. Raises BuildError with what it printed."""
        asked = {
            "what": what,
            "source": f"{PLACE}/src/{project.below}",
            "backend": system.backend,
            "paths": list(system.paths),
            "result": f"{PLACE}/{'out' if what == 'wheel' else what}",
        }
        from cog_oci.sandbox import Sandbox  # noqa: PLC0415 - few locks build anything

        shutil.copyfile(_PROGRAM, folder / "program.py")
        python = [f"{PLACE}/env/bin/python", f"{PLACE}/program.py", json.dumps(asked)]
        # One pipe for both, in order.
        command = ["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", *python]
        with Sandbox(self._image, self.store).start(
            command, env=variables(), stdout=subprocess.PIPE, mounts={PLACE: folder}, network=False
        ) as process:
            output = process.stdout.read() if process.stdout else b""
            status = process.wait()
            if process.stdout:
                process.stdout.close()
        if status:
            raise BuildError(name, output.decode("utf-8", "replace"), self.root.platform)

    @cached_property
    def _reason(self) -> str | None:
        from cog_oci.bytecode import cannot_compile  # noqa: PLC0415 - likewise

        return cannot_compile(self.root.platform)

    @cached_property
    def _image(self) -> Image:
        self.bring(artifact for layer in self.root.layers for artifact in layer.artifacts)
        blobs = tuple(realise(layer, self.store, self.progress) for layer in self.root.layers)
        return Image(self.root.platform, ImageConfig(), blobs)

    def _made_from(self, what: str, project: Project, system: System, wheels: Sequence[Wheel]) -> dict[str, Any]:
        """Everything but the root that decides a result."""
        return {
            "what": what,
            "version": _VERSION,
            "source": f"{project.identity}/{project.below}",
            "python": self.root.interpreter.version,
            "tools": sorted(wheel.sha256 for wheel in wheels),
            "system": [list(system.requires), system.backend, list(system.paths)],
        }

    def _recalled(self, made_from: dict[str, Any]) -> Any:
        """What was made of the same on this root; where nothing can be built, on any, if it holds for all of them.

        That way a wheel for every platform is built for one, and locked for the others, too.
        """
        found = self._memory.recall(self._question(made_from, self.root.identity))
        if found is None and self._reason:
            found = self._memory.recall(self._question(made_from, []))
        return found

    def _keep(self, made_from: dict[str, Any], result: object, *, anywhere: bool) -> None:
        self._memory.keep(self._question(made_from, self.root.identity), result)
        if anywhere:
            self._memory.keep(self._question(made_from, []), result)

    @property
    def _memory(self) -> Memory:
        return Memory(self.store.root / "checked")

    def _question(self, made_from: dict[str, Any], root: Sequence[str]) -> Question:
        files = ("build.py", "_environment.py", "_normal.py", "_program.py")
        return Question(
            canonical_json({**made_from, "root": list(root)}), *(Path(__file__).with_name(file) for file in files)
        )


class _Folder:
    """The folder that is mounted: `src`, `env`, and room for results; gone when the context ends."""

    def __init__(self, root: Root, store: Store, tree: Path, wheels: Sequence[Wheel], *, copied: bool) -> None:
        self._root, self._store, self._tree, self._wheels, self._copied = root, store, tree, wheels, copied

    def __enter__(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory(prefix="cog-oci-build-", ignore_cleanup_errors=True)
        folder = Path(self._temporary.name)
        if self._copied:
            shutil.copytree(self._tree, folder / "src", symlinks=True)
        else:
            shutil.move(self._tree, folder / "src")
        python = self._root.interpreter
        make_environment(folder, python.version, python.executable, self._wheels, self._store)
        return folder

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()


def _identity(wheel: Path) -> dict[str, str]:
    """Name and version, as its metadata has them. Raises CogError for a wheel without."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        said = BytesHeaderParser().parsebytes(archive.read(names[0]) if names else b"")
    if not said.get("Name") or not said.get("Version"):
        raise CogError(f"{wheel.name} does not say its name and version")
    parse_wheel_filename(wheel.name)
    return {"name": canonicalize_name(str(said["Name"])), "version": str(said["Version"])}
