"""The interface as a model sees it: the module `cog`, by name, in a Python of its own; and as an editor sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cog_oci

SDK = Path(cog_oci.__file__).parent / "sdk"

NAMES = """AsyncConcatenateIterator, BaseModel, BasePredictor, BaseRunner, CancelationException, ConcatenateIterator,
ExperimentalFeatureWarning, FieldInfo, File, Input, Opaque, Path, Secret, URLFile, URLPath, __version__, concurrent,
current_scope, emit_metric, streaming"""
"""What Cog's own package exports."""


def run(program, *, python=(sys.executable, "-I")):
    return subprocess.run(
        [*python, "-c", f"import sys; sys.path.insert(0, {str(SDK)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_finds_every_name_that_cog_has():
    done = run(f"from cog import ({NAMES})\nprint(sorted(sys.modules))")
    assert done.returncode == 0, done.stderr
    assert "'cog.exceptions'" in done.stdout


@pytest.mark.parametrize("name", ["emit_metric", "ExperimentalFeatureWarning"])
def test_a_former_name_says_so_once_though_warnings_are_silenced(name):
    done = run(
        "import warnings; warnings.simplefilter('ignore')\n"
        f"import cog\nfirst = cog.{name}\nfrom cog import {name}\nassert first is {name}\n"
        "issubclass(cog.ExperimentalFeatureWarning, FutureWarning)"
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert [line for line in lines if name in line] == lines[:1]
    assert lines[0].startswith(f"cog: {name}")
    assert "deprecated" in lines[0]


def test_emit_metric_records_a_metric():
    done = run(
        "from cog._scope import Scope, enter_scope\nfrom cog import emit_metric\n"
        "enter_scope(Scope({}, lambda *change: print(change)))\nemit_metric('n', 3)"
    )
    assert done.stdout == "('n', 'replace', 3)\n"


def test_a_name_that_cog_does_not_have_is_an_error_as_always():
    done = run("import cog\ntry: cog.nothing\nexcept AttributeError as error: print(error)\nfrom cog import nothing")
    assert done.stdout == "module 'cog' has no attribute 'nothing'\n"
    assert "ImportError: cannot import name 'nothing' from 'cog'" in done.stderr


def test_names_are_the_same_in_the_modules_that_cog_has_them_in():
    done = run(
        "import cog, cog.coder, cog.exceptions, cog.input, cog.model, cog.predictor, cog.suppress_output, cog.types\n"
        "assert cog.types.Path is cog.Path and cog.input.Input is cog.Input\n"
        "assert cog.model.BaseModel is cog.BaseModel and cog.predictor.BaseRunner is cog.BaseRunner\n"
        "assert cog.exceptions.CancelationException is cog.CancelationException\n"
        "with cog.suppress_output.suppress_output(): print('hidden')"
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_run_and_predict_lead_to_each_other():
    done = run(
        "import cog, warnings\n"
        "class New(cog.BaseRunner):\n    def run(self, x): return x\n"
        "class Old(cog.BaseRunner):\n    def predict(self, x): return x\n"
        "print(New().predict(x=1), Old().run(2), Old().predict(3))\n"
        "try: cog.BaseRunner().run()\nexcept NotImplementedError as error: print(error)"
    )
    assert done.stdout == "1 2 3\nBaseRunner must define run()\n"
    assert "DeprecationWarning: New.predict() is deprecated, call run()" in done.stderr


MODEL = """
from typing import Annotated, Optional
import cog
from cog import BaseModel, BaseRunner, CancelationException, ConcatenateIterator, Input, Opaque, Path, Secret

class Result(BaseModel):
    text: str
    image: Optional[Path] = None

class Runner(BaseRunner):
    def setup(self, weights: Optional[Path] = None) -> None:
        self.prefix = "x"

    def run(self, prompt: str, image: Path = Input(description="x"), key: Secret = Input(default=None)) -> Result:
        self.record_metric("n", 1, mode="incr")
        self.scope.metrics["tokens"] = 3
        reveal_type(prompt)
        reveal_type(image)
        reveal_type(key.get_secret_value())
        return Result(text=prompt, image=image / "a")

class Stream(BaseRunner):
    async def setup(self) -> None: ...

    @cog.streaming
    def run(self, n: int = Input(default=1, ge=0)) -> ConcatenateIterator[str]:
        yield "a" * n

class Crowd(BaseRunner):
    @cog.concurrent(max=4)
    async def run(self, data: Annotated[dict[str, int], Opaque]) -> cog.AsyncConcatenateIterator[str]:
        yield cog.current_scope().context.get("k", "")

class Many(BaseRunner):
    @cog.batch(max_size=4)
    def run(self, text: list[str]) -> list[str]:
        return text
"""

MISTAKES = """
Result(txt="x")
Input(gt=3)
Input(default_factory=list)
cog.nothing
cog.concurrent(max="x")
"""


def test_a_type_checker_knows_the_interface_and_finds_mistakes(tmp_path):
    pytest.importorskip("mypy")
    model = tmp_path / "run.py"
    model.write_text(MODEL + MISTAKES)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\nmypy_path = {SDK}\ncache_dir = /dev/null\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    found = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert [line for line in found if "Revealed" in line] == [
        'note: Revealed type is "str"',
        'note: Revealed type is "cog._types.Path"',
        'note: Revealed type is "str | None"',
    ]
    first = MODEL.count("\n") + 2
    errors = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error: " in line}
    assert errors == set(range(first, first + MISTAKES.count("\n") - 1)), done.stdout
