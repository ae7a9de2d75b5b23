"""`cog-oci doctor` as a user sees it: what it prints, its exit status, what it changes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand
from tests.images.conftest import COMMAND

RUN = """\
from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str) -> str:
        return text
"""


SHOWN = """\
Fixed: Deprecated predict interface names
  --- predict.py
  +++ run.py
  @@ -1,6 +1,6 @@
  -from cog import BasePredictor
  +from cog import BaseRunner


  -class Predictor(BasePredictor):
  -    def predict(self, text: str) -> str:
  +class Runner(BaseRunner):
  +    def run(self, text: str) -> str:
           return text
  --- cog.yaml
  +++ cog.yaml
  @@ -1 +1 @@
  -predict: predict.py:Predictor  # ours
  +run: run.py:Runner  # ours
no issues found
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with nothing wrong, on a machine with nothing wrong."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COG_SKIP_DOCKER_CHECK", "1")
    monkeypatch.setattr("cog_oci.doctor._host.unavailable", lambda: None)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cog.yaml").write_text("run: run.py:Runner\n")
    (folder / "run.py").write_text(RUN)
    lock_by_hand(folder)
    return folder


@pytest.fixture
def old(project) -> Path:
    """The same project with the names that it had before."""
    (project / "cog.yaml").write_text("predict: predict.py:Predictor  # ours\n")
    (project / "run.py").rename(project / "predict.py")
    source = RUN.replace("Runner", "Predictor").replace("run(", "predict(")
    (project / "predict.py").write_text(source)
    return project


def test_a_healthy_project_has_no_issues(project):
    done = command("doctor", cwd=project)

    assert (done.stdout, done.stderr) == ("no issues found\n", "")


def test_it_is_found_from_a_folder_below(project):
    (project / "below").mkdir()

    assert command("doctor", cwd=project / "below").stdout == "no issues found\n"


def test_findings_come_with_remedies_and_warnings_alone_end_with_zero(old):
    done = command("doctor", cwd=old)

    assert done.stdout == (
        "warning: cog.yaml:1:1: Deprecated predict interface names: predict in cog.yaml, class Predictor in predict.py,"
        " BasePredictor in predict.py, predict() in predict.py (predict-to-run-migration)\n"
        "  Remediation: Run `cog-oci doctor --fix`, which renames them to run, Runner and BaseRunner\n"
        'Found 0 error(s), 1 warning(s). Run "cog-oci doctor --fix" to auto-fix.\n'
    )


def test_errors_end_with_one(project):
    (project / "run.py").unlink()

    done = command("doctor", cwd=project, check=False)

    assert done.returncode == 1
    assert done.stdout == (
        "error: cog.yaml:1:6: run.py not found (config-predict-ref)\n"
        "  Remediation: Create run.py or update the run field in cog.yaml\n"
        "Found 1 error(s), 0 warning(s).\n"
    )


def test_a_repair_shows_what_it_changed_and_the_lock_still_fits(old):
    done = command("doctor", "--fix", cwd=old)

    shown = [line.rstrip() for line in done.stdout.splitlines()]
    assert shown == SHOWN.splitlines()
    assert (old / "run.py").read_text() == RUN
    assert (old / "cog.yaml").read_text() == "run: run.py:Runner  # ours\n"
    assert command("doctor", "--fix", cwd=old).stdout == "no issues found\n"


def test_without_fix_nothing_is_written(old):
    before = {path.name: path.read_bytes() for path in old.iterdir()}

    command("doctor", cwd=old)

    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


def test_json_has_everything(old):
    (old / "cog.yaml").write_text("predict: predict.py:Predictor\nconcurrency: {max: 1}\n")

    before = json.loads(command("doctor", "--json", cwd=old).stdout)
    after = json.loads(command("doctor", "--json", "--fix", cwd=old).stdout)

    assert (before["errors"], before["warnings"], before["fixed"]) == (0, 2, [])
    first = before["findings"][0]
    assert (first["check"], first["level"], first["fixable"]) == ("predict-to-run-migration", "warning", True)
    assert (first["file"], first["line"], first["column"]) == ("cog.yaml", 1, 1)
    assert [one["check"] for one in after["findings"]] == ["config-deprecated-fields"]
    [fixed] = after["fixed"]
    assert [(one["file"], one["renamed"]) for one in fixed["files"]] == [("predict.py", "run.py"), ("cog.yaml", None)]
    assert "+run: run.py:Runner" in fixed["files"][1]["diff"]


def test_a_file_of_another_name_is_examined(project):
    (project / "other.yaml").write_text("runn: x\n")

    done = command("doctor", "-f", "other.yaml", cwd=project, check=False)

    assert "error: other.yaml:1:1: runn: unknown key, did you mean run? (config-schema)" in done.stdout


def test_no_project_at_all_points_at_init(tmp_path):
    done = command("doctor", "-f", "nowhere.yaml", cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "nowhere.yaml not found in" in done.stderr
    assert "cog-oci init" in done.stderr


def test_it_works_without_a_terminal_and_without_colours(old):
    done = subprocess.run(
        [*COMMAND, "doctor"], cwd=old, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert "\x1b" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "Deprecated predict interface names" in done.stdout
