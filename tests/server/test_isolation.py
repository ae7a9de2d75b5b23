"""The server sees nothing of the model's packages, the worker nothing of the server's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import quart

from tests.server.live import ROOT, event, live_server, project

MAIN = "from cog_oci.server.__main__ import main\nmain()\n"


def test_a_model_may_ship_packages_of_the_servers_names(tmp_path):
    folder = project("plain", tmp_path)
    for name in ("quart", "pydantic", "h11", "hypercorn", "uvloop", "asyncio"):
        (folder / f"{name}.py").write_text(f"raise ImportError('the poisoned {name} was imported')\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "quart.py").write_text("NAME = 'the model\\'s own'\n")
    (shared / "werkzeug.py").write_text("raise ImportError('poison')\n")
    (folder / "quart.py").unlink()
    source = (
        folder / "run.py"
    ).read_text() + "\n    def own(self, text, seconds):\n        import quart; return quart.NAME\n"
    (folder / "run.py").write_text(source)
    with live_server("", folder=folder, PYTHONPATH=str(shared)) as server:
        assert server.predict(text="x")["output"] == "hello x"
        assert server.predict(op="own")["output"] == "the model's own"


_OTHERS = """
import flask, h11, pydantic
from cog import BaseRunner

class Runner(BaseRunner):
    def run(self, text: str) -> str:
        class Item(pydantic.BaseModel):
            text: str

        with flask.Flask("app").app_context():
            told = flask.jsonify(pydantic.VERSION, h11.__version__)
        return f"{told.get_data(as_text=True).strip()} {Item(text=text).json()}"
"""


@pytest.mark.network
def test_a_model_has_its_own_versions_of_packages_that_the_server_has_too(tmp_path):
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pins = ["pydantic==1.10.24", "h11==0.13.0", "flask"]
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *pins], check=True)
    poison = tmp_path / "poison"
    poison.mkdir()
    for name in ("quart", "hypercorn", "uvloop", "wsproto"):
        (poison / f"{name}.py").write_text(f"raise ImportError('the poisoned {name} was imported')\n")
    folder = project("plain", tmp_path)
    (folder / "run.py").write_text(_OTHERS)
    with live_server("", folder=folder, COG_OCI_PYTHON=str(python), PYTHONPATH=str(poison)) as server:
        assert server.predict(text="x")["output"] == '["1.10.24","0.13.0"] {"text": "x"}'
        assert server.end() == 0


def test_the_server_runs_from_a_folder_of_its_own_as_in_an_image(tmp_path):
    image = _image(tmp_path / "opt/cog")
    command = [sys.executable, "-I", "-S", str(image / "server")]
    with live_server("plain", command=command) as server:
        assert server.predict(text="x")["output"] == "hello x"
        assert event(server, "setup succeeded")


@pytest.mark.parametrize("version", ["3.10", "3.13", "3.14"])
def test_the_model_may_run_on_any_python(version):
    python = _find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    with live_server("types", COG_OCI_PYTHON=python) as server:
        assert server.health()["version"]["python"].startswith(version)
        output = server.predict(path="data:,hello", file="data:,there", secret="s")["output"]
        assert (output["path"][1], output["file"], output["secret"]) == ("hello", "there", ["**********", "s"])
        assert server.end() == 0


def test_cogs_own_command_line_starts_this_server(tmp_path):
    image = _image(tmp_path / "opt/cog")
    command = [sys.executable, "-m", "cog.server.http"]
    with live_server("plain", command=command, PYTHONPATH=str(image / "sdk")) as server:
        assert server.predict(text="x")["output"] == "hello x"
        assert server.end() == 0


def _find_python(version: str) -> str | None:
    """An interpreter of this version: on PATH, or one that pyenv keeps."""
    candidates = [
        shutil.which(f"python{version}") or "",
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
    ]
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None


def _image(root: Path) -> Path:
    """The tree that an image has under /opt/cog."""
    shutil.copytree(ROOT / "cog_oci/sdk", root / "sdk", ignore=shutil.ignore_patterns("__pycache__"))
    server = root / "server"
    (server / "cog_oci").mkdir(parents=True)
    shutil.copy(ROOT / "cog_oci/__init__.py", server / "cog_oci")
    for part in ("server", "sdk"):
        shutil.copytree(
            ROOT / "cog_oci" / part, server / "cog_oci" / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    (server / "__main__.py").write_text(MAIN)
    for package in Path(quart.__file__).parents[1].iterdir():
        if not (server / package.name).exists() and package.suffix != ".pth":
            (server / package.name).symlink_to(package)
    return root
