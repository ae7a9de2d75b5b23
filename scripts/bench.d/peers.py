"""What one does without `cog-oci run`: `docker build` with BuildKit, `docker run`, a request, the end.

Two images: our own, with our server, and one as Cog makes it, with coglet and the package `cog`. Of each, all but the
code is an image that the daemon has, which the Dockerfile that is measured begins with.
"""

from __future__ import annotations

import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ready
import surroundings

from cog_oci.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine import Engine
    from subject import Subject

__all__ = ["Peer", "cog", "ours"]

_REQUIREMENTS = Path(__file__).parents[2] / "requirements-oracle.txt"

# The steps of Cog's Dockerfile from the packages on, but on our base, with its interpreter and the user's packages.
# Nothing of ours is left in it. The bytecode is to the peer's advantage: uv compiles none of its own accord.
_COG = """\
FROM {base} AS packages
COPY packages /packages
RUN for one in /packages/*; do test ! -e {site}/"${{one##*/}}" || exit 1; done
RUN python -m compileall -q -s /packages -p {site} /packages

FROM {base}
RUN rm -r /opt/cog {site}/cog-oci.pth
COPY --from=packages /packages {site}
RUN python -c "import cog, coglet; assert cog.__file__ == '{site}/cog/__init__.py'; assert coglet.server"
COPY openapi_schema.json /src/.cog/openapi_schema.json
WORKDIR /src
EXPOSE 5000
ENV COG_PREDICT_TYPE_STUB=run.py:Runner
CMD ["python", "-m", "cog.server.http"]
"""


class Peer:
    """Every call is one round, whose steps take the seconds in `parts`."""

    def __init__(self, name: str, base: str, subject: Subject, given: Mapping[str, str], daemon: Engine) -> None:
        """`base` is an image that the daemon has, with all but the code; `given`, an input as the server takes it."""
        self.name, self._subject, self._given, self._daemon = name, subject, given, daemon
        self.parts: dict[str, list[float]] = {"build": [], "run": [], "answer": [], "remove": []}
        self._image = f"{daemon.registry}/{base}-peer"
        self._dockerfile = daemon.folder / f"Dockerfile.{base}"
        known = f"{daemon.registry}/{base}"
        daemon("tag", base, known)
        daemon("push", "--quiet", known)
        self._dockerfile.write_text(f"FROM {known}\nCOPY . /src\n")

    def __call__(self) -> None:
        """From the code in the project's folder to the answer."""
        daemon, port = self._daemon, ready.free_port()
        with self._measured("build"):
            daemon(
                *("build", "--quiet", "--tag", self._image, "--file", str(self._dockerfile)),
                str(self._subject.project),
            )
        with self._measured("run"):
            name = daemon("run", "--detach", "--network=host", "--env", f"PORT={port}", self._image)
        with self._measured("answer"):
            ready.wait(port, lambda status: status == "READY")
            ready.predict(port, self._given)
        with self._measured("remove"):
            daemon("rm", "--force", name)

    @contextmanager
    def _measured(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.parts[part].append(time.perf_counter() - start)


def ours(subject: Subject, given: Mapping[str, str], daemon: Engine) -> Peer:
    """The image that `cog-oci run` has given to the daemon, with the server that it asks itself."""
    return Peer("cog-oci's image", f"cog-{subject.name}-base", subject, given, daemon)


def cog(subject: Subject, given: Mapping[str, str], daemon: Engine) -> Peer:
    """Cog's server and SDK, as pinned by hash for the tests; CalledProcessError when pip or the build fails."""
    base, name = f"cog-{subject.name}-base", f"coglet-{subject.name}-base"
    python = subject.parts.interpreter.version
    requirements = _REQUIREMENTS.read_text()
    folder = daemon.folder / name
    folder.mkdir()
    surroundings.packages(folder / "packages", requirements, python)
    shutil.rmtree(folder / "packages/bin", ignore_errors=True)  # programs of this machine's Python
    (folder / "openapi_schema.json").write_bytes(read_schema(subject.project, "run.py:Runner").to_bytes())
    (folder / "Dockerfile").write_text(_COG.format(base=base, site=f"/opt/venv/lib/python{python}/site-packages"))
    daemon("build", "--quiet", "--network=host", "--tag", name, str(folder))
    version = re.search(r"^coglet==(\S+)", requirements, re.MULTILINE)
    return Peer(f"an image as Cog makes it, coglet {version and version[1]}", name, subject, given, daemon)
