"""A project around one large wheel, and an index on the loopback that serves exactly what was chosen for it.

torch's wheel for CPUs is not on every index: pip is asked which torch it would install here, and takes what its own
configuration (find-links, extra indexes) offers. uv knows nothing of that, so it is given an index of those files.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import measure
from packaging.utils import parse_wheel_filename
from subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LargeWheel", "large_wheel"]

_PYTHON = "3.11"
_CPU_TORCH = "torch==2.13.0"
_OTHERWISE = "triton==3.4.0"  # over 150 MB as well, on the default index, and depends on next to nothing
_TAGS = (
    *("--only-binary", ":all:", "--python-version", _PYTHON, "--implementation", "cp"),
    *(
        word
        for tag in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
        for word in ("--platform", f"{tag}_x86_64")
    ),
)
_MEDIA_TYPE = "application/vnd.pypi.simple.v1+json"
_RUN = '''\
"""Says that the package can be imported."""

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str) -> str:
        import {module}

        return f"{{text}} {{{module}.__version__}}"
'''


@dataclass(frozen=True)
class LargeWheel:
    """The wheel, and a project that needs it; the wheel and all that it depends on are in the project's store."""

    path: Path
    subject: Subject


def large_wheel(folder: Path) -> LargeWheel:
    """Choose, download, lock: nothing of it is measured. All projects of a folder share a store."""
    requirement = _CPU_TORCH if _is_for_cpus(_CPU_TORCH) else _OTHERWISE
    name = requirement.partition("==")[0]
    house, project = folder / "wheelhouse", folder / name
    if not project.exists():
        measure.say(f"downloading {requirement}")
        _pip("download", *_TAGS, "--dest", str(house), requirement)
        project.mkdir()
        (project / "cog.yaml").write_text(
            f'build:\n  python_version: "{_PYTHON}"\n  python_requirements: requirements.txt\nrun: run.py:Runner\n'
        )
        (project / "requirements.txt").write_text(f"{requirement}\n")
        (project / "run.py").write_text(_RUN.format(module=name))
        subject = Subject(project, folder / "cache")
        with _index(house) as address:
            subject.lock(env={"UV_DEFAULT_INDEX": address})
        for wheel in subject.parts.wheels:
            kept = subject.store.path(wheel.digest)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(house / wheel.file, kept)
    return LargeWheel(next(house.glob(f"{name}-*.whl")), Subject(project, folder / "cache"))


def _is_for_cpus(requirement: str) -> bool:
    report = json.loads(
        _pip("install", "--dry-run", "--ignore-installed", "--no-deps", "--target", "nowhere", *_TAGS,
             "--report", "-", requirement)
    )  # fmt: skip
    return any("+cpu" in unquote(urlsplit(item["download_info"]["url"]).path) for item in report["install"])


def _pip(*words: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def _index(house: Path) -> Iterator[str]:
    """The simple repository API (PEP 691, PEP 700) over a folder of wheels; its address."""
    pages: dict[str, bytes | Path] = {}
    projects: dict[str, list[Path]] = {}
    for wheel in sorted(house.glob("*.whl")):
        projects.setdefault(parse_wheel_filename(wheel.name)[0], []).append(wheel)
        pages[f"/files/{quote(wheel.name)}"] = wheel
    for name, wheels in projects.items():
        pages[f"/simple/{name}/"] = _page(name, wheels)

    class Answers(_Answers):
        known = pages

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


def _page(name: str, wheels: list[Path]) -> bytes:
    files = []
    for wheel in wheels:
        with wheel.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.append(
            {
                "filename": wheel.name,
                "url": f"/files/{quote(wheel.name)}",
                "hashes": {"sha256": digest},
                "size": wheel.stat().st_size,
                "upload-time": "2020-01-01T00:00:00Z",
            }
        )
    versions = sorted({str(parse_wheel_filename(wheel.name)[1]) for wheel in wheels})
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": files}).encode()


class _Answers(http.server.BaseHTTPRequestHandler):
    known: dict[str, bytes | Path]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool = True) -> None:
        found = self.known.get(self.path)
        self.send_response(404 if found is None else 200)
        content = found.read_bytes() if isinstance(found, Path) else found or b""
        self.send_header("Content-Type", "application/octet-stream" if isinstance(found, Path) else _MEDIA_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
