"""A pylock.toml as the input: its pins are the lock's."""

from __future__ import annotations

import hashlib
import json

import pytest

from cog_oci.cuda_index import cuda_index
from cog_oci.errors import CogError, SourceError
from cog_oci.fetch import Fetcher, FetchError
from cog_oci.indexes import Indexes
from cog_oci.lock import Lock, Source
from cog_oci.progress import SILENT
from cog_oci.requirement_lines import read_requirement_lines
from cog_oci.resolver.python import Keep, Target, resolve
from cog_oci.sources.adopted import Adopter
from cog_oci.sources.make import Maker
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.conftest import make_wheel
from tests.resolver.test_python import NOW, index  # noqa: F401 - a fixture
from tests.sources.stand_in import KIND, Bench, Heard, publish, resolver, source_archive
from tests.sources.test_git import git

TARGET = Target((3, 13), "amd64", (2, 41))
HEAD = 'lock-version = "1.0"\ncreated-by = "someone"\n'


def package(name: str, more: str = "", size: str = "size = 5, ", tag: str = "py3-none-any") -> str:
    url = f"https://files.example/{name}-1.0-{tag}.whl"
    wheel = f'{{url = "{url}", {size}hashes = {{sha256 = "{"0" * 64}"}}}}'
    return f'[[packages]]\nname = "{name}"\nversion = "1.0"\n{more}wheels = [{wheel}]\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "pylock.toml"


@pytest.fixture
def adopt(store, tmp_path):
    """A function that adopts a file of the project in `tmp_path`, and the bench that builds for it."""

    def adopted(file, indexes=Indexes(), progress=SILENT):
        maker = Maker(tmp_path, TARGET, store, Fetcher(store), progress, adopted.bench)
        return list(Adopter(indexes, maker).adopt(file).wheels)

    adopted.bench = Bench(store, tmp_path)
    return adopted


@pytest.fixture
def adopting(store, tmp_path, index):  # noqa: F811 - a fixture
    """A function that resolves a pyproject.toml with these lines in its [project]; None: the one that is there."""

    def resolved(text):
        file = tmp_path / "pyproject.toml"
        if text is not None:
            file.write_text(f'[project]\nname = "us"\nversion = "1"\n{text}\n')
        said = read_requirement_lines(file)
        bench = Bench(store, tmp_path / "built")
        indexes = Indexes(written=said.indexes, unread=said.unread, default_name=said.default_name)
        return resolver(tmp_path, store, bench, indexes).resolve(file, Keep(), file.name)

    (tmp_path / "built").mkdir()
    return resolved


def test_pins_are_taken_with_their_index_and_who_asked(file, adopt):
    file.write_text(
        HEAD
        + package("lib", 'index = "https://company.example/simple/"\n')
        + package("app", 'dependencies = [{name = "lib"}]\n')
        + package("cog")
        + package("windows", "marker = \"sys_platform == 'win32'\"\n")
    )

    app, lib = adopt(file, Indexes({"company": "https://company.example/simple"}))

    assert (app.file, app.sha256, app.size, app.index) == ("app-1.0-py3-none-any.whl", "0" * 64, 5, "default")
    assert (app.needed_by, lib.needed_by, lib.index) == (("cog.yaml",), ("app",), "company")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("[", CogError, r"pylock\.toml: "),
        ("", CogError, "lock-version"),
        (HEAD + "environments = [\"sys_platform == 'win32'\"]\npackages = []\n", CogError, "is not for Python 3.13"),
        (HEAD + 'requires-python = ">=3.14"\npackages = []\n', CogError, "is not for Python 3.13 on Linux x86_64"),
        (
            HEAD + package("app", size="").replace("https://files.example", "ftp://x"),
            FetchError,
            "cannot fetch app-1.0",
        ),
        (HEAD + package("app", tag="cp313-cp313-win_amd64"), CogError, "app"),
        (
            HEAD
            + '[[packages]]\nname = "app"\n[packages.vcs]\ntype = "hg"\nurl = "https://x.example/a"\ncommit-id = "00"\n',
            CogError,
            "app: it comes from hg",
        ),
        (
            HEAD + '[[packages]]\nname = "app"\n[packages.directory]\npath = "lib"\n',
            CogError,
            "app: it is the folder lib: build a wheel",
        ),
        (
            HEAD + '[[packages]]\nname = "app"\narchive = {path = "../a-1.zip", hashes = {sha256 = "00"}}\n',
            CogError,
            "no file",
        ),
    ],
)
def test_what_cannot_be_adopted_says_why(file, adopt, text, error, says):
    file.write_text(text)

    with pytest.raises(error, match=says):
        adopt(file)


def test_a_project_is_locked_from_it_and_no_index_is_asked(project, cache, file, index):  # noqa: F811 - fixtures
    lock_by_hand(project)
    (project / "pylock.toml").write_text(HEAD + package("app"))
    build = {"python_version": "3.13", "python_requirements": "pylock.toml"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))
    index.asked.clear()

    command("lock", cwd=project)

    assert [wheel.name for wheel in Lock.read(project / "cog.lock").platforms["linux/amd64"].wheels] == ["app"]
    assert index.asked == []


def test_the_dependencies_of_a_pyproject_are_resolved(index, tmp_path):  # noqa: F811 - a fixture
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[project]\nname = "ours"\nversion = "1"\ndependencies = ["app"]\n\n[tool.x]\ncog = "--hash=sha256:0"\n'
    )

    app, lib = resolve(file, TARGET, NOW)

    assert (app.needed_by, lib.needed_by) == (("cog.yaml",), ("app",))


def test_an_index_that_a_pyproject_names_is_locked_by_that_name(project, cache, index, tmp_path):  # noqa: F811 - fixtures
    index.pages["/mine/lib/"] = index.pages.pop("/simple/lib/")
    lock_by_hand(project)
    build = {"python_version": "3.13", "python_requirements": "pyproject.toml"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))
    (project / "pyproject.toml").write_text(
        '[project]\nname = "ours"\nversion = "1"\ndependencies = ["app", "lib"]\n'
        f'[tool.uv.sources]\nlib = {{index = "mine"}}\n'
        f'[[tool.uv.index]]\nname = "mine"\nurl = "{index.url}/mine/"\nexplicit = true\n'
    )

    command("lock", cwd=project)

    wheels = Lock.read(project / "cog.lock").platforms["linux/amd64"].wheels
    assert {wheel.name: wheel.index for wheel in wheels} == {"app": "default", "lib": "mine"}
    assert index.url not in (project / "cog.lock").read_text()


@pytest.mark.parametrize(
    ("login", "of_it", "called"),
    [
        ("me:pw@", 'name = "our-own"', "our-own"),
        ("me:pw@", 'name = "our.own"', "our.own"),
        ("", 'name = "our.own"', "our.own"),
        ("", 'name = "our-own"\ndefault = true', "index-url"),
    ],
)
def test_wherever_it_is_run_uv_is_told_the_indexes_of_a_pyproject_and_their_logins(
    adopting,
    index,  # noqa: F811 - a fixture
    monkeypatch,
    login,
    of_it,
    called,
):
    seen = []
    if not login:
        monkeypatch.setenv("UV_INDEX_OUR_OWN_USERNAME", "me")
        monkeypatch.setenv("UV_INDEX_OUR_OWN_PASSWORD", "pw")

    def private(handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        handler.answer(*((401, b"") if seen[-1] is None else (200, page)), Content_Type=KIND)

    handler, page = index.pages.pop("/simple/lib/"), b""
    captured = type("", (), {"answer": lambda self, status, body, **_: setattr(self, "body", body)})()
    handler(captured)
    page = captured.body
    index.pages["/mine/lib/"] = private
    address = index.url.replace("//", f"//{login}")

    found = adopting(f'dependencies = ["lib"]\n[[tool.uv.index]]\n{of_it}\nurl = "{address}/mine"\n')

    assert [(one.name, one.index) for one in found.wheels] == [("lib", called)]
    assert seen[-1] is not None


def test_nothing_else_is_looked_for_on_an_index_that_is_explicit(adopting, index):  # noqa: F811 - a fixture
    publish(index, "only", {"only-1.0.tar.gz": source_archive("only", "1.0")})
    index.pages["/mine/only/"] = b'{"files": []}'

    found = adopting(
        f'dependencies = ["only"]\n[[tool.uv.index]]\nname = "mine"\nurl = "{index.url}/mine"\nexplicit = true\n'
    )

    (only,) = found.wheels
    assert only.source.index == "default"
    assert "/mine/only/" not in index.asked


def test_a_pyproject_says_where_else_its_dependencies_are(adopting, tmp_path):
    wheel = make_wheel(tmp_path, "ours", {"ours.py": b""})
    repository = tmp_path / "repo"
    repository.mkdir()
    git(repository, "init", "-q")
    (repository / "setup.py").write_text("")
    (repository / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: theirs\nVersion: 2.0\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "x")
    commit = git(repository, "rev-parse", "HEAD")

    found = adopting(
        f'dependencies = ["app", "ours>=1", "Theirs", "gone @ git+{repository.as_uri()} ; python_version < \'3\'"]\n'
        f'[tool.uv.sources]\nours = {{path = "{wheel.name}"}}\n'
        f'theirs = [{{git = "{repository.as_uri()}", rev = "{commit}", marker = "sys_platform == \'linux\'"}}]\n'
    )

    assert {one.name: one.source for one in found.wheels} == {
        "app": None,
        "lib": None,
        "ours": Source(path=wheel.name),
        "theirs": Source(url=repository.as_uri(), revision=commit, commit=commit),
    }


@pytest.mark.parametrize(
    ("marker", "from_there"),
    [("sys_platform == 'linux'", True), ("sys_platform == 'darwin'", False), ("python_version < '3.13'", False)],
)
@pytest.mark.parametrize("kind", ["path", "url"])
def test_a_place_of_a_pyproject_that_is_for_another_platform_leaves_the_package_to_an_index(
    adopting, tmp_path, site, kind, marker, from_there
):
    wheel = make_wheel(tmp_path, "lib", {"ours.py": b""})
    site.pages[f"/{wheel.name}"] = wheel.read_bytes()
    where = wheel.name if kind == "path" else f"{site.url}/{wheel.name}"

    found = adopting(
        f"dependencies = [\"lib ; os_name == 'posix'\", \"app ; os_name == 'nt'\"]\n[tool.uv.sources]\n"
        f'lib = [{{{kind} = "{where}", marker = "{marker}"}}, {{index = "x", marker = "os_name == \'nt\'"}}]\n'
        f'app = {{{kind} = "{where}"}}\n'
    )

    assert [(one.name, one.source is not None) for one in found.wheels] == [("lib", from_there)]


def test_a_marker_of_a_pyproject_that_is_none_is_told_with_its_place(adopting):
    with pytest.raises(SourceError, match=r"toml:4:1: ';what' is no marker"):
        adopting('dependencies = ["a"]\n[tool.uv.sources]\na = {path = "a-1-py3-none-any.whl", marker = "what"}')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('dynamic = ["dependencies"]', "pyproject.toml:1:1: its dependencies are dynamic"),
        (
            'dependencies = [\n"app",\n"a"]\n[tool.uv]\nsources.a = {workspace = true}',
            "toml:6:1: it is a member of the",
        ),
        (
            'dependencies = ["a @ https://h.example/a-1.whl"]\n[[tool.uv.index]]\nname = "mine"\nurl = "x"\nexplicit = true',
            "toml:4:1: it cannot stand beside the index mine, which is explicit",
        ),
        ('dependencies = ["a"]\n[tool.uv.sources]\na = {path = "pkg", editable = true}', "toml:4:1: ./pkg is a folder"),
    ],
)
def test_what_a_pyproject_cannot_ask_for_is_told_with_its_place(adopting, tmp_path, text, says):
    (tmp_path / "pkg").mkdir()

    with pytest.raises(SourceError) as caught:
        adopting(text)

    assert says in str(caught.value)


def test_a_pyproject_without_a_project_says_so(adopting, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.poetry]\nname = "ours"\n')

    with pytest.raises(SourceError, match=r"pyproject\.toml:1:1: it has no table \[project\]"):
        adopting(None)


def test_what_is_no_wheel_is_built(file, adopt, site, tmp_path):
    repository = tmp_path / "repo"
    repository.mkdir()
    git(repository, "init", "-q")
    (repository / "setup.py").write_text("")
    (repository / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: ours\nVersion: 2.0\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "x")
    commit = git(repository, "rev-parse", "HEAD")
    data = source_archive("only", "1.0")
    site.pages["/only-1.0.tar.gz"] = data
    sha256 = hashlib.sha256(data).hexdigest()
    file.write_text(
        HEAD
        + '[[packages]]\nname = "only"\nversion = "1.0"\n'
        + f'sdist = {{url = "{site.url}/only-1.0.tar.gz", hashes = {{sha256 = "{sha256}"}}}}\n'
        + '[[packages]]\nname = "ours"\n'
        + f'vcs = {{type = "git", url = "{repository.as_uri()}", requested-revision = "main", commit-id = "{commit}"}}\n'
    )

    only, ours = adopt(file)

    assert only.source == Source(index="default", file="only-1.0.tar.gz", sha256=sha256, size=len(data))
    assert ours.source == Source(url=repository.as_uri(), revision="main", commit=commit)
    assert (only.version, ours.version, adopt.bench.built) == ("1.0", "2.0", ["only-1.0.tar.gz", "ours"])


UV_LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1.0"
source = {{ registry = "{index}" }}
dependencies = [
    {{ name = "lib", marker = "sys_platform == 'linux'" }},
    {{ name = "windows", marker = "sys_platform == 'win32'" }},
]
wheels = [
    {{ url = "{index}/app-1.0-py3-none-any.whl", hash = "sha256:{hash}", size = 5 }},
]

[[package]]
name = "lib"
version = "1.5"
source = {{ registry = "{index}" }}
wheels = [
    {{ url = "{index}/lib-1.5-cp313-cp313-manylinux_2_17_x86_64.whl", hash = "sha256:{hash}", size = 6 }},
    {{ url = "{index}/lib-1.5-cp313-cp313-manylinux_2_17_aarch64.whl", hash = "sha256:{hash}", size = 7 }},
]

[[package]]
name = "model"
version = "1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "app" }},
]

[package.metadata]
requires-dist = [{{ name = "app" }}]

[[package]]
name = "windows"
version = "1.0"
source = {{ registry = "{index}" }}
wheels = [
    {{ url = "{index}/windows-1.0-py3-none-any.whl", hash = "sha256:{hash}", size = 8 }},
]
"""
PYPROJECT = '[project]\nname = "model"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'


@pytest.fixture
def uv_lock(tmp_path):
    """A uv.lock in its project, of which no index has anything."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    path = folder / "uv.lock"
    path.write_text(UV_LOCK.format(index="https://company.example/simple", hash="0" * 64))
    return path


def test_a_uv_lock_is_taken_as_it_is_for_the_target(uv_lock, adopt):
    app, lib = adopt(uv_lock, Indexes({"company": "https://company.example/simple"}))

    assert (app.version, app.index, app.needed_by, app.size) == ("1.0", "company", ("cog.yaml",), 5)
    assert (lib.file, lib.needed_by) == ("lib-1.5-cp313-cp313-manylinux_2_17_x86_64.whl", ("app",))


def test_indexes_of_a_uv_lock_have_the_names_that_its_project_gives_them(uv_lock, adopt):
    (uv_lock.parent / "pyproject.toml").write_text(
        PYPROJECT + '[[tool.uv.index]]\nname = "ours"\nurl = "https://company.example/simple/"\n'
    )

    app, lib = adopt(uv_lock, Indexes(written=read_requirement_lines(uv_lock).indexes))

    assert (app.index, lib.index) == ("ours", "ours")


def test_an_index_without_a_name_is_told_and_that_of_pytorch_has_one(file, adopt, index):  # noqa: F811 - a fixture
    pytorch = f"{cuda_index().pytorch}/cu126"
    file.write_text(
        HEAD
        + package("app", 'index = "https://me:pw@other.example/simple/"\n')
        + package("lib", f'index = "{index.url}/simple"\n')
        + package("torch", f'index = "{pytorch}"\n')
    )
    heard = Heard()

    assert [one.index for one in adopt(file, progress=heard)] == ["default", "default", "pytorch-cu126"]
    (said,) = heard.said
    assert said.startswith("pylock.toml takes packages from https://other.example/simple, which has no name")


def test_a_uv_lock_without_its_project_or_that_is_none_says_so(uv_lock, adopt):
    (uv_lock.parent / "pyproject.toml").unlink()
    with pytest.raises(CogError, match=r"uv\.lock: ") as caught:
        adopt(uv_lock)
    assert "pyproject.toml" in caught.value.hint
    uv_lock.write_text("version = [")
    with pytest.raises(CogError, match=r"uv\.lock: "):
        adopt(uv_lock)


def test_a_project_is_locked_from_a_uv_lock_and_goes_stale_with_it(project, cache, uv_lock, index):  # noqa: F811 - fixtures
    lock_by_hand(project)
    for one in (uv_lock, uv_lock.parent / "pyproject.toml"):
        (project / one.name).write_bytes(one.read_bytes())
    build = {"python_version": "3.13", "python_requirements": "uv.lock"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))
    index.asked.clear()

    command("lock", cwd=project)

    assert [wheel.name for wheel in Lock.read(project / "cog.lock").platforms["linux/amd64"].wheels] == ["app", "lib"]
    assert index.asked == []
    refused = command("lock", "-P", "lib", cwd=project, check=False)
    assert "lib is at the version that uv.lock pins" in refused.stderr
    (project / "pyproject.toml").write_text(PYPROJECT + "\n# changed\n")
    assert "pyproject.toml has changed" in command("lock", "--check", cwd=project, check=False).stderr
