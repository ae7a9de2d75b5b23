"""`cog-oci schema`: the model's document, how it differs from another, and the JSON Schema of cog.yaml."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.cog_yaml import Config, read
from cog_oci.cog_yaml_schema import cog_yaml_schema
from cog_oci.errors import SourceError
from cog_oci.schema import read_schema
from tests.cli.in_process import command
from tests.images.conftest import COMMAND
from tests.server.live import live_server

PUBLISHED = Path(__file__).parents[2] / "docs" / "cog.schema.json"

RUN = """
from cog import BaseRunner, Input


class Runner(BaseRunner):
    def run(
        self,
        text: str = Input(description="Què?"),
        steps: int = Input(default=4, ge=1, le=50),
        style: str = Input(default="a", choices=["a", "b"]),
    ) -> str:
        return text
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A model with three inputs, and a store of its own."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cog.yaml").write_text("run: run.py:Runner\n")
    (folder / "run.py").write_text(RUN)
    return folder


def test_the_document_is_indented_in_cogs_order(project):
    done = command("schema", cwd=project)

    assert json.loads(done.stdout) == read_schema(project, "run.py:Runner").document
    assert list(json.loads(done.stdout)["components"]["schemas"])[:3] == ["Input", "Output", "style"]
    assert done.stdout.startswith('{\n  "components"')
    assert "Què?" in done.stdout
    assert done.stderr == ""


def test_a_training_is_in_the_document(project):
    (project / "cog.yaml").write_text("run: run.py:Runner\ntrain: train.py:train\n")
    (project / "train.py").write_text("def train(n: int) -> str:\n    return 'w' * n\n")

    document = json.loads(command("schema", cwd=project).stdout)

    assert document == read_schema(project, "run.py:Runner", train="train.py:train").document
    assert "/trainings" in document["paths"]
    assert document["components"]["schemas"]["TrainingInput"]["required"] == ["n"]


def test_compact_is_the_label_byte_for_byte(project):
    done = subprocess.run([*COMMAND, "schema", "--compact"], cwd=project, capture_output=True, check=True)

    assert done.stdout == read_schema(project, "run.py:Runner").to_bytes() + b"\n"


def test_what_standard_output_cannot_show_is_escaped(project, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    done = subprocess.run([*COMMAND, "schema"], cwd=project, capture_output=True, check=True)

    assert b"Qu\\u00e8?" in done.stdout
    assert json.loads(done.stdout) == read_schema(project, "run.py:Runner").document


def test_reading_a_model_again_imports_nothing_heavy(project):
    code = (
        "import sys, contextlib, io\nfrom cog_oci.cli import main\nsys.argv = ['cog-oci', 'schema']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()\n"
        "print(sorted({'pydantic', 'yaml', 'requests', 'rich', 'cog_oci.layers', 'cog_oci.plan'} & set(sys.modules)))"
    )
    command("schema", cwd=project)

    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_model_that_cannot_be_read_is_told_with_file_and_line(project):
    (project / "run.py").write_text("def run(x: Tensor) -> str: ...\n")
    (project / "cog.yaml").write_text("run: run.py:run\n")

    done = command("schema", cwd=project, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "run.py:1:12: parameter 'x'" in done.stderr


def test_a_project_without_a_model_is_told_what_to_add(project):
    (project / "cog.yaml").write_text("")

    done = command("schema", cwd=project, check=False)

    assert (done.returncode, done.stderr) == (
        1,
        "error: cog.yaml names no model\nhint: add `run: run.py:Runner`\n",
    )


def test_the_same_document_is_no_difference(project):
    (project / "openapi.json").write_text(command("schema", cwd=project).stdout)

    assert command("schema", "--check", "openapi.json", cwd=project).stdout == ""


def test_who_wrote_a_document_is_no_difference(project):
    (project / "openapi.json").write_bytes(read_schema(project, "run.py:Runner", version="9").to_bytes())

    assert command("schema", "--check", "openapi.json", cwd=project).stdout == ""


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (("steps: int = Input(default=4, ge=1", "steps: int = Input(default=5, ge=2"), [
            "input 'steps': default is 5, and 4 in o.json",
            "input 'steps': minimum is 2, and 1 in o.json",
        ]),
        (("ge=1, le=50", "ge=1"), ["input 'steps': maximum is not set, and 50 in o.json"]),
        (("ge=1, le=50", "ge=1, le=50, description='!'"), [
            "input 'steps': description is \"!\", and not set in o.json",
        ]),
        (('["a", "b"]', '["a", "c"]'), ["input 'style': choices is [\"a\", \"c\"], and [\"a\", \"b\"] in o.json"]),
        ((", choices=[", ", regex='.'"), None),
        (('text: str = Input(description="Què?")', 'text: str = Input(description="Què?", default="x")'), [
            "input 'text': default is \"x\", and not set in o.json",
            "input 'text' is not required, and is in o.json",
        ]),
        (('text: str = Input(description="Què?"),\n', ""), ["input 'text' is only in o.json"]),
        (("        steps:", "        seed: int = 0,\n        steps:"), ["input 'seed' is not in o.json"]),
        (('        style: str = Input(default="a", choices=["a", "b"]),\n', ""), ["input 'style' is only in o.json"]),
        (("-> str", "-> int"), ['output: type is "integer", and "string" in o.json']),
        (("class Runner(BaseRunner)", "class Runner(BaseRunner)"), []),
    ],
)  # fmt: skip
def test_differences_are_told_in_words(project, change, lines):
    (project / "o.json").write_text(command("schema", cwd=project).stdout)
    before, after = change
    if lines is None:
        before, after = ', choices=["a", "b"]', ""
        lines = [
            'input \'style\': allOf is not set, and [{"$ref": "#/components/schemas/style"}] in o.json',
            "input 'style': title is \"Style\", and not set in o.json",
            "input 'style': type is \"string\", and not set in o.json",
            'input \'style\': choices is not set, and ["a", "b"] in o.json',
        ]
    assert before in RUN
    (project / "run.py").write_text(RUN.replace(before, after))

    done = command("schema", "--check", "o.json", cwd=project, check=False)

    assert sorted(done.stdout.splitlines()) == sorted(lines)
    assert done.returncode == (1 if lines else 0)


def test_another_order_of_the_inputs_is_one_difference(project):
    (project / "o.json").write_text(command("schema", cwd=project).stdout)
    lines = RUN.splitlines(keepends=True)
    lines[7], lines[8] = lines[8], lines[7]
    (project / "run.py").write_text("".join(lines))

    done = command("schema", "--check", "o.json", cwd=project, check=False)

    assert done.stdout == "inputs: the order is steps, text, style, and text, steps, style in o.json\n"


@pytest.mark.parametrize(("text", "says"), [("{", "o.json is not JSON"), ("[]", "o.json is not a JSON object")])
def test_a_file_that_is_no_document_is_an_error(project, text, says):
    (project / "o.json").write_text(text)

    done = command("schema", "--check", "o.json", cwd=project, check=False)

    assert done.returncode == 1
    assert says in done.stderr


def test_a_running_server_is_compared_with_the_source(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (project / ".cog").mkdir()
    (project / ".cog" / "openapi_schema.json").write_bytes(read_schema(project, "run.py:Runner").to_bytes())
    with live_server("", folder=project, COG_AUTH_TOKEN="letmein") as server:
        refused = command("schema", "--check", server.url, cwd=project, check=False)
        monkeypatch.setenv("COG_AUTH_TOKEN", "letmein")
        same = command("schema", "--check", server.url, cwd=project, check=False)
        (project / "run.py").write_text(RUN.replace("-> str", "-> int", 1))
        other = command("schema", "--check", f"{server.url}/openapi.json", cwd=project, check=False)

    assert refused.returncode == 1
    assert "asks for a token\nhint: set COG_AUTH_TOKEN" in refused.stderr
    assert (same.returncode, same.stdout) == (0, "")
    assert other.returncode == 1
    assert 'output: type is "integer", and "string" in http://127.0.0.1:' in other.stdout


def test_a_server_that_is_not_there_is_an_error_without_its_password(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    done = command("schema", "--check", "http://me:secret@127.0.0.1:9", cwd=project, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("error: http://127.0.0.1:9/openapi.json cannot be asked: ")
    assert "secret" not in done.stderr


def test_the_published_schema_of_cog_yaml_is_that_of_the_code(project):
    made = command("schema", "--cog-yaml", cwd=project).stdout

    assert PUBLISHED.read_text() == made, "renew it: cog-oci schema --cog-yaml > docs/cog.schema.json"


def test_every_key_of_cog_yaml_says_what_it_is_for():
    described = cog_yaml_schema()["properties"]

    assert set(described) == set(Config.model_fields)
    assert all(each["description"] for each in described.values())


def said(document: object) -> bool:
    """What the check says of it, as JSON, which is YAML."""
    try:
        read(Path("cog.yaml"), json.dumps(document).encode())
    except SourceError:
        return False
    return True


VALIDATOR = jsonschema_rs.validator_for(cog_yaml_schema())

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["3.11", "3.13", 3.13, "run.py:Runner", "a.py", "gzip", "none", "A=b", "git", "git=1", "", 1, 0, 3.1]
    ),
    st.lists(st.sampled_from(["A=b", "git", "B=", "numpy==2", "", 3]), max_size=2),
)


def some(*keys: str, **sections: st.SearchStrategy) -> st.SearchStrategy:
    """A mapping with some of these keys; what a key of a section holds may be something else, too."""
    inner = {name: st.one_of(section, scalars) for name, section in sections.items()}
    return st.fixed_dictionaries({}, optional={**dict.fromkeys(keys, scalars), **inner})


documents = some(
    "run",
    "predict",
    "environment",
    build=some("gpu", "python_version", "python_requirements", "python_packages", "system_packages"),
    image=some("name", "compression"),
    concurrency=some("max"),
)


@given(documents)
def test_the_schema_allows_whatever_the_check_does(document):
    if said(document):
        assert VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {"runn": "run.py:Runner"},
        {"build": {"python_verzion": "3.13"}},
        {"build": {"python_version": "3.9"}},
        {"build": {"python_version": 3}},
        {"build": {"system_packages": ["l gl"]}},
        {"build": {"system_packages": "git"}},
        {"build": {"gpu": "yes"}},
        {"build": {"python_packages": ["a"], "python_requirements": "r.txt"}},
        {"run": "a.py:A", "predict": "b.py:B"},
        {"run": "run"},
        {"environment": ["FOO"]},
        {"image": 3},
        {"image": {"name": "a", "compression": "bzip2"}},
        {"concurrency": {"max": 0}},
        {"concurrency": {}},
    ],
)
def test_the_schema_marks_what_the_check_refuses(document):
    assert not said(document)
    assert not VALIDATOR.is_valid(document)
