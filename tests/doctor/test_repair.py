"""Repairs: whole or not at all, and the same model afterwards."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.doctor import Change, Fix, Subject, examine
from cog_oci.doctor._finding import Edit
from cog_oci.doctor._repair import apply
from cog_oci.errors import CogError
from cog_oci.schema import read_schema
from tests.doctor.conftest import Patient


def fix(*changes: Change) -> Fix:
    return Fix("", changes)


def test_edits_are_made_where_they_were_asked_for_in_any_order():
    change = Change("a", b"one two three", (Edit(8, 13, b"3"), Edit(0, 3, b"first"), Edit(4, 4, b"+")))

    assert change.result == b"first +two 3"


def test_a_file_that_was_changed_meanwhile_is_left_alone(patient):
    patient.write(run__py="new")

    with pytest.raises(CogError, match=r"run\.py was changed meanwhile"):
        apply(fix(Change("run.py", b"old", (Edit(0, 3, b"x"),))), patient.folder)

    assert patient.read("run.py") == "new"


def test_a_new_name_never_replaces_what_has_it(patient):
    patient.write(run__py="mine", predict__py="old")
    before = patient.files()
    changes = (Change("predict.py", b"old", (), "run.py"), Change("cog.yaml", before["cog.yaml"], (Edit(0, 3, b"x"),)))

    with pytest.raises(CogError, match=r"run\.py already exists"):
        apply(fix(*changes), patient.folder)

    assert patient.files() == before


def test_what_was_begun_is_undone_when_the_rest_cannot_be(patient, monkeypatch):
    patient.write(predict__py="old")
    (patient.folder / "run.py").unlink()
    before = patient.files()
    changes = (Change("predict.py", b"old", (), "run.py"), Change("cog.yaml", before["cog.yaml"], (Edit(0, 3, b"x"),)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        apply(fix(*changes), patient.folder)

    assert patient.files() == before


names = st.sampled_from(["Predictor", "Model"])
bases = st.sampled_from(
    ["from cog import BasePredictor, Path\n", "import cog as c\nfrom cog import Path\nBasePredictor = 1\n"]
)
noise = st.sampled_from(["", "# Predictor, predict() and ü\n", "x = 'ü'; y = 2\n", "import warnings\n\n\n", "\n\r\n"])
models = st.sampled_from(
    [
        "",
        (
            "from pydantic import BaseModel, ConfigDict\nclass Out(BaseModel):\n"
            "    '''ü'''\n    model_config = ConfigDict(arbitrary_types_allowed=True)\n    a: Path\n"
        ),
        (
            "from pydantic import (\n    BaseModel,\n)\nclass Out(BaseModel):\n    class Config:\n"
            "        arbitrary_types_allowed = True\n    a: Path; b: int = 3\n"
        ),
    ]
)
warned = st.sampled_from(
    [
        "",
        "from cog import ExperimentalFeatureWarning\n",
        (
            "import warnings\nfrom cog import (Secret, ExperimentalFeatureWarning)\n"
            "warnings.filterwarnings('ignore', category=ExperimentalFeatureWarning)\n"
        ),
    ]
)


@given(names, bases, noise, models, warned, st.booleans())
def test_a_repaired_model_is_the_same_model_and_nothing_is_left_to_repair(name, base, before, model, warning, late):
    parent = "c.BasePredictor" if "as c" in base else "BasePredictor"
    base = base.replace("BasePredictor = 1\n", "")
    output = "Out" if model else "str"
    source = (
        f"{before}{base}{warning}{model}{before}"
        f"class {name}({parent}):\n    def predict(self, a: str = 'ü', *, b: int) -> {output}:\n        ...\n"
        + (f"{before}m = {name}(); m.predict(b=1)\n" if late else "")
    )
    with tempfile.TemporaryDirectory() as folder:
        patient = Patient(Path(folder)).write(f"predict: predict.py:{name}\n", predict__py=source)
        (patient.folder / "run.py").unlink()
        expected = read_schema(patient.folder, f"predict.py:{name}").document

        patient.repair()

        key, _, reference = patient.read("cog.yaml").strip().partition(": ")
        assert (key, reference) == ("run", f"run.py:{'Runner' if name == 'Predictor' else name}")
        assert read_schema(patient.folder, reference).document == expected
        assert not [found for found in examine(Subject(patient.folder / "cog.yaml")) if found.fix]
        kept = [line for line in source.splitlines() if line.startswith("#")]
        assert [line for line in patient.read("run.py").splitlines() if line.startswith("#")] == kept
        ast.parse(patient.read("run.py"))


NASTY = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"def",
    b"(" * 3000,
    b"a" + b".b" * 3000 + b"\n",
    b"class R(" + b"a" + b".b" * 900 + b"): ...\n",
    b"# coding: latin-1\nx = '\xe9'\n",
    b"\xef\xbb\xbfx = 1\n",
    b"x = 1\x0c\ny = 2\r\rz = 3\n",
    "class Runner:\n\tdef run(self) -> str: return 'é\u2028'\n".encode(),
    b"from . import a\nfrom .... import a\nimport run\n",
    b"from cog import ExperimentalFeatureWarning as \\\n  E\n",
]


@pytest.mark.parametrize("source", NASTY)
def test_nasty_sources_end_in_findings(patient, source):
    patient.write("predict: predict.py:Predictor\n", predict__py=source)

    found = examine(Subject(patient.folder / "cog.yaml"))

    assert all(one.message and one.remedy and one.check for one in found)
    assert any(one.level == "error" for one in found)


@pytest.mark.parametrize(
    "config",
    ["", "[]", "\0", "run: 3", "run:", "run: {a: b}", "predict: [x]", "? [a]\n: b", "run: ../x.py:X"],
)
def test_nasty_configurations_end_in_findings(patient, config):
    patient.write(config)

    assert all(one.message and one.remedy for one in examine(Subject(patient.folder / "cog.yaml")))
    assert patient.repair() == []
