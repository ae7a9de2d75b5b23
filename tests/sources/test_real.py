"""Requirements files of every taste against the real index: what is locked is what uv alone finds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from packaging.pylock import Pylock

from cog_oci.exports import FORMATS, Subject
from cog_oci.fetch import Fetcher
from cog_oci.indexes import Indexes
from cog_oci.oci import Platform
from cog_oci.origins import Origins, uv
from cog_oci.requirement_lines import read_requirement_lines
from cog_oci.resolver.python import Keep, Target
from cog_oci.sources.make import Maker
from cog_oci.sources.resolve import Resolver
from tests.conftest import make_wheel
from tests.resolver.test_python import NOW
from tests.sources.stand_in import KIND, Bench, Heard
from tests.sources.test_git import git
from tests.test_difference import AMD, lock

pytestmark = pytest.mark.network

NEW = Target((3, 13), "amd64", (2, 41))
OLD = Target((3, 11), "amd64", (2, 36))
ARM = Target((3, 13), "arm64", (2, 41))

FILES = {
    "torch": (NEW, "torch\ntorchvision\n"),
    "torch on arm64": (ARM, "torch\nnumpy\n"),
    "diffusion": (NEW, "torch>=2.6\ntransformers\ndiffusers\naccelerate\nsafetensors\n"),
    "tensorflow": (OLD, "tensorflow\n"),
    "jax with CUDA": (NEW, "jax[cuda12]\nflax\n"),
    "jax on arm64": (ARM, "jax\n"),
    "onnxruntime": (NEW, "onnxruntime\nonnx\n"),
    "onnxruntime with CUDA": (OLD, "onnxruntime-gpu\n"),
    "opencv": (NEW, "opencv-python-headless\npillow\n"),
    "scikit-learn": (ARM, "scikit-learn\npandas\nmatplotlib\n"),
    "web": (OLD, "fastapi[standard]\nuvicorn[standard]\n"),
    "demo": (NEW, "gradio\n"),
    "speech": (OLD, "faster-whisper\nsoundfile\nlibrosa\n"),
    "language": (OLD, "spacy\nsentencepiece\ntiktoken\n"),
    "pins of long ago": (OLD, "numpy==1.26.4\npandas==2.1.4\nscipy==1.11.4\nrequests==2.31.0\n"),
    "markers": (
        ARM,
        "numpy<2; python_version < '3.12'\npywin32; sys_platform == 'win32'\ntriton; platform_machine == 'x86_64'\nattrs\n",
    ),
    "constrained": (OLD, "-c constraints.txt\npydantic\nhttpx\n"),
    "included, continued, commented": (NEW, "# ours\n-r more/base.txt\nrich \\\n  >= 13  # colours\n"),
    "release candidates": (NEW, "--pre\nclick\n"),
    "large models": (NEW, "bitsandbytes\npeft\ndatasets\nsentence-transformers\n"),
}


def files_of(folder, text: str):
    """A project with this requirements file, and what some of them include."""
    (folder / "more").mkdir(parents=True)
    (folder / "more" / "base.txt").write_text("click<9\njinja2\n")
    (folder / "constraints.txt").write_text("pydantic<2.10\nanyio<4.5\n")
    path = folder / "requirements.txt"
    path.write_text(text)
    return path


def ours(file, target: Target, store) -> list:
    indexes = Indexes(written=read_requirement_lines(file).indexes)
    fetcher, heard = Fetcher(store), Heard()
    maker = Maker(file.parent, target, store, fetcher, heard, Bench(store, store.root.parent))
    resolver = Resolver(target, lambda: maker, Origins(fetcher, NOW, indexes=indexes), indexes, NOW, heard)
    return list(resolver.resolve(file, Keep(), "requirements.txt").wheels)


def uvs(file, target: Target, *more: str) -> dict[str, str]:
    """Names and versions as uv lists them."""
    major, minor = target.python
    command = [
        *(uv(), "pip", "compile", str(file), "--no-header", "--no-annotate", "--no-progress", "--color", "never"),
        *("--python", sys.executable, "--python-version", f"{major}.{minor}", "--exclude-newer", NOW.isoformat()),
        *("--python-platform", f"{target.machine}-manylinux_2_{min(target.glibc[1], 40)}", *more),
    ]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = (re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?\s*(?:==|@)\s*(\S+)", line) for line in done.stdout.splitlines())
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("taste", FILES)
def test_the_wheels_are_those_of_uv_alone(taste, tmp_path, store):
    target, text = FILES[taste]
    file = files_of(tmp_path / "project", text)
    more = ("--prerelease", "allow") if "--pre" in text else ()
    with ThreadPoolExecutor(1) as pool:
        plain = file.with_name("plain.txt")
        plain.write_text(text.replace("\\\n", ""))  # uv does not read all that pip does
        theirs = pool.submit(uvs, plain, target, "--only-binary", ":all:", *more)
        found = ours(file, target, store)

    assert {wheel.name: wheel.version for wheel in found} == theirs.result()
    assert all(wheel.size > 0 and wheel.index == "default" for wheel in found)


def test_a_repository_on_a_git_server_with_what_it_needs(tmp_path, store):
    repository = tmp_path / "ours"
    (repository / "ours").mkdir(parents=True)
    git(repository, "init", "-q")
    (repository / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: ours\nVersion: 1.0\nRequires-Dist: httpx<1\n")
    (repository / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "ours"\nversion = "1.0"\ndescription = "x"\ndependencies = ["httpx<1"]\n'
    )
    (repository / "ours" / "__init__.py").write_text("")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "x")
    git(repository, "tag", "v1")
    file = files_of(tmp_path / "project", f"ours @ git+{repository.as_uri()}@v1\nrich\n")

    found = {wheel.name: wheel for wheel in ours(file, NEW, store)}

    theirs = uvs(file, NEW)
    commit = git(repository, "rev-parse", "v1")
    assert theirs.pop("ours") == f"git+{repository.as_uri()}@{commit}"
    assert found.pop("ours").source.commit == commit
    assert {name: wheel.version for name, wheel in found.items()} == theirs


def test_a_private_index_with_a_login_comes_before_the_default_one(tmp_path, store, site, capfd):
    wheel = make_wheel(tmp_path, "torch", {"torch.py": b""}, version="9.9.9+cpu")
    data = wheel.read_bytes()
    login = "Basic " + base64.b64encode(b"me:geheim").decode()
    row = {
        "filename": wheel.name,
        "url": f"{site.url}/files/{wheel.name}",
        "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
        "size": len(data),
        "upload-time": NOW.replace(year=2020).isoformat(),
        "core-metadata": True,
    }
    page = json.dumps({"meta": {"api-version": "1.1"}, "name": "torch", "files": [row]}).encode()
    metadata = b"Metadata-Version: 2.1\nName: torch\nVersion: 9.9.9+cpu\nRequires-Dist: sympy\n"

    def guarded(body: bytes, kind: str):
        def answer(handler) -> None:
            if handler.headers.get("Authorization") == login:
                handler.answer(200, body, Content_Type=kind)
            else:
                handler.answer(401, b"", WWW_Authenticate='Basic realm="x"')

        return answer

    site.pages["/simple/torch/"] = guarded(page, KIND)
    site.pages[f"/files/{wheel.name}"] = guarded(data, "application/octet-stream")
    site.pages[f"/files/{wheel.name}.metadata"] = guarded(metadata, "text/plain")
    address = f"{site.url.replace('//', '//me:geheim@')}/simple"
    file = files_of(tmp_path / "project", f"--extra-index-url {address}\ntorch\nnumpy\n")

    found = {wheel.name: wheel for wheel in ours(file, NEW, store)}

    assert {name: one.version for name, one in found.items()} == uvs(file, NEW, "--only-binary", ":all:")
    assert (found["torch"].index, found["numpy"].index) == ("extra-index-url", "default")
    assert "geheim" not in repr(found)
    assert "geheim" not in "".join(capfd.readouterr())


@pytest.fixture
def web(tmp_path, store):
    """What a small web project locks for the interpreter that runs this, to be exported."""
    here = Target(sys.version_info[:2], "amd64", (2, 36))
    wheels = tuple(ours(files_of(tmp_path / "project", "fastapi\nhttpx\n"), here, store))
    parts = lock(*wheels).platforms[AMD]
    python = replace(parts.interpreter, version=f"{sys.version_info[0]}.{sys.version_info[1]}")
    return Subject(
        name="cog-web",
        as_of=NOW.isoformat(),
        platform=Platform("linux", "amd64"),
        parts=replace(parts, interpreter=python, wheels=wheels),
        store=store,
        locate=Origins(Fetcher(store), NOW).locate,
        bring=lambda _: None,
    )


@pytest.mark.parametrize("format_", ["pylock", "requirements"])
@pytest.mark.parametrize("program", ["uv", "pip"])
def test_exports_are_what_uv_and_pip_would_install(web, tmp_path, format_, program):
    name = {"pylock": "pylock.toml", "requirements": "requirements.txt"}[format_]
    text = FORMATS[format_](web)
    (tmp_path / name).write_text(text)
    if format_ == "pylock":
        Pylock.from_dict(tomllib.loads(text)).validate()
    command = {
        "uv": [uv(), "pip", "install", "--dry-run", "--target", str(tmp_path / "none"), "--python", sys.executable],
        "pip": [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"],
    }[program]

    done = subprocess.run([*command, "-r", name], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    would = done.stdout + done.stderr
    assert all(
        re.search(rf"{wheel.name.replace('-', '[-_]')}\W+{re.escape(wheel.version)}", would)
        for wheel in web.parts.wheels
    )
