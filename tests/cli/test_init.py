"""`cog-oci init`: what it writes is a project that works, and what was there stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cog_oci.cli import cog_oci as commands
from cog_oci.cog_yaml import PYTHON_VERSIONS
from cog_oci.config import Project
from tests.cli.in_process import command
from tests.images.conftest import cog_oci

FILES = {"cog.yaml", "run.py", "requirements.txt", ".dockerignore", ".github/workflows/push.yaml"}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder, and a store of its own."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_five_files_and_says_so(folder):
    done = command("init", cwd=folder)

    assert set(written(folder)) == FILES
    assert all(f"Creating {name}\n" in done.stderr for name in FILES)
    assert done.stdout == ""


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_there_stays(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")

    done = command("init", cwd=folder)

    assert (folder / name).read_text() == "mine"
    assert set(written(folder)) == FILES
    assert f"Skipped existing {name}\n" in done.stderr


def test_a_link_that_leads_nowhere_is_not_written_through(folder):
    (folder / "run.py").symlink_to(folder.parent / "elsewhere.py")

    done = command("init", cwd=folder)

    assert "Skipped existing run.py\n" in done.stderr
    assert not (folder.parent / "elsewhere.py").exists()


def test_a_second_time_changes_nothing(folder):
    command("init", cwd=folder)
    before = written(folder)

    done = command("init", cwd=folder)

    assert written(folder) == before
    assert "Creating" not in done.stderr


def test_the_new_project_has_a_schema(folder):
    command("init", cwd=folder)

    done = command("schema", cwd=folder)

    assert '"Whom to greet"' in done.stdout


def test_the_model_answers(folder, monkeypatch):
    command("init", cwd=folder)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "cog_oci" / "sdk"))
    names: dict = {"__name__": "run"}
    exec((folder / "run.py").read_text(), names)

    assert names["Runner"]().run(text="you", times=2) == "Hello, you! Hello, you!"


def test_every_line_that_is_commented_out_of_cog_yaml_may_be_taken_in(folder):
    command("init", cwd=folder)
    text = (folder / "cog.yaml").read_text()
    uncommented = re.sub(r"^( *)# ((?:  )?(?:- \S+|\w+:.*))$", r"\1\2", text, flags=re.MULTILINE)
    assert uncommented.count("#") < text.count("#") - 5
    (folder / "cog.yaml").write_text(uncommented)

    config = Project.find(folder).config

    assert config.build.system_packages == ("libgl1", "ffmpeg")
    assert config.image_name == "registry.example.com/you/model"
    assert config.variables == {"MODEL_SIZE": "small"}


def test_cog_yaml_names_the_versions_of_python_that_there_are(folder):
    command("init", cwd=folder)

    assert f"# The Python that the model runs on: {' or '.join(PYTHON_VERSIONS)}." in (folder / "cog.yaml").read_text()


def test_the_workflow_runs_commands_that_there_are(folder):
    command("init", cwd=folder)
    workflow = yaml.safe_load((folder / ".github/workflows/push.yaml").read_text())

    [job] = workflow["jobs"].values()
    called = [line for step in job["steps"] for line in step.get("run", "").splitlines() if line.startswith("cog-oci")]

    assert {line.split()[1] for line in called} == {"doctor", "image", "push"}
    assert {line.split()[1] for line in called} <= set(commands.list_commands(None))


@pytest.mark.network
def test_the_new_project_locks_and_builds(folder):
    command("init", cwd=folder)

    cog_oci("lock", cwd=folder)
    done = cog_oci("image", cwd=folder)

    assert done.stdout.startswith("sha256:")
