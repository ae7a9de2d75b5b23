"""What Cog's documentation walks through, with the words that are typed there: `cog` is what `cog-oci alias` installs.

The models are as small as those there; where one would download a network of gigabytes, a smaller one decides.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from cog_oci.sandbox import unavailable
from tests.images.conftest import ROOT, cog_oci, wait_until_ready
from tests.ports import free_port

pytestmark = [pytest.mark.network, pytest.mark.namespaces]

HELLO = """
from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def setup(self):
        self.prefix = "hello"

    def predict(self, text: str = Input(description="What follows the greeting")) -> str:
        return self.prefix + " " + text
"""

STREAM = """
import cog
from cog import BaseRunner, ConcatenateIterator, Input


class Runner(BaseRunner):
    @cog.streaming
    def run(self, prompt: str = Input(description="Words to say one by one")) -> ConcatenateIterator[str]:
        for word in prompt.split():
            print("saying", word)
            yield word + " "
"""

TRAIN = """
from cog import BaseModel, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(param: str = Input(description="What to learn by heart")) -> TrainingOutput:
    with open("hello.txt", "w") as file:
        file.write("hello " + param)
    return TrainingOutput(weights=Path("hello.txt"))
"""

CLASSIFY = """
from cog import BaseRunner, Input, Path
from PIL import Image

NAMES = ["red", "green", "blue"]


class Runner(BaseRunner):
    def run(self, image: Path = Input(description="Image to classify")) -> list[list]:
        picture = Image.open(image).convert("RGB").resize((1, 1))
        scores = zip(NAMES, picture.getpixel((0, 0)))
        return sorted(([name, score / 255] for name, score in scores), key=lambda pair: -pair[1])
"""


@pytest.fixture(autouse=True)
def _namespaces():
    if reason := unavailable():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def cog(cache, tmp_path_factory):
    """Types a line of Cog's documentation in a folder; what it printed."""
    folder = tmp_path_factory.mktemp("bin")
    cog_oci("alias", "--install", str(folder), cwd=folder)
    env = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COG_CACHE_DIR": str(cache),
        "COG_OCI_ENGINE": "sandbox",
    }

    def typed(line: str, cwd: Path, **how) -> str:
        done = subprocess.run(line, shell=True, cwd=cwd, env=env, capture_output=True, text=True, check=False, **how)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    typed.env = env
    return typed


@pytest.fixture(scope="module")
def lock(cog, tmp_path_factory):
    """The lock of a project without packages: all of these are made from the same."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "cog.yaml").write_text("build:\n  python_version: '3.13'\n")
    cog("cog lock", folder)
    return folder / "cog.lock"


def project(folder: Path, lock: Path, config: str, **files: str) -> Path:
    shutil.copy(lock, folder / "cog.lock")
    (folder / "cog.yaml").write_text(f"build:\n  python_version: '3.13'\n{config}\n")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_hello_world(cog, lock, tmp_path):
    folder = project(tmp_path, lock, 'predict: "predict.py:Predictor"', predict=HELLO)

    assert cog("cog predict -i text=world", folder) == "hello world\n"
    answer = json.loads(cog('echo \'{"text": "world"}\' | cog predict --json -', folder))
    assert (answer["status"], answer["output"]) == ("succeeded", "hello world")


def test_streaming_text(cog, lock, tmp_path):
    folder = project(tmp_path, lock, 'run: "run.py:Runner"', run=STREAM)
    port = free_port()

    assert json.loads(cog('cog run -i prompt="one two"', folder)) == ["one ", "two "]
    with served(cog, folder, port) as url:
        request = urllib.request.Request(
            f"{url}/predictions",
            json.dumps({"input": {"prompt": "one two"}}).encode(),
            {"Content-Type": "application/json", "Accept": "text/event-stream"},
        )
        with urllib.request.urlopen(request, timeout=30) as events:
            text = events.read().decode()

    assert text.index("event: output") < text.index("event: completed")
    assert '"chunk":"two "' in text


def test_train(cog, lock, tmp_path):
    folder = project(tmp_path, lock, 'run: "run.py:Runner"\ntrain: "train.py:train"', run=STREAM, train=TRAIN)

    cog("cog train -i param=training", folder)

    assert (folder / "weights").read_text() == "hello training"


def test_a_picture_is_classified(cog, tmp_path):
    (tmp_path / "cog.yaml").write_text(
        "build:\n  python_version: '3.13'\n  python_requirements: requirements.txt\nrun: run.py:Runner\n"
    )
    (tmp_path / "requirements.txt").write_text("pillow\n")
    (tmp_path / "run.py").write_text(CLASSIFY)
    # The picture is drawn by the interpreter that the first command of the walk-through starts.
    draw = "from PIL import Image; Image.new('RGB', (9, 9), (200, 30, 20)).save('input.jpg')"

    cog(f'cog exec python -c "{draw}"', tmp_path)
    found = json.loads(cog("cog run -i image=@input.jpg", tmp_path))

    assert [name for name, _ in found] == ["red", "green", "blue"]


def test_a_notebooks_port_is_open_on_this_machine(cog, lock, tmp_path):
    """The standard library's server stands for Jupyter's, which test_notebook.py starts."""
    folder = project(tmp_path, lock, 'run: "run.py:Runner"', run=STREAM)
    port = free_port()
    program = subprocess.Popen(
        f"exec cog exec -p {port} python -u -m http.server --bind 127.0.0.1 {port}",
        shell=True,
        cwd=folder,
        env=cog.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert "Serving HTTP on 127.0.0.1" in program.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/run.py", timeout=30) as answer:
            assert answer.read().decode() == STREAM
    finally:
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)


class served:  # noqa: N801 - reads as a word in `with`
    """The project's server; ended as one ends it, with Ctrl-C."""

    def __init__(self, cog, folder: Path, port: int):
        self.cog, self.folder, self.port = cog, folder, port

    def __enter__(self) -> str:
        self.program = subprocess.Popen(
            f"exec cog serve -p {self.port}", shell=True, cwd=self.folder, env=self.cog.env, stderr=subprocess.DEVNULL
        )
        wait_until_ready(f"http://127.0.0.1:{self.port}")
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_) -> None:
        self.program.send_signal(signal.SIGINT)
        assert self.program.wait(60) == 0
