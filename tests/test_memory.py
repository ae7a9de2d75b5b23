"""What was checked once: remembered by its bytes and by the rules, and never anything else."""

from __future__ import annotations

import json

import pytest

from cog_oci import checked, config
from cog_oci.config import Project
from cog_oci.errors import CogError, SourceError
from cog_oci.lock import Archive, Deb, Interpreter, Lock, PlatformLock, RecordedLayer, Rendering, Wheel
from cog_oci.memory import Memory, Question

YAML = (
    "build: {python_version: '3.11', python_packages: [numpy], system_packages: [libgl1]}\n"
    "image: {name: me/model, compression: zstd}\nrun: run.py:Runner\nconcurrency: {max: 3}\n"
    "environment: ['A=b=c', 'Z=1', 'B=']\n"
)
_FILE = {"name": "a", "version": "1", "file": "f", "sha256": "0" * 64, "size": 1}
RECORDED = Lock(
    as_of="2026-01-01T00:00:00Z",
    platforms={
        "linux/amd64": PlatformLock(
            inputs={"build.python_version": "3.11"},
            interpreter=Interpreter(
                source="debian", suite="bookworm", version="3.11", executable="/usr/bin/python3.11"
            ),
            archives=(Archive(name="debian", suite="bookworm", date="today", inrelease="1" * 64),),
            debs=(Deb(**_FILE, archive="debian", architecture="all", layer="base", needed_by=("b", "c")),),
            wheels=(Wheel(**_FILE, index="default"),),
            server=(Wheel(**_FILE, index="default", needed_by=("\N{SNOWMAN}",)),),
            bytecode=True,
            layers=(
                RecordedLayer(
                    name="python",
                    recipe="2" * 64,
                    diff_id="sha256:" + "3" * 64,
                    size=7,
                    blobs={"gzip": Rendering(made_by="gzip", digest="sha256:" + "4" * 64, size=9)},
                ),
            ),
        )
    },
)


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "memory")


def test_an_answer_is_recalled_for_the_same_bytes_and_rules_alone(memory, tmp_path):
    rules = tmp_path / "rules.py"
    rules.write_text("x = 1")
    memory.keep(Question(b"data", rules), {"a": [1, None]})

    assert memory.recall(Question(b"data", rules)) == {"a": [1, None]}
    assert memory.recall(Question(b"other", rules)) is None
    assert memory.recall(Question(b"data")) is None
    rules.write_text("x = 2")
    assert memory.recall(Question(b"data", rules)) is None


def test_rules_that_cannot_be_read_are_never_an_answer(memory, tmp_path):
    question = Question(b"data", tmp_path / "nowhere.py")
    memory.keep(question, 1)

    assert memory.recall(question) is None


def test_a_damaged_answer_is_none(memory, tmp_path):
    question = Question(b"data")
    memory.keep(question, [1])
    (tmp_path / "memory" / question.name).write_bytes(b"[1")

    assert memory.recall(question) is None


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path):
    (tmp_path / "file").touch()
    memory = Memory(tmp_path / "file" / "below")
    memory.keep(Question(b"data"), 1)

    assert memory.recall(Question(b"data")) is None


def test_a_lock_that_is_remembered_is_the_lock_that_was_checked(memory, monkeypatch):
    data = RECORDED.to_bytes()
    first = Lock.from_bytes(data, memory=memory)
    monkeypatch.setattr(checked, "check", None)

    assert Lock.from_bytes(data, memory=memory) == first == RECORDED
    assert Lock.from_bytes(data, memory=memory).to_bytes() == data


def test_a_lock_that_does_not_fit_is_refused_every_time(memory):
    data = RECORDED.to_bytes().replace(b'"size": 7', b'"size": -7')
    for _ in range(2):
        with pytest.raises(CogError, match=r"platforms.linux/amd64.layers.0.size: Input should be greater than or"):
            Lock.from_bytes(data, memory=memory)


def test_a_configuration_that_is_remembered_is_the_one_that_was_checked(memory, tmp_path, monkeypatch):
    (tmp_path / "cog.yaml").write_text(YAML)
    first = Project.find(tmp_path, memory=memory)
    monkeypatch.setattr(config, "_checked", None)

    again = Project.find(tmp_path, memory=memory)
    assert again == first == Project(tmp_path, tmp_path / "cog.yaml", first.config)
    assert list(again.config.variables) == ["A", "Z", "B"]
    assert json.dumps(again.config.said, sort_keys=True) == json.dumps(first.config.said, sort_keys=True)


def test_a_mistake_is_told_every_time(memory, tmp_path):
    (tmp_path / "cog.yaml").write_text("runn: x\n")
    for _ in range(2):
        with pytest.raises(SourceError, match=r"cog.yaml:1:1: runn: unknown key, did you mean run\?"):
            Project.find(tmp_path, memory=memory)
