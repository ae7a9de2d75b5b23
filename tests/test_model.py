"""What a project's model takes and gives, and that cog.yaml asks nothing of it that it cannot do."""

from __future__ import annotations

import pytest

from cog_oci.config import Project
from cog_oci.errors import SourceError
from cog_oci.model import read_model


@pytest.fixture
def project(tmp_path):
    def project(config, source):
        (tmp_path / "cog.yaml").write_text(config)
        (tmp_path / "run.py").write_text(source)
        return Project.find(tmp_path)

    return project


@pytest.mark.parametrize("concurrency", ["", "concurrency: {max: 1}\n"])
def test_a_synchronous_model_runs_one_prediction_at_a_time(project, concurrency):
    model = read_model(project(f"run: run.py:run\n{concurrency}", "def run() -> str: ...\n"))
    assert model is not None
    assert not model.is_async


def test_several_predictions_at_a_time_of_a_synchronous_model_are_a_mistake_of_cog_yaml(project):
    with pytest.raises(SourceError, match=r"^cog\.yaml:3:8: concurrency\.max: 2 predictions at a time need an `async"):
        read_model(project("run: run.py:run\nconcurrency:\n  max: 2\n", "def run() -> str: ...\n"))


def test_several_predictions_at_a_time_of_an_asynchronous_model_are_none(project):
    model = read_model(project("run: run.py:run\nconcurrency:\n  max: 2\n", "async def run() -> str: ...\n"))
    assert model is not None
    assert model.is_async
