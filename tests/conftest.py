"""What every test may use: stores, wheels made on the spot, and skips that say what is missing."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import shutil
import threading
import zipfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants, constants_from_module

import cog_oci
from cog_oci.indexes import _from_keyring
from cog_oci.lock import Wheel
from cog_oci.origins import default_index
from cog_oci.store import Store

# Many tests start the command: the first one leaves its bytecode for the others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples in every run, so that a red run is red for whoever looks; COG_TEST_RANDOM searches for new ones.
# No deadlines: how long an example takes is the machine's affair.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("random" if "COG_TEST_RANDOM" in os.environ else "steady")


@cache
def _constants_of_the_source() -> Constants:
    """Every number and text that stands in the source of cog_oci, as hypothesis reads and sorts them."""
    found = Constants()
    for path in sorted(Path(cog_oci.__file__).parent.rglob("*.py")):
        module = ModuleType(path.stem)
        module.__file__ = str(path)
        found |= constants_from_module(module)
    providers._local_constants |= found
    return providers._local_constants


if "COG_TEST_RANDOM" not in os.environ:
    # hypothesis tries, now and then, what stands in the modules that are loaded, and which those are depends on what
    # ran before in the same process. Here they are those of all modules, so that the examples are the same indeed.
    providers._get_local_constants = _constants_of_the_source


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """What a process asks other programs once, of its environment, each test asks again: its environment is its own."""
    forget_the_environment()


def forget_the_environment() -> None:
    """The same within a test that changes its environment."""
    default_index.cache_clear()
    _from_keyring.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with nothing in it."""
    return Store(tmp_path / "store")


def need(*programs: str) -> None:
    """Skip the test, naming what it lacks."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [program for program in programs if shutil.which(program, path=path) is None]:
        pytest.skip(f"needs {', '.join(missing)}")


def make_wheel(
    folder: Path, name: str, files: dict[str, bytes], *, version: str = "1.0", entry_points: str = ""
) -> Path:
    """A wheel with these files and a true RECORD."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    everything = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        everything[f"{info}/entry_points.txt"] = entry_points.encode()
    rows = [
        f"{file},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for file, data in everything.items()
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in everything.items():
            archive.writestr(file, data)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return path


def keep_wheel(store: Store, path: Path) -> Wheel:
    """The wheel in the store, as a lock would name it."""
    data = path.read_bytes()
    digest = store.add(data)
    name, version = path.name.split("-")[:2]
    return Wheel(
        name=name,
        version=version,
        file=path.name,
        sha256=digest.removeprefix("sha256:"),
        size=len(data),
        index="default",
    )


class Answers(http.server.BaseHTTPRequestHandler):
    """Serves `server.pages`: a path to bytes, or to a function of the handler that answers for itself."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # which keeps a body back until its head is acknowledged: 40 ms for each answer

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)  # type: ignore[attr-defined]  # set by `serving`
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # set by `serving`
        if callable(page):
            page(self)
        elif page is None:
            self.answer(404, b"")
        else:
            self.answer(200, page)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Site(http.server.ThreadingHTTPServer):
    """A web server on loopback with pages that the test may change."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.pages: dict[str, object] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serving():
    """A Site that answers while the context is open."""
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


@pytest.fixture
def site():
    """A web server on loopback."""
    with serving() as found:
        yield found
