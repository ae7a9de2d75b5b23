"""`cog-oci lock` on a project that is locked already: what stays, what moves, and what is said about it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from cog_oci.config import Project
from cog_oci.ground import inputs_of
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.resolver.test_python import index  # noqa: F401 - a fixture: `app` needs `lib`, of which there are two


def ask_for(folder, *packages: str) -> None:
    """Edit cog.yaml."""
    build = {"python_version": "3.13", "python_packages": list(packages)}
    (folder / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))


@pytest.fixture
def kept(project, cache, index):  # noqa: F811 - fixtures
    """A project whose lock holds an older `lib` than there is, though its cog.yaml asks for none in particular."""
    lock_by_hand(project)
    ask_for(project, "app", "lib<2")
    command("lock", cwd=project)
    ask_for(project, "app")
    old = Lock.read(project / "cog.lock")
    inputs = inputs_of(Project.find(project), Platform("linux", "amd64"))
    parts = replace(old.platforms["linux/amd64"], inputs=inputs)
    replace(old, platforms={"linux/amd64": parts}).write(project / "cog.lock")
    return project


def versions(folder) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in Lock.read(folder / "cog.lock").platforms["linux/amd64"].wheels}


def test_what_fits_stays(kept):
    ask_for(kept, "app", "lib>=1")
    command("lock", cwd=kept)

    assert versions(kept) == {"app": "1.0", "lib": "1.0"}


def test_a_lock_that_cannot_be_read_is_not_replaced_unless_everything_may_move(kept):
    path = kept / "cog.lock"
    path.write_text("<<<<<<< ours\n" + path.read_text())
    broken = path.read_bytes()

    done = command("lock", cwd=kept, check=False)

    assert (done.returncode, path.read_bytes()) == (1, broken)
    assert "cog.lock: " in done.stderr
    assert "cog-oci lock --upgrade" in done.stderr
    command("lock", "--upgrade", cwd=kept)
    assert versions(kept) == {"app": "1.0", "lib": "2.0"}


def test_a_lock_that_fits_is_not_touched_and_no_index_is_asked(kept, index):  # noqa: F811 - a fixture
    command("lock", "-P", "app", cwd=kept)
    before = (kept / "cog.lock").read_bytes()
    index.asked.clear()

    done = command("lock", cwd=kept)

    assert "nothing has changed" in done.stderr
    assert (kept / "cog.lock").read_bytes() == before
    assert index.asked == []


def test_one_package_is_upgraded_and_the_change_is_told(kept):
    done = command("lock", "--upgrade-package", "LIB", cwd=kept)

    assert versions(kept) == {"app": "1.0", "lib": "2.0"}
    said = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert "~ lib 1.0 → 2.0 -2 B" in said
    assert "layers of linux/amd64: 1 layer as before, 1 to make, from " in done.stderr
    assert "+ python" in said
    assert done.stdout == ""


def test_a_package_can_go_to_a_version_of_choice(kept):
    command("lock", "-P", "lib", cwd=kept)
    command("lock", "-P", "lib==1.0", cwd=kept)

    assert versions(kept)["lib"] == "1.0"


def test_a_diff_is_shown_and_nothing_written(kept):
    before = (kept / "cog.lock").read_bytes()

    done = command("lock", "-P", "lib", "--diff", cwd=kept)

    assert "lib" in done.stdout
    assert "1.0 → 2.0" in done.stdout
    assert (kept / "cog.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-P", "lob"], "the lock has no package lob\nhint: did you mean lib?"),
        (["-P", "lib>1"], "'lib>1' is not a package to upgrade\nhint: write NAME or NAME==VERSION"),
        (["-P", "lib==9"], "no version of lib==9"),
    ],
)
def test_an_upgrade_that_cannot_be_is_an_error_and_changes_nothing(kept, words, says):
    before = (kept / "cog.lock").read_bytes()

    done = command("lock", *words, cwd=kept, check=False)

    assert done.returncode == 1
    assert says in done.stderr
    assert (kept / "cog.lock").read_bytes() == before


def test_a_check_passes_while_the_inputs_are_the_same_and_names_the_one_that_is_not(kept):
    assert command("lock", "--check", cwd=kept).stderr.splitlines()[-1] == "cog.lock fits"
    ask_for(kept, "app", "lib")

    done = command("lock", "--check", cwd=kept, check=False)

    assert done.returncode == 1
    assert "cog.lock no longer fits: build.python_packages has changed" in done.stderr
    assert "run `cog-oci lock`" in done.stderr


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_wrong_usage(project, time):  # noqa: F811 - a fixture
    done = command("lock", "--as-of", time, cwd=project, check=False)

    assert done.returncode == 2
    assert f"{time!r} is not an ISO 8601 time" in done.stderr


def test_a_check_of_a_platform_that_is_not_locked_fails(kept):
    done = command("lock", "--check", "--platform", "linux/amd64,linux/arm64", cwd=kept, check=False)

    assert done.returncode == 1
    assert "the lock has nothing for linux/arm64" in done.stderr


def test_a_second_check_imports_neither_pydantic_nor_yaml(kept):
    code = (
        "import sys, contextlib\nfrom cog_oci.cli import main\nsys.argv = ['cog-oci', 'lock', '--check']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print(sorted({'pydantic', 'yaml', 'requests', 'rich', 'packaging', 'zstandard'} & set(sys.modules)))"
    )
    command("lock", "--check", cwd=kept)

    done = subprocess.run([sys.executable, "-c", code], cwd=kept, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr.splitlines()[-1]) == ("[]\n", "cog.lock fits")


def test_the_platforms_stay_those_of_the_lock(kept):
    two = Lock.read(kept / "cog.lock")
    parts = two.platforms["linux/amd64"]
    lock_by_hand(kept, *parts.wheels, platforms=("linux/amd64", "linux/arm64"))

    command("lock", "-P", "lib", cwd=kept)

    after = Lock.read(kept / "cog.lock").platforms
    assert {name: parts.wheels[1].version for name, parts in after.items()} == {
        "linux/amd64": "2.0",
        "linux/arm64": "2.0",
    }
