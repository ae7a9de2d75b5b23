"""Which GPUs a container gets when the command line does not say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cog_oci.cli import _gpus
from cog_oci.cli._gpus import default_gpus
from cog_oci.config import Project
from cog_oci.image_config import image_config
from cog_oci.lock import Lock, Requires
from tests.cli.test_commands import lock_by_hand, project  # noqa: F401 - a fixture

MADE_FOR = {"run.cog.config": '{"build":{"gpu":true}}'}


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The GPUs for an image with these labels, and what is said about them."""
    monkeypatch.setattr(_gpus, "_DRIVER", tmp_path / "version")
    monkeypatch.setenv("PATH", str(tmp_path))

    def ask(labels: dict[str, str], engine: str = "docker", *, driver: bool = True):
        said = Said()
        if driver:
            (tmp_path / "version").write_text("NVRM")
        return default_gpus(labels, SimpleNamespace(name=engine), said), said.lines

    return ask


def test_an_image_that_is_made_for_gpus_gets_all_of_them(asked):
    assert asked(MADE_FOR) == ("all", [])
    assert asked(MADE_FOR, "podman") == ("all", [])


@pytest.mark.parametrize(
    "labels", [{}, {"run.cog.config": "{}"}, {"run.cog.config": '{"build":null}'}, {"run.cog.config": "x"}]
)
def test_another_image_gets_none_and_nothing_is_said(asked, labels):
    assert asked(labels) == (None, [])


def test_where_there_is_no_driver_or_no_gpu_can_be_given_that_is_said(asked):
    gpus, [line] = asked(MADE_FOR, driver=False)
    assert (gpus, "no NVIDIA driver" in line) == (None, True)
    gpus, [line] = asked(MADE_FOR, "sandbox")
    assert (gpus, "the sandbox has no GPUs" in line) == (None, True)


def test_the_image_says_what_it_requires_in_the_words_of_nvidias_toolkit_and_only_then(project):  # noqa: F811 - the fixture
    lock_by_hand(project)
    found = Project.find(project)
    parts = Lock.read(found.lock_path).platforms["linux/amd64"]

    def variables(requires: Requires | None) -> dict[str, str]:
        env = image_config(found, replace(parts, requires=requires), None, b"", {}, env={}).env
        return {name: value for name, value in env.items() if "NVIDIA" in name}

    assert variables(None) == {}
    assert variables(Requires(cuda="12.8", driver="525", driver_for_ptx="570.26")) == {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.8 driver>=525",
    }
