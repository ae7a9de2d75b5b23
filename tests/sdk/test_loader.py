"""Finding the model that a reference names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cog_oci.sdk import cog
from cog_oci.sdk.cog._loader import load


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(source, name="model_under_test"):
        (tmp_path / f"{name}.py").write_text("from cog_oci.sdk.cog import *\n" + source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return f"{name}.py"

    return write


def test_a_class_a_function_and_a_file_alone(write):
    file = write("class Runner:\n    def run(self, x: int): return x\nasync def go(): ...\n")
    assert load(f"{file}:Runner").run(x=1) == 1
    assert load(file).run(x=2) == 2
    assert load(f"{file}:go").asynchronous
    assert not load(file).asynchronous


def _run_in_a_folder(project, source):
    """What the function in src/run.py returns, in words, in a process that is set up as a worker is."""
    (project / "src/run.py").write_text(source)
    program = (
        "import sys; sys.path[0] = sys.argv[1]; sys.path.insert(1, sys.argv[2])\n"
        "from cog._loader import load; print(*load('src/run.py:run').run())"
    )
    command = [sys.executable, "-c", program, str(Path(cog.__file__).parents[1]), str(project)]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.split()


def test_what_a_file_in_a_folder_imports_is_the_projects_before_what_is_beside_it(tmp_path):
    for place, text in {"": "project", "src/": "beside"}.items():
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        (folder / "both.py").write_text(f"A = {text!r}\n")
    (tmp_path / "src/other.py").write_text("B = 'beside'\n")
    source = "from both import A\nfrom other import B\ndef run(): return A, B\n"
    assert _run_in_a_folder(tmp_path, source) == ["project", "beside"]


def test_a_file_in_a_folder_may_import_relatively_and_is_itself_by_every_name(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/kinds.py").write_text("A = 'kind'\n")
    source = (
        "from .kinds import A\ndef run():\n    import run as plain\n    import src.run as dotted\n"
        "    return A, plain is dotted, __name__\n"
    )
    assert _run_in_a_folder(tmp_path, source) == ["kind", "True", "src.run"]


def test_a_package_may_import_the_file_that_imports_from_it(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/__init__.py").write_text("from .run import run\n")
    (tmp_path / "src/kinds.py").write_text("A = 'kind'\n")
    source = (
        "from .kinds import A\ndef run():\n    import src, run as plain\n    return A, src.run is plain.run, __name__\n"
    )
    assert _run_in_a_folder(tmp_path, source) == ["kind", "True", "src.run"]


def test_the_former_names_still_work_and_are_deprecated(write):
    file = write("class Predictor(BasePredictor):\n    def predict(self): return 1\n")
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        assert load(file).run() == 1
    told = " ".join(str(warning.message) for warning in caught)
    assert "BasePredictor" in told
    assert "rename the class" in told
    assert "rename it to run()" in told


@pytest.mark.parametrize(
    ("source", "name", "error", "text"),
    [
        ("class A:\n    def run(self): ...\n    def predict(self): ...\n", ":A", ValueError, "both run"),
        ("class A(BaseRunner): ...\n", ":A", NotImplementedError, r"A must define run\(\)"),
        ("A = 5\n", ":A", TypeError, "is a int"),
        ("", "", AttributeError, "neither Runner nor Predictor"),
        ("", ":Nope", AttributeError, "no attribute 'Nope'"),
    ],
)
def test_what_is_no_model_is_told_why(write, source, name, error, text):
    file = write(source)
    with pytest.raises(error, match=text):
        load(file + name)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("weights: str", "str https://host/w"),
        ("weights: Path", "URLPath https://host/w"),
        ("weights=None", "URLPath https://host/w"),
    ],
)
def test_weights_come_from_the_environment(write, monkeypatch, parameter, expected):
    source = f"class Runner:\n    def setup(self, {parameter}): return f'{{type(weights).__name__}} {{weights}}'\n    def run(self): ...\n"
    monkeypatch.setenv("COG_WEIGHTS", "https://host/w")
    assert load(write(source)).setup() == expected
    monkeypatch.delenv("COG_WEIGHTS")
    assert load(write(source)).setup().startswith("NoneType")


@pytest.mark.parametrize("value", [0, -1])
def test_concurrency_is_at_least_one(value):
    with pytest.raises(ValueError, match="at least 1"):
        cog.concurrent(max=value)


def test_importing_the_interface_brings_nothing_heavy():
    program = "import sys; import cog_oci.sdk.cog; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "urllib.request", "http.client", "mimetypes", "ssl", "email", "logging"} & set(loaded)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("class Trainer:\n    def train(self, n): return n + 1\n", ":Trainer"),
        ("class Trainer(BaseRunner):\n    def train(self, n): return n + 1\n", ""),
        ("def train(n): return n + 1\n", ":train"),
        ("def train(n): return n + 1\n", ""),
    ],
)
def test_a_training_is_a_function_or_a_class(write, source, name):
    assert load(write(source) + name).run(n=1) == 2


def test_a_model_that_can_be_trained_too_is_a_model(write):
    file = write(
        "class Runner:\n    def run(self): return 'ran'\n    def train(self): return 'trained'\ndef train(): ...\n"
    )
    assert load(file).run() == "ran"


def test_what_base_runner_has_is_no_method_of_the_model(write):
    file = write("class Runner(BaseRunner):\n    def predict(self): return 1\n")
    with pytest.warns(DeprecationWarning, match="rename it to run"):
        assert load(file).run() == 1
