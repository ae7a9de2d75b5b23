"""What a script gets from commands that answer in JSON."""

from __future__ import annotations

import json

import pytest

from cog_oci.lock import Lock
from cog_oci.transports.sources import open_source
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.cli.test_reason_commands import locked  # noqa: F401 - fixtures
from tests.transports.strict_registry import strict


@pytest.fixture
def built(project, cache):  # noqa: F811 - fixtures
    """A project whose image can be built: nothing is in it but the code."""
    lock_by_hand(project)
    return project


def answer(*words: str, cwd):
    return json.loads(command(*words, cwd=cwd).stdout)


def test_why_gives_every_way_to_cog_yaml(locked):  # noqa: F811 - a fixture
    (package,) = answer("why", "lib", "--json", cwd=locked)

    assert package["chains"] == [["cog.yaml"], ["app", "cog.yaml"], ["plugin", "app", "cog.yaml"]]
    assert (package["name"], package["version"], package["kind"]) == ("lib", "1.0", "python")


def test_tree_gives_its_lines_with_their_depth(locked):  # noqa: F811 - a fixture
    rows = answer("tree", "--python", "--depth", "2", "--json", cwd=locked)["python"]

    assert [(row["level"], row["name"]) for row in rows][:2] == [(0, "cog.yaml"), (1, "app")]
    assert max(row["level"] for row in rows) == 2


def test_image_says_all_that_is_known_of_it(built):
    made = answer("image", "-o", "one.tar", "--json", cwd=built)
    known = answer("image", "--digest", "--json", cwd=built)

    assert made == known
    with open_source(str(built / "one.tar")) as source:
        (image,) = source.images()
    platform = made["platforms"]["linux/amd64"]
    assert platform["content_id"] == image.content_id
    assert [layer["diff_id"] for layer in platform["layers"]] == [layer.diff_id for layer in image.layers]


def test_push_says_what_went_where(built):
    with strict(referrers=False) as registry:
        first = answer("push", f"{registry.host}/me/model:v1", "--json", cwd=built)
        again = answer("push", f"{registry.host}/me/model:v1", "--json", cwd=built)

    assert first["digest"] == again["digest"]
    assert set(again["sent"]) == set()
    assert set(first["sent"]) <= set(again["there"])
    assert first["wire"] > again["wire"]


@pytest.mark.parametrize("change", [False, True])
def test_a_diff_of_locks_says_whether_they_are_equal(locked, monkeypatch, change):  # noqa: F811 - a fixture
    before = Lock.read(locked / "cog.lock")
    parts = before.platforms["linux/amd64"]

    def resolve(*_, **__):
        from dataclasses import replace

        wheels = parts.wheels[1:] if change else parts.wheels
        return replace(before, platforms={"linux/amd64": replace(parts, wheels=wheels)})

    monkeypatch.setattr("cog_oci.build.lock", resolve)

    found = answer("lock", "--diff", "--json", cwd=locked)

    assert found["equal"] is not change
    assert set(found["layers"]) == {"linux/amd64"}
