"""`build.system_effects`: scripts that are not computed are left out, or run as steps whose result is pinned."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cog_oci.config import Project
from cog_oci.errors import SourceError
from cog_oci.layers import realise
from cog_oci.layers._tar import Entry
from cog_oci.layers.steps import StepLayer
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.plan import artifact_layers
from cog_oci.steps import Allowance, StepRunner
from cog_oci.upkeep.effects import check_effects, chosen_effects
from tests.image_maker import Listed
from tests.layers.deb_builder import deb, keep
from tests.small_root import small_root
from tests.test_plan import most

SCRIPT = """#!/bin/sh
set -e
echo "$DPKG_MAINTSCRIPT_NAME $1 $# $DPKG_MAINTSCRIPT_PACKAGE" >> /etc/told
touch /etc/made-by-$DPKG_MAINTSCRIPT_PACKAGE
"""


def project(folder, **effects: str) -> Project:
    (folder / "cog.yaml").write_text(json.dumps({"build": {"python_version": "3.13", "system_effects": effects}}))
    return Project.find(folder)


def test_scripts_that_are_to_be_run_become_steps(tmp_path):
    names, steps = chosen_effects(project(tmp_path, **{"cuda-101": "run", "cuda-100": "skip"}), most({}).debs)

    assert names == ("cuda-100", "cuda-101")
    assert [step.phase for step in steps] == ["system_effects"]
    assert "/var/lib/dpkg/info/cuda-101:amd64.postinst" in steps[0].command
    assert not steps[0].network


def test_a_name_that_is_no_package_of_any_platform_is_shown_where_it_is_written(tmp_path):
    here = project(tmp_path, **{"cuda-1000": "run", "cuda-100": "skip"})
    debs = most({}).debs

    assert chosen_effects(here, debs) == (("cuda-100",), ()), "another platform may have it"
    with pytest.raises(SourceError) as caught:
        check_effects(here, debs)

    assert "cog.yaml:1:" in str(caught.value)
    assert "cuda-1000 is not in the image; did you mean cuda-100?" in str(caught.value)
    check_effects(here, (*debs, replace(debs[0], name="cuda-1000")))


def test_nothing_but_skip_and_run_can_be_said(tmp_path):
    with pytest.raises(SourceError, match="system_effects"):
        project(tmp_path, tool="ignore")


def test_scripts_run_right_above_the_system_packages_and_below_all_else(tmp_path):
    _, steps = chosen_effects(project(tmp_path, **{"cuda-101": "run", "cuda-100": "run"}), most({}).debs)
    parts = replace(most({}), steps=steps, without_scripts=("cuda-100", "cuda-101"))

    layers = artifact_layers(parts)

    names = [layer.name for layer in layers]
    at = names.index("system packages")
    assert names[at + 1 : at + 4] == ["build.system_effects 1", "build.system_effects 2", "server"]
    assert artifact_layers(most({}))[at].recipe != layers[at].recipe
    assert artifact_layers(most({}))[0].recipe == layers[0].recipe, "none of these packages is in the base"


def test_a_lock_keeps_which_scripts_are_left_out(tmp_path):
    _, steps = chosen_effects(project(tmp_path, **{"cuda-100": "run"}), most({}).debs)
    parts = replace(most({}), steps=steps, without_scripts=("cuda-100",))
    lock = Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts})
    (tmp_path / "cog.lock").write_bytes(lock.to_bytes())

    assert Lock.read(tmp_path / "cog.lock").platforms["linux/amd64"] == parts
    assert b"without_scripts" not in replace(lock, platforms={"linux/amd64": most({})}).to_bytes()


def test_a_script_runs_in_the_sandbox_as_dpkg_calls_it(tmp_path, store):
    own = deb("tool", scripts={"preinst": SCRIPT, "postinst": SCRIPT}, Multi_Arch="same")
    locked = keep(store, own, "tool", "system")
    asked = project(tmp_path, tool="run")
    names, steps = chosen_effects(asked, [locked])
    info = {f"var/lib/dpkg/info/tool:amd64.{name}": SCRIPT for name in ("preinst", "postinst")}
    packages = Listed("packages", [Entry.file(path, text, 0o755) for path, text in info.items()])
    runner = StepRunner(Platform("linux", "amd64"), most({}), Allowance(), lambda _: ())

    layer = StepLayer(steps[0], 1, (small_root(), packages), {"PATH": "/bin"}, runner)
    with layer.open(store) as entries:
        found = {entry.path: b"".join(entry.content.chunks()) for entry in entries if entry.content}

    assert names == ("tool",)
    assert found == {"etc/told": b"preinst install 1 tool\npostinst configure 2 tool\n", "etc/made-by-tool": b""}
    assert realise(layer, store) == realise(layer, store)
