"""Checks of cog.yaml and of what it names."""

from __future__ import annotations

import pytest

PARSE, RULES, DEPRECATED, REFERENCE, SCHEMA = (
    "config-parse",
    "config-schema",
    "config-deprecated-fields",
    "config-predict-ref",
    "python-schema",
)


def test_a_project_as_it_should_be_has_nothing(patient):
    patient.write()

    assert [patient.said(check) for check in (PARSE, RULES, DEPRECATED, REFERENCE, SCHEMA)] == [[]] * 5


def test_what_is_no_yaml_is_said_once(patient):
    patient.write("a: [1\n")

    assert patient.said(PARSE) == ["error cog.yaml:2:1 this is not YAML: expected ',' or ']', but got '<stream end>'"]
    assert patient.said(RULES) == patient.said(REFERENCE) == patient.said(SCHEMA) == []


def test_every_rule_that_is_broken_is_said(patient):
    patient.write("runn: x\nbuild:\n  python_version: 2.7\n")

    assert patient.said(RULES) == [
        "error cog.yaml:1:1 runn: unknown key, did you mean run?",
        "error cog.yaml:3:19 build.python_version: 2.7 is too old: the minimum supported Python version is 3.10",
    ]


def test_a_requirements_file_that_is_not_there_is_said_before_there_is_a_lock(patient):
    patient.write("build:\n  python_requirements: requirements.txt\n")

    [said] = patient.said(RULES)
    assert said.startswith("error cog.yaml:2:24 build.python_requirements: requirements.txt does not exist")


def test_fields_on_their_way_out_are_warnings(patient):
    patient.write("build:\n  python_packages: [numpy]\nconcurrency:\n  max: 4\nrun: run.py:Runner\n")

    assert patient.said(DEPRECATED) == [
        'warning cog.yaml:2:3 deprecated field "build.python_packages": use a requirements.txt file instead',
        'warning cog.yaml:4:3 deprecated field "concurrency.max": use @cog.concurrent on the method instead',
    ]
    assert "@cog.concurrent(max=4)" in patient.found(DEPRECATED)[1].remedy


def test_a_version_of_the_sdk_changes_nothing(patient):
    patient.write("build:\n  sdk_version: 0.18.0\nrun: run.py:Runner\n")

    [said] = patient.said(DEPRECATED)
    assert said.startswith("warning cog.yaml:2:3 build.sdk_version 0.18.0 changes nothing")


@pytest.mark.parametrize(
    ("config", "message", "remedy"),
    [
        (
            "predict: predict.py:P\n",
            "predict.py not found",
            "Create predict.py or update the predict field in cog.yaml",
        ),
        ("run: a/b.py\n", "a/b.py not found", "Create a/b.py or update the run field in cog.yaml"),
        (
            "run: run.py:Ruler\n",
            "run.py defines no class or function Ruler",
            "Define Ruler in run.py or update the run",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_and_the_only_one(patient, config, message, remedy):
    patient.write(config)

    [found] = patient.found(REFERENCE)

    assert (found.level, found.message) == ("error", message)
    assert found.remedy.startswith(remedy)
    assert patient.said(SCHEMA) == []


@pytest.mark.parametrize(
    "source", ["from x import Runner", "from x import *", "Runner = make()", "if 1:\n    class Runner: ..."]
)
def test_a_name_that_is_bound_in_any_way_is_there(patient, source):
    patient.write(run__py=source)

    assert patient.said(REFERENCE) == []


def test_a_project_without_a_model_is_a_warning(patient):
    patient.write("build: {python_version: '3.13'}\n")

    assert patient.said(REFERENCE) == ["warning cog.yaml names no model to run"]


def test_what_keeps_the_schema_from_being_read_is_an_error_with_its_place(patient):
    patient.write(run__py="class Runner:\n    def run(self, a, b: Tensor): ...\n")

    said = patient.said(SCHEMA)

    assert len(said) == 3
    assert all(line.startswith("error run.py:2:") for line in said)


def test_training_is_looked_at_too(patient):
    config = "run: run.py:Runner\ntrain: train.py:train\n"
    assert patient.write(config).said("python-schema") == ["error train.py:1:1 no such file, did you mean run.py?"]
    patient.write(config, train__py="def train(n) -> str: ...\n")
    assert patient.said("python-schema") == ["error train.py:1:11 parameter 'n': has no type, annotate it: `n: str`"]


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("def run(self) -> str", True),
        ("async def run(self) -> str", False),
        ("@batch(max_size=2)\n    def run(self, a: list[str]) -> list[str]", False),
    ],
)
def test_a_concurrency_that_the_model_cannot_have_is_an_error(patient, method, wrong):
    source = f"from cog import batch\nclass Runner:\n    {method}: ...\n"
    patient.write("run: run.py:Runner\nconcurrency:\n  max: 4\n", run__py=source)
    text = "concurrency.max: 4 predictions at a time need an `async def run()`, and the model's is not async"
    assert patient.said("python-schema") == [f"error cog.yaml:3:8 {text}"] * wrong


def test_a_model_that_is_no_python_is_told_by_the_grammar_of_this_one(patient):
    patient.write(run__py="def\n")

    [found] = patient.found(SCHEMA)

    assert found.message.startswith("syntax error")
    assert "grammar of Python" in found.remedy
