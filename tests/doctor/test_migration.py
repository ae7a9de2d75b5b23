"""predict → run: what is renamed, what is left alone, and when it is left to a person."""

from __future__ import annotations

import pytest

from cog_oci.schema import read_schema

CHECK = "predict-to-run-migration"

OLD = '''\
"""A Predictor, with a BasePredictor."""
from cog import BasePredictor, Input  # é: BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        self.model = load()  # has a predict() of its own

    def   predict( self, text:str = Input(default='x') ) -> str:   # odd spacing
        if text:
            return self.predict('')
        return self.model.predict(text)


if __name__ == "__main__":
    predictor = Predictor()
    predictor.setup(); print(predictor.predict(text="é"), Predictor().predict("y"))
'''

NEW = '''\
"""A Predictor, with a BasePredictor."""
from cog import BaseRunner, Input  # é: BasePredictor


class Runner(BaseRunner):
    def setup(self) -> None:
        self.model = load()  # has a predict() of its own

    def   run( self, text:str = Input(default='x') ) -> str:   # odd spacing
        if text:
            return self.run('')
        return self.model.predict(text)


if __name__ == "__main__":
    predictor = Runner()
    predictor.setup(); print(predictor.run(text="é"), Runner().run("y"))
'''


@pytest.fixture
def old(patient):
    """A project with the old names, and no run.py."""
    patient.write("# Mine\npredict:   'predict.py:Predictor'  # this\nimage: x\n", predict__py=OLD)
    (patient.folder / "run.py").unlink()
    return patient


def test_the_old_names_are_one_finding(old):
    assert old.said(CHECK) == [
        (
            "warning cog.yaml:2:1 Deprecated predict interface names: predict in cog.yaml, class Predictor in predict.py, "
            "BasePredictor in predict.py, predict() in predict.py"
        )
    ]


def test_only_the_names_change(old):
    before = read_schema(old.folder, "predict.py:Predictor").document

    assert old.repair() == ["Deprecated predict interface names"]

    assert old.files().keys() == {"cog.yaml", "run.py"}
    assert old.read("run.py") == NEW
    assert old.read("cog.yaml") == "# Mine\nrun:   'run.py:Runner'  # this\nimage: x\n"
    assert read_schema(old.folder, "run.py:Runner").document == before
    assert old.said(CHECK) == []


def test_line_endings_byte_order_marks_and_modes_stay(old):
    (old.folder / "predict.py").write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    (old.folder / "predict.py").chmod(0o750)
    (old.folder / "cog.yaml").write_bytes(b"\xef\xbb\xbfpredict: predict.py:Predictor\r\nimage: x\r\n")

    assert len(old.repair()) == 1

    assert (old.folder / "run.py").read_bytes() == b"\xef\xbb\xbf" + NEW.replace("\n", "\r\n").encode()
    assert (old.folder / "run.py").stat().st_mode & 0o777 == 0o750
    assert (old.folder / "cog.yaml").read_bytes() == b"\xef\xbb\xbfrun: run.py:Runner\r\nimage: x\r\n"


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (
            "import cog\nclass Mine(cog.BasePredictor):\n    async def predict(self) -> str: ...\n",
            "import cog\nclass Mine(cog.BaseRunner):\n    async def run(self) -> str: ...\n",
        ),
        (
            "from cog import BasePredictor as BP\nclass Mine(BP):\n    def run(self) -> str: ...\n",
            "from cog import BaseRunner as BP\nclass Mine(BP):\n    def run(self) -> str: ...\n",
        ),
        ("def Mine() -> str: ...\n", "def Mine() -> str: ...\n"),
        (
            "class Mine:\n    def predict(self) -> str:\n        return super().predict() + other.predict()\n",
            None,
        ),
    ],
)
def test_a_model_of_another_name_keeps_it(patient, source, result):
    patient.write("predict: model.py:Mine\n", model__py=source)

    patient.repair()

    assert patient.read("cog.yaml") == "run: model.py:Mine\n"
    assert patient.read("model.py") == (result or source.replace("def predict", "def run"))


def test_old_names_behind_the_new_key_are_found_too(patient):
    patient.write("run: predict.py:Predictor\n", predict__py=OLD)
    (patient.folder / "run.py").unlink()

    assert patient.said(CHECK)[0].startswith("warning cog.yaml:1:1 Deprecated predict interface names: class Predictor")
    patient.repair()
    assert patient.read("cog.yaml") == "run: run.py:Runner\n"


@pytest.mark.parametrize(
    ("config", "source", "other", "reason"),
    [
        ("predict: predict.py:Predictor\n", OLD, {"run__py": "x = 1\n"}, "run.py already exists"),
        (
            "predict: predict.py:Predictor\n",
            OLD,
            {"test_it__py": "from predict import Predictor\n"},
            "test_it.py imports",
        ),
        (
            "predict: predict.py:Predictor\n",
            OLD,
            {"tests_in_test_it__py": "import predict\n"},
            "tests/test_it.py imports predict.py",
        ),
        (
            "predict: src/predict.py:Predictor\n",
            "",
            {"src_in_predict__py": OLD, "src_in_other__py": "import predict\n"},
            "src/other.py imports src/predict.py",
        ),
        ("predict: &here predict.py:Predictor\n", OLD, {}, "cog.yaml writes predict in a way of its own"),
        ("predict: predict.py:Predictor\n", OLD + "Runner = 1\n", {}, "predict.py has a Runner already"),
        (
            "predict: predict.py:Predictor\n",
            OLD.replace("(BasePred", "(Other, BasePred"),
            {},
            "Predictor inherits from Other",
        ),
        (
            "predict: predict.py:Predictor\n",
            OLD.replace("def setup(self) -> None", "def run(self) -> str"),
            {},
            "Predictor has a run() already",
        ),
        (
            "predict: predict.py:Predictor\n",
            OLD.replace("class Predictor", "class \\\n Predictor"),
            {},
            "in a way of its own",
        ),
        ("predict: predict.py:Predictor\n", "def\n", {}, "predict.py cannot be parsed"),
        (
            "predict: predict.py:Predictor\n",
            "# coding: latin-1\nx = '\xe9'\n".encode("latin-1"),
            {},
            "cannot be parsed",
        ),
    ],
)
def test_what_a_person_should_think_about_is_left_alone(patient, config, source, other, reason):
    patient.write(config, predict__py=source, **other)
    if "run__py" not in other:
        (patient.folder / "run.py").unlink()
    before = patient.files()

    [found] = patient.found(CHECK)

    assert found.fix is None
    assert reason in found.remedy
    assert patient.repair() == []
    assert patient.files() == before


def test_a_file_behind_a_link_is_left_alone(old, tmp_path):
    (old.folder / "predict.py").rename(tmp_path / "shared.py")
    (old.folder / "predict.py").symlink_to(tmp_path / "shared.py")

    [found] = old.found(CHECK)

    assert "predict.py is a link" in found.remedy
    assert old.repair() == []
    assert (tmp_path / "shared.py").read_text() == OLD


def test_names_that_only_look_like_the_old_ones_are_none(patient):
    patient.write(run__py="class Runner:\n    def run(self, predict: str) -> str: ...\n\nclass Predictor: ...\n")

    assert patient.said(CHECK) == []
