"""The image that a project without its code is, remembered: under everything that decides it, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.config import Project
from cog_oci.identified import question_of, recall, remember
from cog_oci.memory import Memory, Question
from cog_oci.oci import Descriptor, DiffID, Digest, Image, ImageConfig, LayerBlob, MediaType, Platform
from cog_oci.options import Options

MOUNTED = Options(mounted=True)
AMD64 = Platform("linux", "amd64")

words = st.text(max_size=8)
digests = st.binary(min_size=32, max_size=32).map(lambda data: "sha256:" + data.hex())
descriptors = st.builds(
    Descriptor,
    st.sampled_from([MediaType.LAYER_GZIP, MediaType.LAYER_ZSTD, MediaType.LAYER]),
    digests.map(Digest),
    st.integers(0, 1 << 40),
    st.dictionaries(words, words, max_size=2),
)
layers = st.builds(LayerBlob, words, digests.map(DiffID), descriptors, st.integers(0, 1 << 40), words)
tuples = st.lists(words, max_size=3).map(tuple)
configs = st.builds(
    ImageConfig,
    env=st.dictionaries(words, words, max_size=3),
    entrypoint=tuples,
    command=tuples,
    working_dir=words,
    exposed_ports=tuples,
    labels=st.dictionaries(words, words, max_size=3),
    user=words,
    volumes=tuples,
)
images = st.builds(Image, st.builds(Platform, words, words, words), configs, st.lists(layers, max_size=4).map(tuple))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "cog.yaml").write_text("build:\n  python_requirements: requirements.txt\n")
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("")
    (tmp_path / "cog.lock").write_text("{}")
    (tmp_path / "run.py").write_text("")
    return Project.find(tmp_path)


def asked(project, platform=AMD64, options=MOUNTED) -> str:
    question = question_of(Project.find(project.folder), platform, options)
    assert question is not None
    return question.name


@given(image=images)
def test_what_is_recalled_is_what_was_remembered(tmp_path_factory, image):
    memory, question = Memory(tmp_path_factory.mktemp("memory")), Question(b"?")

    remember(question, memory, image)
    found = recall(question, memory)

    assert found == image
    assert found.config_document == image.config_document
    assert found.digest == image.digest


@pytest.mark.parametrize("name", ["cog.yaml", "requirements.txt", "more.txt", "cog.lock"])
def test_every_file_that_decides_the_image_makes_another_question(project, name):
    before = asked(project)

    with (project.folder / name).open("a") as file:
        file.write("\n")

    assert asked(project) != before


@pytest.mark.parametrize(
    "options",
    [
        replace(MOUNTED, compression="zstd"),
        replace(MOUNTED, certificates=(b"a certificate",)),
        replace(MOUNTED, labels={"a": "b"}),
    ],
)
def test_everything_that_is_asked_of_the_image_makes_another_question(project, options):
    assert asked(project, options=options) != asked(project)
    assert asked(project, Platform("linux", "arm64")) != asked(project)


def test_a_change_of_the_code_makes_no_other_question(project):
    before = asked(project)

    (project.folder / "run.py").write_text("x = 1\n")

    assert asked(project) == before


def test_another_program_makes_another_question(project, monkeypatch):
    before = asked(project)

    monkeypatch.setattr("cog_oci.identified._program", lambda: iter([("cog_oci/plan.py", 1, 2)]))

    assert asked(project) != before


def test_an_image_with_code_and_a_project_without_a_lock_are_not_remembered(project):
    assert question_of(project, AMD64, Options()) is None
    project.lock_path.unlink()
    assert question_of(project, AMD64, MOUNTED) is None


@pytest.mark.parametrize("answer", [{}, [], {"platform": {}, "config": {}, "layers": []}, {"layers": [1]}, "text"])
def test_an_answer_that_somebody_has_changed_is_none(tmp_path, answer):
    memory, question = Memory(tmp_path), Question(b"?")
    memory.keep(question, answer)

    assert recall(question, memory) is None
