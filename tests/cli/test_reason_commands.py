"""`cog-oci why`, `why-not` and `tree` as a user runs them: from the lock, and files where the store has them."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace

import pytest

from cog_oci.lock import Lock, Wheel
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.conftest import make_wheel
from tests.test_difference import deb


def keep(store: Store, folder, name: str, version: str, *needs: str, by: tuple[str, ...]) -> Wheel:
    """A wheel in the store that needs others."""
    requires = "".join(f"Requires-Dist: {one}\n" for one in needs)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}".encode()
    path = make_wheel(folder, name, {}, version=version)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
    data = path.read_bytes()
    store.add(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return Wheel(
        name=name, version=version, file=path.name, sha256=sha256, size=len(data), index="default", needed_by=by
    )


@pytest.fixture
def locked(project, cache, tmp_path):  # noqa: F811 - fixtures
    store = Store(cache)
    lock_by_hand(
        project,
        keep(store, tmp_path, "lib", "1.0", by=("app", "cog.yaml", "plugin")),
        keep(store, tmp_path, "app", "1.0", "lib<2", "other; extra == 'x'", by=("cog.yaml",)),
        keep(store, tmp_path, "plugin", "1.0", "Lib>=1", by=("app",)),
    )
    return project


def lines(*arguments: str, cwd) -> list[str]:
    return command(*arguments, cwd=cwd).stdout.splitlines()


def test_why_shows_the_way_to_cog_yaml(locked):
    first, *rest = lines("why", "lib", cwd=locked)

    assert first.startswith("lib 1.0 (a Python package), ")
    assert rest == ["  cog.yaml", "  app ← cog.yaml", "  plugin ← app ← cog.yaml"]


def test_why_of_what_is_not_there_names_what_is_near(locked):
    done = command("why", "libs", cwd=locked, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "the lock has no package libs\nhint: did you mean lib?" in done.stderr


def test_why_not_names_who_refuses_the_version(locked):
    assert lines("why-not", "lib==2.0", cwd=locked) == [
        "lib 1.0 (a Python package) cannot be lib==2.0:",
        "  app 1.0 refuses it: asks for lib<2",
        "  cog.yaml asks for it",
        "  1 other admits it",
    ]


def test_why_not_reads_the_projects_own_requirements(locked):
    (locked / "requirements.txt").write_text("# ours\nlib == 1.0 \\\n  --hash=sha256:00\n-c other.txt\napp\n")
    (locked / "cog.yaml").write_text("build: {python_version: '3.13', python_requirements: requirements.txt}\n")

    assert "  cog.yaml refuses it: asks for lib == 1.0" in lines("why-not", "lib==1.5", cwd=locked)


def test_why_not_reads_all_that_the_requirements_include(locked):
    (locked / "requirements.txt").write_text("-r more.txt\n-c limits.txt\n")
    (locked / "more.txt").write_text(
        "lib ; python_version < '3'\nlib != 1.7\napp\nplugin @ https://h.example/p-1.whl\n"
    )
    (locked / "limits.txt").write_text("lib < 1.5\n")
    (locked / "cog.yaml").write_text("build: {python_version: '3.13', python_requirements: requirements.txt}\n")

    said = lines("why-not", "lib==1.7", cwd=locked)

    assert [line for line in said if "refuses" in line] == [
        "  cog.yaml refuses it: asks for lib != 1.7",
        "  limits.txt refuses it: asks for lib < 1.5",
    ]
    assert "  cog.yaml refuses it: asks for plugin @ https://h.example/p-1.whl" in lines(
        "why-not", "plugin==2", cwd=locked
    )


@pytest.mark.parametrize("file", ["pyproject.toml", "pylock.toml"])
def test_why_not_knows_a_pyproject_and_the_lock_of_another_tool(locked, file):
    text = '[project]\nname = "us"\nversion = "1"\ndependencies = ["lib==1.0"]\n' if file == "pyproject.toml" else ""
    (locked / file).write_text(text)
    (locked / "cog.yaml").write_text(f"build: {{python_version: '3.13', python_requirements: {file}}}\n")
    asker = "cog.yaml" if file == "pyproject.toml" else file

    assert f"  {asker} refuses it: asks for lib==1.0" in lines("why-not", "lib==1.5", cwd=locked)


def test_why_not_counts_no_requirement_for_another_python(locked, cache, tmp_path):  # noqa: F811 - a fixture
    lock = Lock.read(locked / "cog.lock")
    needs = ("lib<1.2; python_version < '3.10'", "lib<1.2; sys_platform == 'win32' and extra == 'x'", "lib>=1")
    app = keep(Store(cache), tmp_path, "app", "1.1", *needs, by=("cog.yaml",))
    wheels = (*(one for one in lock.platforms["linux/amd64"].wheels if one.name != "app"), app)
    replace(lock, platforms={"linux/amd64": replace(lock.platforms["linux/amd64"], wheels=wheels)}).write(
        locked / "cog.lock"
    )

    assert not [line for line in lines("why-not", "lib==1.5", cwd=locked) if "refuse" in line and "app" in line]


def test_why_not_does_not_advise_to_move_what_the_tool_pins(locked):
    lock = Lock.read(locked / "cog.lock")
    parts = lock.platforms["linux/amd64"]
    replace(lock, platforms={"linux/amd64": replace(parts, wheels=(), server=parts.wheels)}).write(locked / "cog.lock")

    (said,) = lines("why-not", "lib==1.5", cwd=locked)

    assert (
        said
        == "lib 1.0 (a Python package of the server) is pinned by cog-oci: another comes with another version of that"
    )


def test_why_not_says_when_a_file_is_missing_and_when_nothing_refuses(locked, cache):  # noqa: F811 - a fixture
    plugin = Lock.read(locked / "cog.lock").platforms["linux/amd64"].wheels[2]
    Store(cache).path(plugin.digest).unlink()

    said = lines("why-not", "lib==1.5", cwd=locked)

    assert said[0] == "lib 1.0 (a Python package): nothing that is known refuses lib==1.5"
    assert "  plugin 1.0 may refuse it: its file is not in the store" in said
    assert said[-1] == "try it: cog-oci lock --upgrade-package lib==1.5 --diff"


@pytest.mark.parametrize("wanted", ["lib", "==1", "lib=="])
def test_why_not_wants_a_name_and_a_version(locked, wanted):
    assert command("why-not", wanted, cwd=locked, check=False).returncode == 2


def test_the_tree_goes_down_from_cog_yaml(locked):
    assert lines("tree", "--python", cwd=locked) == [
        "Python packages:",
        "  cog.yaml",
        "    app 1.0",
        "      lib 1.0",
        "      plugin 1.0",
        "        lib 1.0",
        "    lib 1.0",
    ]
    assert lines("tree", "--python", "--depth", "1", cwd=locked)[1:] == ["  cog.yaml", "    app 1.0", "    lib 1.0"]


def test_debian_packages_are_explained_alike(locked):
    lock = Lock.read(locked / "cog.lock")
    debs = (replace(deb("bash", "5"), needed_by=("base",)), replace(deb("libc6", "2.41"), needed_by=("bash",)))
    parts = replace(lock.platforms["linux/amd64"], debs=debs)
    replace(lock, platforms={"linux/amd64": parts}).write(locked / "cog.lock")

    assert lines("why", "libc6", cwd=locked)[1:] == ["  bash ← base"]
    assert lines("tree", "--debian", cwd=locked)[1:] == ["  base", "    bash 5", "      libc6 2.41"]


def test_what_a_package_is_built_with_is_explained_and_refused_no_version(locked, cache, tmp_path):  # noqa: F811 - a fixture
    lock = Lock.read(locked / "cog.lock")
    builder = keep(Store(cache), tmp_path, "setuptools", "80.0", by=("plugin",))
    parts = replace(lock.platforms["linux/amd64"], builders=(builder,))
    replace(lock, platforms={"linux/amd64": parts}).write(locked / "cog.lock")

    first, *rest = lines("why", "setuptools", cwd=locked)
    assert first.startswith("setuptools 80.0 (a Python package that others are built with, and in no image), ")
    assert rest == ["  plugin ← app ← cog.yaml"]
    assert lines("tree", cwd=locked)[-3:] == [
        "what is built from source, and what it is built with:",
        "  plugin",
        "    setuptools 80.0",
    ]
    refused = command("why-not", "setuptools==70", cwd=locked, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "setuptools is in no image: others are built with it" in refused.stderr
