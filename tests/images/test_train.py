"""A training from the command line, in the sandbox."""

from __future__ import annotations

import pytest

from cog_oci.sandbox import unavailable
from tests.images.conftest import cog_oci

pytestmark = [pytest.mark.network, pytest.mark.engine, pytest.mark.root]

RUN = """
from cog import BaseModel, BaseRunner, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(steps: int = Input(ge=1, le=10)) -> TrainingOutput:
    print("training", steps)
    path = Path("/tmp/w.bin")
    path.write_bytes(b"W" * steps)
    return TrainingOutput(weights=path)


class Runner(BaseRunner):
    def run(self, text: str = "x") -> str:
        return text
"""


@pytest.fixture(scope="module")
def trainable(tmp_path_factory):
    if unavailable():
        pytest.skip(f"no sandbox here: {unavailable()}")
    folder = tmp_path_factory.mktemp("trainable")
    (folder / "cog.yaml").write_text("run: run.py:Runner\ntrain: run.py:train\n")
    (folder / "run.py").write_text(RUN)
    return folder


def test_the_weights_of_a_training_are_written(trainable, cache):
    where = {"cwd": trainable, "COG_CACHE_DIR": str(cache)}
    done = cog_oci("train", "--engine", "sandbox", "-i", "steps=3", "-o", "w.bin", **where)
    assert (trainable / "w.bin").read_bytes() == b"WWW"
    assert "training 3" in done.stderr


def test_an_input_that_does_not_fit_is_refused_before_anything_starts(trainable, cache):
    where = {"cwd": trainable, "COG_CACHE_DIR": str(cache), "check": False}
    done = cog_oci("train", "--engine", "sandbox", "-i", "steps=30", **where)
    assert done.returncode == 1
    assert "at most 10" in done.stderr
    assert "Starting" not in done.stderr


def test_a_project_without_a_training_is_told_what_to_add(tmp_path, cache):
    (tmp_path / "cog.yaml").write_text("run: run.py:Runner\n")
    (tmp_path / "run.py").write_text(RUN)
    done = cog_oci("train", cwd=tmp_path, COG_CACHE_DIR=str(cache), check=False)
    assert done.returncode == 1
    assert "train: train.py:train" in done.stderr
