"""`cog-oci pull-lock` as a user runs it."""

from __future__ import annotations

import pytest

from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.images.conftest import cog_oci
from tests.transports.strict_registry import strict


@pytest.fixture
def pushed(project, cache):  # noqa: F811 - the fixture
    """The name of an image in a registry, whose digest the project's image has."""
    lock_by_hand(project, platforms=("linux/amd64", "linux/arm64"))
    with strict() as registry:
        name = f"{registry.host}/me/model:v1"
        command("push", name, "--platform", "linux/amd64,linux/arm64", cwd=project)
        yield name


def test_the_image_is_made_again_from_the_lock_that_came_back(pushed, project):  # noqa: F811 - the fixture
    before = command("image", "--digest", "--platform", "linux/amd64,linux/arm64", cwd=project).stdout
    (project / "cog.lock").unlink()

    done = cog_oci("pull-lock", pushed, cwd=project)

    assert "wrote cog.lock, for linux/amd64, linux/arm64" in done.stderr
    assert command("image", "--digest", "--platform", "linux/amd64,linux/arm64", cwd=project).stdout == before


def test_another_lock_is_not_written_over_unless_asked_to(pushed, project):  # noqa: F811 - the fixture
    (project / "cog.lock").write_text("{}")

    done = command("pull-lock", pushed, cwd=project, check=False)
    assert done.returncode == 1
    assert "add --force" in done.stderr
    assert (project / "cog.lock").read_text() == "{}"

    command("pull-lock", pushed, "--force", cwd=project)
    shown = cog_oci("pull-lock", pushed, "-o", "-", cwd=project)
    assert shown.stdout == (project / "cog.lock").read_text()
