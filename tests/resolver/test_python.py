"""uv, the real one, against an index on loopback."""

from __future__ import annotations

import hashlib
import json
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cog_oci.errors import CogError, SourceError
from cog_oci.indexes import Indexes
from cog_oci.origins import default_index
from cog_oci.progress import Silent
from cog_oci.requirement_lines import RequirementLines, read_requirement_lines
from cog_oci.resolver._explanations import explained
from cog_oci.resolver.python import Keep, NoWheelError, ResolutionError, Target, resolve
from tests.conftest import make_wheel

NOW = datetime.now(UTC).replace(microsecond=0)
TARGET = Target((3, 13), "amd64", (2, 41))
ARM64 = Target((3, 13), "arm64", (2, 41))


@pytest.fixture
def index(site, tmp_path, monkeypatch):
    """An index with `app` (needs `lib`), `lib` in two versions, and `windows`, which has no wheel for Linux."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    default_index.cache_clear()
    files: dict[str, list[dict]] = {}

    def publish(name: str, version: str, file: str | None = None, requires: str = "", age: int = 10) -> None:
        path = make_wheel(tmp_path, name, {f"{name}.py": b""}, version=version)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (
            f"Requires-Dist: {requires}\n" if requires else ""
        )
        file = file or path.name
        data = path.read_bytes()
        site.pages[f"/files/{file}"] = data
        site.pages[f"/files/{file}.metadata"] = metadata.encode()
        files.setdefault(name, []).append(
            {
                "filename": file,
                "url": f"{site.url}/files/{file}",
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                "size": len(data),
                "upload-time": (NOW - timedelta(days=age)).isoformat(),
                "core-metadata": {"sha256": hashlib.sha256(metadata.encode()).hexdigest()},
            }
        )
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files[name]}).encode()
        site.pages[f"/simple/{name}/"] = lambda handler: handler.answer(
            200, page, Content_Type="application/vnd.pypi.simple.v1+json"
        )

    publish("app", "1.0", requires="lib>=1")
    publish("lib", "1.0", age=300)
    publish("lib", "2.0", age=1)
    publish("windows", "1.0", "windows-1.0-cp313-cp313-win_amd64.whl")
    for tag in ("py3-none-any", "cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_aarch64"):
        publish("many", "1.0", f"many-1.0-{tag}.whl")
    publish("chosen", "1.0", requires='lib; platform_machine == "aarch64"')
    publish("intel", "1.0", "intel-1.0-cp313-cp313-manylinux_2_28_x86_64.whl")
    yield site
    default_index.cache_clear()


def test_what_is_needed_is_locked_with_who_asked(index, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("app\n")

    app, lib = resolve(requirements, TARGET, NOW)

    assert (app.name, app.needed_by, app.index) == ("app", ("cog.yaml",), "default")
    assert (lib.version, lib.needed_by) == ("2.0", ("app",))
    assert lib.size == len(index.pages[f"/files/{lib.file}"])


def test_other_work_begins_when_uv_has_begun_and_an_error_there_ends_uv(index, monkeypatch):
    begun = []

    class Seen(subprocess.Popen):
        def __init__(self, *words, **how):
            super().__init__(*words, **how)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Seen)

    def fail():
        assert begun, "uv is at work by now"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve(["app"], TARGET, NOW, meanwhile=fail)
    assert [one.returncode is not None for one in begun] == [True]


def test_nothing_newer_than_the_cut_off_is_taken(index):
    (lib,) = resolve(["lib"], TARGET, NOW - timedelta(days=100))

    assert lib.version == "1.0"


def test_the_most_specific_wheel_is_chosen(index):
    (many,) = resolve(["many"], TARGET, NOW)

    assert many.file == "many-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"


def test_arm64_gets_its_own_wheels_and_what_only_it_needs(index):
    assert [wheel.file for wheel in resolve(["many"], ARM64, NOW)] == [
        "many-1.0-cp313-cp313-manylinux_2_28_aarch64.whl"
    ]
    assert [wheel.name for wheel in resolve(["chosen"], ARM64, NOW)] == ["chosen", "lib"]
    assert [wheel.name for wheel in resolve(["chosen"], TARGET, NOW)] == ["chosen"]


def test_a_package_that_has_wheels_for_amd64_only_says_so_on_arm64(index):
    with pytest.raises(NoWheelError, match="intel"):
        resolve(["intel"], ARM64, NOW)


def test_a_package_that_does_not_exist_points_at_its_line(index, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# ours\napp\n  nonesuch==1\n")

    with pytest.raises(SourceError) as caught:
        resolve(requirements, TARGET, NOW, name="requirements.txt")

    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 3)
    assert "nonesuch was not found" in problem.message


@pytest.mark.parametrize("more", ["nonesuch==1", "app 2.0"])
def test_an_included_file_is_named_where_its_line_is_wrong(index, tmp_path, more):
    (tmp_path / "more.txt").write_text(f"# more\n{more}\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("lib\n-r more.txt\n")

    with pytest.raises(SourceError) as caught:
        resolve(requirements, TARGET, NOW, name="requirements.txt")

    assert str(caught.value).startswith("more.txt:2:1: ")
    assert str(tmp_path) not in str(caught.value)
    assert "^" not in str(caught.value)


def test_what_uv_cannot_read_points_at_its_place(index, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"app\nlib==2.0 --hash=sha256:{'0' * 64} ; python_version < '3'\n")

    with pytest.raises(SourceError, match=r"^requirements\.txt:2:8\d: Unexpected ';'.*start of a requirement$"):
        resolve(requirements, TARGET, NOW, name="requirements.txt")


def test_no_advice_of_uv_is_about_the_index_of_source_archives():
    said = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because you require app==2, we can conclude that your requirements are unsatisfiable.\n\n"
        "hint: `app` was found on http://127.0.0.1:37719/simple, but not at the requested\n"
        "version (app==2). Use `--index-strategy unsafe-best-match`.\n"
        "hint: Another.\n"
    )
    file = Path("requirements.txt")

    told = explained(
        said, file, RequirementLines((), {}), "", file, written=True, before="http://127.0.0.1:37719/simple"
    )

    assert str(told).startswith("No solution found when resolving dependencies: because you require app==2")
    assert str(told).endswith("unsatisfiable. hint: Another.")


def test_an_index_that_does_not_answer_is_no_fault_of_a_line(index, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("app\n")

    with pytest.raises(ResolutionError, match=r"Failed to fetch: http://127.0.0.1:1/simple/app/: ") as caught:
        resolve(requirements, TARGET, NOW, name="requirements.txt")

    assert "see that the index can be reached" in caught.value.hint


def test_a_package_without_a_wheel_for_the_target_says_so(index):
    with pytest.raises(NoWheelError, match="windows") as caught:
        resolve(["windows"], TARGET, NOW)

    assert "wheel" in caught.value.hint


def test_an_explanation_begins_with_what_is_wrong(index):
    with pytest.raises(ResolutionError, match=r"^No solution found"):
        resolve(["app", "lib==7"], TARGET, NOW)


def test_a_conflict_is_explained_in_uvs_words(index):
    with pytest.raises(ResolutionError, match=r"lib") as caught:
        resolve(["many", "app", "lib<1"], TARGET, NOW)

    assert caught.value.asked == "app"


def test_no_path_of_a_temporary_file_is_in_a_message(index):
    with pytest.raises(CogError) as caught:
        resolve(["nonesuch"], TARGET, NOW, name="cog.yaml")

    assert "/tmp" not in str(caught.value)


def test_the_tags_of_a_target_are_those_of_its_glibc():
    tags = {str(tag) for tag in Target((3, 11), "arm64", (2, 36)).tags()}

    assert "cp311-cp311-manylinux_2_36_aarch64" in tags
    assert "cp311-abi3-manylinux2014_aarch64" in tags
    assert "cp38-abi3-manylinux_2_17_aarch64" in tags
    assert "py3-none-any" in tags
    assert not any("2_37" in tag or "x86_64" in tag or "manylinux1_" in tag for tag in tags)


def test_what_is_locked_stays_until_it_is_to_be_upgraded(index):
    old = resolve(["app"], TARGET, NOW - timedelta(days=5))
    assert [wheel.version for wheel in old] == ["1.0", "1.0"]

    assert resolve(["app"], TARGET, NOW, keep=Keep(old)) == old
    assert resolve(["app"], TARGET, NOW, keep=Keep(old, ["lib"]))[1].version == "2.0"
    assert resolve(["app"], TARGET, NOW, keep=Keep(resolve(["app"], TARGET, NOW), ["lib==1.0"]))[1].version == "1.0"


def test_what_is_locked_moves_when_it_does_not_fit_any_more(index):
    old = resolve(["app"], TARGET, NOW - timedelta(days=5))

    assert resolve(["app", "lib>1"], TARGET, NOW, keep=Keep(old))[1].version == "2.0"


def test_a_version_that_cannot_be_had_is_explained(index):
    old = resolve(["app"], TARGET, NOW - timedelta(days=5))

    with pytest.raises(ResolutionError, match="no version of lib==3"):
        resolve(["app"], TARGET, NOW, keep=Keep(old, ["lib==3"]))


def test_a_constraint_is_not_who_asked(index, tmp_path):
    (tmp_path / "constraints.txt").write_text("lib<2\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("-c constraints.txt\napp\n")

    app, lib = resolve(requirements, TARGET, NOW)

    assert (lib.version, app.needed_by, lib.needed_by) == ("1.0", ("cog.yaml",), ("app",))


def test_a_hash_that_is_not_that_of_the_wheel_points_at_its_line(index, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"lib\n\napp==1.0 \\\n  --hash=sha256:{'0' * 64}\n")

    with pytest.raises(SourceError) as caught:
        resolve(requirements, TARGET, NOW, name="requirements.txt")

    assert str(caught.value).startswith("requirements.txt:3:1: app-1.0-py3-none-any.whl has the hash sha256:")
    sha256 = hashlib.sha256(index.pages["/files/app-1.0-py3-none-any.whl"]).hexdigest()
    requirements.write_text(f"app==1.0 --hash=sha256:{'0' * 64} --hash=sha256:{sha256}\nlib\n")
    assert resolve(requirements, TARGET, NOW)[0].name == "app"


def test_a_file_with_hashes_in_every_line_lacks_none(index, tmp_path):
    app, lib = (
        hashlib.sha256(index.pages[f"/files/{one}-py3-none-any.whl"]).hexdigest() for one in ("app-1.0", "lib-1.0")
    )
    file = tmp_path / "requirements.txt"
    file.write_text(f"cog\napp==1.0 --hash=sha256:{app}\n")

    with pytest.raises(CogError, match=r"^requirements\.txt has hashes in every line, and no hash for lib$"):
        resolve(file, TARGET, NOW, name="requirements.txt")
    file.write_text(f"cog\napp==1.0 --hash=sha256:{app}\nlib==1.0 --hash=sha256:{lib}\n")
    assert [wheel.version for wheel in resolve(file, TARGET, NOW, name="requirements.txt")] == ["1.0", "1.0"]
    file.write_text(f"app==1.0 --hash=sha256:{app}\nlib\n")
    assert len(resolve(file, TARGET, NOW, name="requirements.txt")) == 2


def test_the_hash_of_a_line_for_another_python_does_not_count(index, tmp_path):
    file = tmp_path / "requirements.txt"
    digest = hashlib.sha256(index.pages["/files/lib-2.0-py3-none-any.whl"]).hexdigest()
    file.write_text(
        f"lib==1.0 ; python_version < '3.10' --hash=sha256:{'0' * 64}\n"
        f"lib==2.0 ; python_version >= '3.10' --hash=sha256:{digest}\n"
    )

    (lib,) = resolve(file, TARGET, NOW, name="requirements.txt")

    assert (lib.version, lib.sha256) == ("2.0", digest)


def test_lines_for_cog_itself_are_left_out_with_what_they_would_need(index, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("Cog==0.16.0  # nowhere\ncoglet\nlib<2\n")
    said: list[str] = []

    class Watching(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    found = resolve(requirements, TARGET, NOW, progress=Watching())

    assert [wheel.name for wheel in found] == ["lib"]
    assert "leaving out cog, coglet: the image brings its own" in said
    requirements.write_text("cog\n")
    assert resolve(requirements, TARGET, NOW) == []


@pytest.mark.parametrize("option", ["--extra-index-url", "-i"])
def test_an_index_in_the_requirements_file_is_locked_by_the_name_of_its_option(index, tmp_path, monkeypatch, option):
    page = json.loads(_page(index, "/simple/app/"))
    index.pages["/other/app/"] = lambda handler: handler.answer(
        200, json.dumps(page).encode(), Content_Type="application/vnd.pypi.simple.v1+json"
    )
    index.pages["/other/lib/"] = index.pages["/simple/lib/"]
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/nothing")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{option} {index.url}/other/\napp\n")
    written = Indexes(written=read_requirement_lines(requirements).indexes)

    found = resolve(requirements, TARGET, NOW, indexes=written)

    name = {"-i": "index-url"}.get(option, "extra-index-url")
    assert {wheel.index for wheel in found} == {name}
    assert written.address(name) == f"{index.url}/other"


def _page(index, path: str) -> bytes:
    with urllib.request.urlopen(f"{index.url}{path}") as answer:
        return answer.read()
