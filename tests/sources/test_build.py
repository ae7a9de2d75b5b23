"""Wheels built from source in the real sandbox, from a real index."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace

import pytest

from cog_oci.errors import CogError
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.progress import SILENT
from cog_oci.sandbox import unavailable
from cog_oci.sources.build import BuildError, CannotBuildError, Project, Root, Workbench
from cog_oci.store import Store
from tests.conftest import make_wheel
from tests.images.conftest import cache, cog_oci  # noqa: F401 - a fixture
from tests.test_difference import AMD, deb, lock

HERE = Platform("linux", "amd64")


def project(folder, *requirements: str, system: tuple[str, ...] = ()):
    """A project without a model."""
    folder.mkdir()
    build = {"python_version": "3.13", "python_requirements": "requirements.txt", "system_packages": list(system)}
    (folder / "cog.yaml").write_text(json.dumps({"build": build}))
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements))
    return folder


def locked(folder):
    return Lock.read(folder / "cog.lock").platform(HERE)


@pytest.fixture
def sandboxed():
    if reason := unavailable():
        pytest.skip(f"the sandbox cannot start: {reason}")


@pytest.mark.network
@pytest.mark.namespaces
def test_a_package_that_has_only_a_source_archive_is_built_and_built_again_the_same(
    sandboxed,
    cache,  # noqa: F811 - a fixture
    tmp_path,
):
    folder = project(tmp_path / "docopt", "docopt==0.6.2")
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))
    (wheel,) = locked(folder).wheels
    (tool,) = locked(folder).builders
    assert (wheel.name, wheel.built, tool.name, tool.needed_by) == ("docopt", True, "setuptools", ("docopt",))

    # The wheel is gone, and what is known of it: it comes out the same again.
    store = Store(cache)
    store.path(wheel.digest).unlink()
    shutil.rmtree(cache / "checked")
    done = cog_oci("fetch", cwd=folder, COG_CACHE_DIR=str(cache))

    assert "building docopt" in done.stderr
    assert store.has(wheel.digest, wheel.size)
    cog_oci("image", "--offline", "-o", str(tmp_path / "image.tar"), cwd=folder, COG_CACHE_DIR=str(cache))


@pytest.mark.network
@pytest.mark.namespaces
def test_c_is_compiled_with_the_projects_own_system_packages(sandboxed, cache, tmp_path):  # noqa: F811 - a fixture
    folder = project(
        tmp_path / "c", "--no-binary markupsafe", "markupsafe", system=("gcc", "libc6-dev", "python3.13-dev")
    )
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))
    (wheel,) = locked(folder).wheels

    with zipfile.ZipFile(Store(cache).path(wheel.digest)) as archive:
        assert any(name.endswith("-linux-gnu.so") for name in archive.namelist())
    assert wheel.file.endswith("linux_x86_64.whl")


def bench(platform: Platform, store: Store) -> Workbench:
    def nothing(*_: object) -> list:
        return []

    return Workbench(Root(platform, lambda: lock(deb("libc6", "1", 5)).platforms[AMD]), store, SILENT, nothing, nothing)


def test_a_machine_of_another_kind_says_what_to_do(store, tmp_path):
    (tmp_path / "setup.py").write_text("")

    with pytest.raises(CannotBuildError, match="only has no wheel for linux/s390x, and cannot be built here") as caught:
        bench(Platform("linux", "s390x"), store).build("only", Project(tmp_path, "0" * 64))

    assert "on a linux/s390x machine" in caught.value.hint
    assert "pip wheel" in caught.value.hint


@pytest.mark.parametrize(
    ("output", "compiles"),
    [
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", True),
        ("foo.c:1:10: fatal error: Python.h: No such file or directory", True),
        ("CMake Error: CMAKE_C_COMPILER not set, after EnableLanguage", True),
        ("ERROR: Unknown compiler(s): [['cc'], ['gcc']]", True),
        ("ModuleNotFoundError: No module named 'numpy'", False),
    ],
)
def test_what_a_build_lacks_is_told(output, compiles):
    error = BuildError("only", "noise\n" * 50 + output, HERE)

    assert ("build-essential" in error.hint) == compiles
    assert str(error).startswith("only has no wheel for linux/amd64 to take, and building it failed:\n")
    assert str(error).endswith(output)
    assert str(error).count("\n") == 15


def test_tools_that_cannot_be_had_are_told_with_what_needs_them(store, tmp_path):
    (tmp_path / "setup.py").write_text("")

    def refuses(*_: object) -> list:
        raise CogError("No solution found: setuptools is gone")

    with pytest.raises(
        CogError, match=r"only has no wheel .* what it is built with cannot be had: No solution"
    ) as caught:
        replace(bench(HERE, store), resolve=refuses).build("only", Project(tmp_path, "0" * 64))
    assert "another Python" in caught.value.hint


@pytest.mark.parametrize(("tag", "everywhere"), [("py3-none-any", True), ("cp313-cp313-linux_x86_64", False)])
def test_a_wheel_for_every_platform_is_built_on_one_and_taken_on_others(store, tmp_path, monkeypatch, tag, everywhere):
    def run(self, name, folder, project, system, what) -> None:
        if what == "requires":
            (folder / "requires").write_text("[]")
        else:
            make_wheel(folder / "out", "only", {"only.py": b""}).rename(folder / "out" / f"only-1.0-{tag}.whl")

    def tree(name: str) -> Project:
        (tmp_path / name).mkdir()
        (tmp_path / name / "setup.py").write_text("")
        return Project(tmp_path / name, "0" * 64)

    monkeypatch.setattr(Workbench, "_run", run)
    here, there = bench(HERE, store), bench(Platform("linux", "s390x"), store)
    vars(here)["_reason"] = None
    built = here.build("only", tree("one"))
    vars(there.root)["identity"] = ["another"]

    assert here.build("only", tree("two")) == built
    if everywhere:
        assert there.build("only", tree("three")) == built
    else:
        with pytest.raises(CannotBuildError):
            there.build("only", tree("three"))
