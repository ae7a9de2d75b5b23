"""Imports of what Cog has taken out, and pydantic models that cog's own replace."""

from __future__ import annotations

import ast

import pytest

from cog_oci.schema import read_schema

IMPORTS, MODELS = "python-deprecated-imports", "python-pydantic-basemodel"

MODEL = "\n\nclass Runner:\n    def run(self) -> str: ...\n"


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("from cog import ExperimentalFeatureWarning\nimport a\n", "import a\n"),
        ("from cog.types import ExperimentalFeatureWarning  # why\nimport a\n", "import a\n"),
        ("from cog import Input, ExperimentalFeatureWarning\n", "from cog import Input\n"),
        ("from cog import ExperimentalFeatureWarning, Input as I\n", "from cog import Input as I\n"),
        (
            "from cog import (\n    Input,  # keep\n    ExperimentalFeatureWarning,\n)\n",
            "from cog import (\n    Input,  # keep\n)\n",
        ),
        ("from cog import (\n    ExperimentalFeatureWarning, Input)\n", "from cog import (\n    Input)\n"),
        (
            (
                "import warnings\n\nfrom cog import ExperimentalFeatureWarning, Input\n\n"
                'warnings.filterwarnings("ignore", category=ExperimentalFeatureWarning)\n\nx = 1\n'
            ),
            "from cog import Input\n\nx = 1\n",
        ),
        (
            (
                "import warnings\nfrom cog import ExperimentalFeatureWarning as W\n\n"
                'def quiet():\n    warnings.simplefilter("ignore", W)\n\nwarnings.warn("x")\n'
            ),
            'import warnings\n\ndef quiet():\n    pass\n\nwarnings.warn("x")\n',
        ),
        (
            "try:\n    from cog import ExperimentalFeatureWarning\nexcept ImportError:\n    pass\n",
            "try:\n    pass\nexcept ImportError:\n    pass\n",
        ),
    ],
)
def test_the_import_and_what_silences_it_go(patient, source, result):
    patient.write(run__py=source + MODEL)

    [said] = patient.said(IMPORTS)

    assert said.endswith(
        "ExperimentalFeatureWarning was removed in cog 0.17; current_scope().record_metric() is no longer experimental"
    )
    assert said.startswith("error" if "cog.types" in source else "warning")
    assert patient.repair() == ["Deprecated imports"]
    assert patient.read("run.py") == result + MODEL
    assert patient.said(IMPORTS) == []


@pytest.mark.parametrize(
    "source",
    [
        "from cog import ExperimentalFeatureWarning\nx = [ExperimentalFeatureWarning]\n",
        "import a; from cog import ExperimentalFeatureWarning\n",
        "from cog import ExperimentalFeatureWarning; import a\n",
    ],
)
def test_what_cannot_go_alone_is_left_to_a_person(patient, source):
    patient.write(run__py=source + MODEL)

    [found] = patient.found(IMPORTS)

    assert found.fix is None
    assert "Remove the import of ExperimentalFeatureWarning from cog" in found.remedy
    assert patient.repair() == []
    assert patient.read("run.py") == source + MODEL


def test_files_that_the_model_imports_are_looked_at_too(patient):
    patient.write(
        run__py=f"from helpers.quiet import x\nimport own\n{MODEL}",
        helpers_in_quiet__py="from .deep import y\n",
        helpers_in_deep__py="from cog import ExperimentalFeatureWarning\n",
        own__py="import run\n",
        unused__py="from cog import ExperimentalFeatureWarning\n",
    )

    assert [found.place.file for found in patient.found(IMPORTS)] == ["helpers/deep.py"]


def test_an_import_looks_into_the_projects_folder_and_then_beside_the_model(patient):
    old = "from cog import ExperimentalFeatureWarning\n"
    patient.write(
        "run: src/run.py:Runner\n",
        src_in_run__py=f"import both, beside\n{MODEL}",
        src_in_both__py=old,
        src_in_beside__py=old,
        both__py="",
    )

    assert [found.place.file for found in patient.found(IMPORTS)] == ["src/beside.py"]


PYDANTIC = """\
from cog import BaseRunner, Path
from pydantic import BaseModel, ConfigDict


class Output(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    file: Path  # the file
    text: str


class Runner(BaseRunner):
    def run(self) -> Output: ...
"""

COG = """\
from cog import BaseModel, BaseRunner, Path


class Output(BaseModel):
    file: Path  # the file
    text: str


class Runner(BaseRunner):
    def run(self) -> Output: ...
"""


def test_a_pydantic_model_for_any_type_becomes_cogs(patient):
    patient.write(run__py=PYDANTIC)
    before = read_schema(patient.folder, "run.py:Runner").document

    assert patient.said(MODELS) == [
        "error run.py:5:1 Output inherits from pydantic.BaseModel with arbitrary_types_allowed; use cog.BaseModel instead"
    ]
    patient.repair()

    assert patient.read("run.py") == COG
    assert read_schema(patient.folder, "run.py:Runner").document == before
    assert patient.said(MODELS) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model_config = ConfigDict(arbitrary_types_allowed=True)", 'model_config = {"arbitrary_types_allowed": True}'),
        (
            "    model_config = ConfigDict(arbitrary_types_allowed=True)",
            "    class Config:\n        arbitrary_types_allowed = True",
        ),
    ],
)
def test_every_way_to_allow_any_type_is_known(patient, old, new):
    patient.write(run__py=PYDANTIC.replace(old, new))

    patient.repair()

    assert patient.read("run.py") == COG


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("from cog import BaseRunner, Path", "from cog import *", "from cog import *\nfrom cog import BaseModel\n"),
        (
            "from cog import BaseRunner, Path",
            "from cog import (\n    BaseRunner,\n    Path,\n)",
            "from cog import (\n    BaseModel,\n    BaseRunner,\n    Path,\n)\n",
        ),
        ("from cog import BaseRunner, Path", "import cog", "import cog\nfrom cog import BaseModel\n"),
    ],
)
def test_the_import_follows_the_file(patient, old, new, result):
    patient.write(run__py=PYDANTIC.replace(old, new))

    patient.repair()

    assert patient.read("run.py").partition("\n\nclass")[0] + "\n" == result + "\n"
    ast.parse(patient.read("run.py"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BaseModel, ConfigDict", "BaseModel, ConfigDict, Field"),
        ("BaseModel, ConfigDict", "BaseModel as B, ConfigDict, BaseModel"),
        ("(arbitrary_types_allowed=True)", "(arbitrary_types_allowed=True, frozen=True)"),
        ("    text: str\n", "    text: str\n\nclass Other(BaseModel): ...\n"),
        ("    def run", "    kind = BaseModel\n    def run"),
    ],
)
def test_a_file_with_more_of_pydantic_is_left_to_a_person(patient, old, new):
    source = PYDANTIC.replace(old, new, 1)
    assert source != PYDANTIC
    patient.write(run__py=source)

    [found] = patient.found(MODELS)

    assert found.fix is None
    assert patient.repair() == []
    assert patient.read("run.py") == source


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("arbitrary_types_allowed=True", "arbitrary_types_allowed=False"),
        ("arbitrary_types_allowed=True", "frozen=True"),
        ("from pydantic import BaseModel", "from cog import BaseModel"),
    ],
)
def test_other_models_are_fine(patient, old, new):
    patient.write(run__py=PYDANTIC.replace(old, new))

    assert patient.said(MODELS) == []
