"""The peer: BuildKit makes an image of the same packages from the same files, and gets it out, compressed.

The Dockerfile has the steps of Cog's own, in their order: system packages, the server, the user's packages, the code.
What would be downloaded lies in an image that every step mounts: no time goes into fetching, or into the context.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import measure
from uv import find_uv_bin

from cog_oci.fetch import Fetcher
from cog_oci.origins import Origins
from cog_oci.resolver.debian import suites

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine import Engine

    from cog_oci.lock import Artifact, PlatformLock
    from cog_oci.store import Store

__all__ = ["INSTALLERS", "BuildKit", "prepared"]

# No cache of wheels: it would only be written twice. Whether bytecode is compiled is the lock's to say.
INSTALLERS = {
    "pip": "PYTHONPATH=/packages/tools {python} -m pip install {bytecode} --no-cache-dir --no-index --no-deps",
    "uv": "/packages/tools/uv pip install --python {python} {bytecode} --no-cache --no-index --no-deps",
}
_BYTECODE = {
    "pip": {True: "--compile", False: "--no-compile"},
    "uv": {True: "--compile-bytecode", False: "--no-compile-bytecode"},
}
_SYSTEM = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends /packages/system/*.deb"
# As in cog-oci's layers, no documentation; and, as in Debian's images, no waiting for the disk after every file.
_DPKG = (
    *("force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*"),
    *("path-exclude=/usr/share/lintian/*", "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"),
)


@dataclass(frozen=True)
class BuildKit:
    """A project that BuildKit can build; its base and its packages are images that the daemon has."""

    engine: Engine
    project: Path
    parts: PlatformLock
    image: str

    def forget(self) -> None:
        """As before the first build: no image, nothing in the builder's cache. The base and the packages stay."""
        for tag in set(self.engine("image", "ls", "--quiet", self.image).split()):
            self.engine("image", "rm", "--force", tag)
        self.engine("image", "prune", "--force")
        self.engine("builder", "prune", "--all", "--force")

    def build(self, installer: str = "pip") -> measure.Run:
        """`docker build`, with whatever the builder remembers."""
        dockerfile = self.engine.folder / f"Dockerfile.{installer}"
        dockerfile.write_text(self._dockerfile(installer))
        return self._docker(
            "build", "--network=host", "--progress=plain", "--tag", self.image, "--file", str(dockerfile), "."
        )

    def push(self) -> measure.Run:
        """`docker push`: layers that the registry lacks are compressed, several at a time, and sent."""
        return self._docker("push", "--quiet", self.image)

    def save(self) -> measure.Run:
        """`docker save`, compressed by gzip as it comes."""
        return measure.command(
            *("sh", "-c", '"$0" save "$1" | gzip -6', self.engine.client, self.image),
            cwd=self.project,
            env=self.engine.env,
            output=self.engine.folder / "saved.tar.gz",
            servers=self.engine.pids,
        )

    def _docker(self, *words: str) -> measure.Run:
        return measure.command(
            self.engine.client, *words, cwd=self.project, env=self.engine.env, servers=self.engine.pids
        )

    def _dockerfile(self, installer: str) -> str:
        python, venv = self.parts.interpreter.executable, "/opt/venv/bin/python"
        bytecode = _BYTECODE[installer][self.parts.bytecode]
        install = {path: INSTALLERS[installer].format(python=path, bytecode=bytecode) for path in (python, venv)}
        steps = [
            f"{install[python]} --target /opt/cog/server /packages/server/*.whl",
            f"{python} -m venv --without-pip /opt/venv && {install[venv]} /packages/wheels/*.whl",
        ]
        if any(deb.layer == "system" for deb in self.parts.debs):
            steps.insert(0, _SYSTEM)
        return "\n".join(
            [
                f"FROM {_base(self.engine, self.parts)}",
                *(f"RUN --mount=type=bind,from={self.image}-packages,target=/packages {step}" for step in steps),
                "ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "WORKDIR /src",
                "EXPOSE 5000",
                'CMD ["python", "-m", "cog.server.http"]',
                "COPY . /src",
                "",
            ]
        )


def prepared(engine: Engine, project: Path, parts: PlatformLock, store: Store) -> BuildKit:
    """Whatever a user of BuildKit has before the first build: the base, pulled and known to the registry; packages."""
    peer = BuildKit(engine, project, parts, f"{engine.registry}/{project.name}")
    (project / ".dockerignore").write_text("cog.lock\n*.tar\n")
    base = _base(engine, parts)
    if not engine("image", "ls", "--quiet", base):
        measure.say("making a base for BuildKit")
        with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
            engine("import", str(_bootstrap(parts, store, Path(folder))), base)
        engine("push", "--quiet", base)
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        _packages(parts, store, Path(folder) / "packages")
        archive = shutil.make_archive(f"{folder}/packages", "tar", f"{folder}/packages")
        engine("import", archive, f"{peer.image}-packages")
    return peer


def _base(engine: Engine, parts: PlatformLock) -> str:
    return f"{engine.registry}/base-{parts.interpreter.suite}-python{parts.interpreter.version}"


def _bootstrap(parts: PlatformLock, store: Store, folder: Path) -> Path:
    """The packages of our base and, as in any base that people build on, apt; the root file system as a tar."""
    suite = parts.interpreter.suite
    archive = Origins(Fetcher(store), datetime.now(UTC)).archive
    root = folder / "base.tar"
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=apt", *(f"--dpkgopt={option}" for option in _DPKG)),
            f"--include={','.join(deb.name for deb in parts.debs if deb.layer == 'base')}",
            *(suite, str(root)),
            *(f"deb [signed-by={s.keyring.absolute()}] {archive(s.archive)[0]} {s.suite} main" for s in suites(suite)),
        ],
        check=True,
    )
    return root


def _packages(parts: PlatformLock, store: Store, folder: Path) -> None:
    """The very files that the lock names, and the programs that install them."""
    _gather(parts.wheels, store, folder / "wheels")
    _gather(parts.server, store, folder / "server")
    _gather([deb for deb in parts.debs if deb.layer == "system"], store, folder / "system")
    tools = folder / "tools"
    tools.mkdir()
    shutil.copy(find_uv_bin(), tools / "uv")
    pip = importlib.util.find_spec("pip")
    if pip is None or pip.origin is None:
        raise ModuleNotFoundError("the bench's own environment has no pip to give to BuildKit")
    shutil.copytree(Path(pip.origin).parent, tools / "pip", ignore=shutil.ignore_patterns("__pycache__"))


def _gather(artifacts: Iterable[Artifact], store: Store, folder: Path) -> None:
    folder.mkdir(parents=True)
    for artifact in artifacts:
        target = folder / Path(artifact.file).name
        shutil.copyfile(store.path(artifact.digest), target)
        os.utime(target, (0, 0))
