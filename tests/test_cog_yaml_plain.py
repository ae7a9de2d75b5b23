"""A plain cog.yaml is read without pydantic, and means what pydantic says that it means."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.cog_yaml_plain import plain_values
from cog_oci.config import _checked_by_pydantic
from cog_oci.errors import SourceError

FILE = Path("cog.yaml")

WORDS = st.sampled_from(
    [
        "",
        "ffmpeg",
        "libgl1",
        "a",
        "libx.so.1",
        "/usr/bin/x",
        "x=1",
        "torch==2.9.1",
        "~x",
        "é",
        "x\u00a0y",
        "\ud800",
        "X",
    ]
)
REFERENCES = st.sampled_from(["run.py:Runner", "run.py", "a/b.py:C", "run:Runner", ":x.py", "run.py:1", "run.py:é", ""])
VERSIONS = st.sampled_from(["3.13", "3.10", "3.12.4", "3.9", "3.15", "3", "3.13.x", "3.13\n", "٣.١٣", 3.11, 3.1, 3])
ODD = st.one_of(st.none(), st.booleans(), st.integers(0, 2), WORDS, st.lists(WORDS, max_size=2), st.just({"name": "x"}))
BUILD = st.fixed_dictionaries(
    {},
    optional={
        "gpu": st.one_of(st.booleans(), ODD),
        "python_version": st.one_of(VERSIONS, ODD),
        "python_requirements": st.one_of(WORDS, ODD),
        "python_packages": st.one_of(st.lists(WORDS, max_size=3), ODD),
        "system_packages": st.one_of(st.lists(WORDS, max_size=3), ODD),
        "cuda": ODD,
        "run": ODD,
        "sdk_version": ODD,
        "unknown": ODD,
    },
)
TOP = st.fixed_dictionaries(
    {},
    optional={
        "build": st.one_of(BUILD, ODD),
        "image": st.one_of(WORDS, ODD),
        "run": st.one_of(REFERENCES, ODD),
        "predict": st.one_of(REFERENCES, ODD),
        "train": st.one_of(REFERENCES, ODD),
        "environment": ODD,
        "weights": ODD,
        "unknown": ODD,
    },
)


@settings(max_examples=200, deadline=None)
@given(TOP)
def test_what_is_read_as_plain_is_what_pydantic_says_to_the_letter(document):
    data = yaml.safe_dump(document, sort_keys=False).encode()

    if (values := plain_values(FILE, data)) is not None:
        # As text, for the order of what an image's label says is a part of it.
        assert json.dumps(values["said"]) == json.dumps(_checked_by_pydantic(FILE, data)["said"])
        assert values == _checked_by_pydantic(FILE, data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "build: {python_version: 3.11}",
        "build: {python_version: 3.12.4, gpu: true, system_packages: [ffmpeg, libstdc++6, python3.11, libx.so.1]}",
        "build: {python_requirements: requirements.txt}\nrun: run.py:Runner\nimage: r8.im/me/model",
        "build: {python_packages: ['torch==2.9.1']}\npredict: predict.py:Predictor\ntrain: train.py:train",
    ],
)
def test_what_most_projects_write_is_plain(text):
    assert plain_values(FILE, text.encode()) == _checked_by_pydantic(FILE, text.encode())


@pytest.mark.parametrize(
    "text", ["build: {python_versio: 3.11}", "run: x", "build: []", "a: [", "run: a.py\npredict: b.py"]
)
def test_a_mistake_is_left_to_whoever_can_tell_it(text):
    assert plain_values(FILE, text.encode()) is None
    with pytest.raises(SourceError):
        _checked_by_pydantic(FILE, text.encode())


def test_a_plain_file_is_read_without_pydantic(tmp_path):
    (tmp_path / "cog.yaml").write_text("build: {python_version: 3.11}\nrun: run.py:Runner\n")
    code = "import sys; from pathlib import Path; from cog_oci.config import Project; Project.find(Path.cwd())"

    subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit('pydantic' in sys.modules)"], cwd=tmp_path, check=True, timeout=60
    )
