"""What Docker's own builders make of ignore files: the tables that our reading is held to are asked of them."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.layers.ignore_files import BUILDKIT_ALONE, KEPT, LEFT_OUT, REFUSED, SINCE_DOCKER_23
from tests.layers.test_dockerignore import expected, write_tree

pytestmark = [pytest.mark.engine, pytest.mark.root, pytest.mark.oracle]


class BuildError(Exception):
    """Docker does not build this."""


@dataclass(frozen=True)
class Builder:
    """A client of Docker, which is what reads the ignore file, with one of the builders."""

    client: str
    socket: Path
    buildkit: bool

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> bytes:
        done = subprocess.run(
            [self.client, "--host", f"unix://{self.socket}", *arguments],
            cwd=cwd,
            env={**os.environ, "DOCKER_BUILDKIT": str(int(self.buildkit))},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(done.stderr.decode())
        return done.stdout

    @property
    def before_23(self) -> bool:
        found = re.search(rb"version (\d+)", subprocess.check_output([self.client, "--version"]))
        return int(found[1]) < 23

    def copied(self, folder: Path, dockerfile: Path) -> set[str]:
        """The paths that `COPY . /` copies."""
        build = ("build", "--quiet", "--file", dockerfile)
        if self.buildkit:
            return _paths(self.run(*build, "--output", "-", ".", cwd=folder))
        image = self.run(*build, ".", cwd=folder).decode().split()[-1]
        try:
            saved = self.run("save", image)
        except BuildError as error:
            if "empty export" in str(error):  # a layer with nothing in it
                return set()
            raise
        with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
            (layer,) = (member for member in archive if member.name.endswith("/layer.tar"))
            return _paths(archive.extractfile(layer).read())


def _paths(archive: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name.rstrip("/") for member in opened}


@pytest.fixture(params=["Debian's, classic", "Debian's, BuildKit", "PATH's, classic", "PATH's, BuildKit"])
def builder(request, docker):
    whose, kind = request.param.split(", ")
    client = "/usr/bin/docker" if whose == "Debian's" else shutil.which("docker")
    if client is None or not Path(client).exists() or (whose == "PATH's" and Path(client).samefile("/usr/bin/docker")):
        pytest.skip("needs this client of Docker")
    found = Builder(client, docker.socket, kind == "BuildKit")
    if found.buildkit and not found.before_23:
        try:
            found.run("buildx", "version")
        except BuildError:
            pytest.skip("needs docker-buildx")
    return found


@pytest.fixture
def workplace(tmp_path):
    """Two copies of the tree with a Dockerfile, for two builds at once."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        write_tree(tmp_path / name)
    return tmp_path


def test_docker_copies_what_the_tables_say(builder, workplace):
    texts = [*LEFT_OUT, *KEPT]
    surprising = SINCE_DOCKER_23 if builder.before_23 else frozenset()
    if builder.before_23 or not builder.buildkit:
        surprising |= BUILDKIT_ALONE
    if builder.before_23:  # a build takes its time, and these are here for where they differ
        texts = [*surprising, *(text for text in texts[::4] if text not in surprising)]

    def differing(number: int) -> set[str]:
        found = set()
        for text in texts[number::2]:
            (workplace / str(number) / ".dockerignore").write_text(text, newline="")
            if builder.copied(workplace / str(number), workplace / "Dockerfile") != expected(text):
                found.add(text)
        return found

    with ThreadPoolExecutor(2) as pool:
        found = set.union(*pool.map(differing, range(2)))

    assert found == surprising


def test_docker_refuses_what_we_refuse(builder, workplace):
    for text in REFUSED:
        (workplace / "0" / ".dockerignore").write_text(text)
        with pytest.raises(BuildError, match=r"syntax error in pattern|illegal exclusion pattern"):
            builder.copied(workplace / "0", workplace / "Dockerfile")
