"""Requirements from everywhere, with the real uv and an index on loopback; only the building is a stand-in."""

from __future__ import annotations

import hashlib
import threading
from contextlib import nullcontext

import pytest

from cog_oci.errors import CogError, SourceError
from cog_oci.indexes import Indexes
from cog_oci.lock import Source
from cog_oci.requirement_lines import read_requirement_lines
from cog_oci.resolver.python import Keep
from tests.conftest import keep_wheel, make_wheel
from tests.resolver.test_python import index  # noqa: F401 - a fixture
from tests.sources.stand_in import Bench, publish, resolver, source_archive
from tests.sources.test_git import git, repository  # noqa: F401 - a fixture


@pytest.fixture
def project(tmp_path, store, index):  # noqa: F811 - a fixture
    """A function that resolves a requirements file of a project, and what it works with."""

    class Project:
        folder = tmp_path / "project"
        bench = Bench(store, tmp_path)
        site = index

        def __init__(self) -> None:
            self.folder.mkdir()

        def __call__(self, text: str, *, kept=(), upgraded=()):
            file = self.folder / "requirements.txt"
            file.write_text(text)
            said = read_requirement_lines(file)
            indexes = Indexes(written=said.indexes)
            moving = [wheel for wheel in kept if wheel.name not in upgraded]
            self.resolver = resolver(self.folder, store, self.bench, indexes, kept=moving)
            return self.resolver.resolve(file, Keep(kept, upgraded), "requirements.txt")

    return Project()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_package_without_a_wheel_is_built_from_its_source(project):
    data = source_archive("only", "1.0", "lib<2")
    publish(project.site, "only", {"only-1.0.tar.gz": data, "only-0.9.tar.gz": source_archive("only", "0.9")})

    lib, only = project("only\n").wheels

    assert (lib.name, lib.version, lib.needed_by) == ("lib", "1.0", ("only",))
    assert (only.version, only.file, only.needed_by) == ("1.0", "only-1.0-py3-none-any.whl", ("cog.yaml",))
    assert only.source == Source(index="default", file="only-1.0.tar.gz", sha256=sha(data), size=len(data))
    assert project.bench.built == ["only"]
    assert project.bench.store.has(only.digest, only.size)


@pytest.mark.parametrize(("name", "status"), [("pytorch-cpu", 0), ("company", 1)])
def test_a_page_that_pytorchs_index_refuses_is_not_there(project, store, monkeypatch, name, status):
    publish(project.site, "only", {"only-1.0.tar.gz": source_archive("only", "1.0")})

    def refuse(handler) -> None:  # uv knows PyTorch's by its host, which this is not
        handler.answer(404 if handler.headers["User-Agent"].startswith("uv/") else 403, b"")

    project.site.pages["/whl/cpu/only/"] = refuse
    monkeypatch.setenv("COG_INDEX_PYTORCH_CPU", f"{project.site.url}/whl/cpu")
    indexes = Indexes({name: f"{project.site.url}/whl/cpu"})
    (project.folder / "requirements.txt").write_text("only\n")
    asked = resolver(project.folder, store, project.bench, indexes)

    with pytest.raises(CogError, match="no usable wheels") if status else nullcontext():
        (only,) = asked.resolve(project.folder / "requirements.txt", Keep(), "requirements.txt").wheels
        assert (only.built, only.source.index) == (True, "default")


def test_what_others_need_is_built_too_and_old_metadata_is_not_believed(project):
    publish(project.site, "deep", {"deep-1.0.tar.gz": source_archive("deep", "1.0", metadata="2.1")})
    publish(project.site, "only", {"only-1.0.tar.gz": source_archive("only", "1.0", "deep")})

    assert [wheel.name for wheel in project("only\n").wheels] == ["deep", "only"]
    assert project.bench.built == ["deep-1.0.tar.gz", "deep", "only"]


def test_a_version_with_a_wheel_is_preferred_to_none_where_nobody_says_which(project):
    wheel = make_wheel(project.folder, "mixed", {"mixed.py": b""})
    metadata = b"Metadata-Version: 2.1\nName: mixed\nVersion: 1.0\n"
    publish(
        project.site,
        "mixed",
        {
            wheel.name: wheel.read_bytes(),
            f"{wheel.name}.metadata": metadata,
            "mixed-2.0.tar.gz": source_archive("mixed", "2.0"),
        },
    )

    (found,) = project("mixed\n").wheels
    assert (found.version, found.built, project.bench.built) == ("1.0", False, [])
    (found,) = project("mixed>1\n").wheels
    assert (found.version, found.built) == ("2.0", True)
    (found,) = project("mixed<2\n--no-binary mixed\nmixed\n--no-binary :none:\n").wheels
    assert (found.version, found.built) == ("1.0", False)


def test_no_binary_builds_what_has_a_wheel(project):
    wheel = make_wheel(project.folder, "mixed", {"mixed.py": b""})
    sources = {"mixed-1.0.tar.gz": source_archive("mixed", "1.0")}
    publish(project.site, "mixed", {wheel.name: wheel.read_bytes(), **sources})

    (found,) = project("--no-binary mixed\nmixed\n").wheels

    assert found.built


def test_only_binary_builds_nothing(project):
    publish(project.site, "only", {"only-1.0.tar.gz": source_archive("only", "1.0")})

    with pytest.raises(SourceError, match="no usable wheels"):
        project("--only-binary only\nonly\n")
    assert project.bench.built == []


def test_a_build_that_fails_is_what_is_told(project, monkeypatch):
    publish(project.site, "only", {"only-1.0.tar.gz": source_archive("only", "1.0", metadata="2.1")})

    def fails(*_: object, **__: object) -> None:
        raise CogError("building only failed")

    monkeypatch.setattr(project.bench, "build", fails)

    with pytest.raises(CogError, match="building only failed"):
        project("only\n")
    assert "sources" not in {thread.name for thread in threading.enumerate()}


def test_a_wheel_at_an_address_is_locked_by_its_hash_and_its_address_without_a_login(project):
    wheel = make_wheel(project.folder, "far", {"far.py": b""})
    data = wheel.read_bytes()
    project.site.pages[f"/far/{wheel.name}"] = data
    address = f"{project.site.url}/far/{wheel.name}"

    (far,) = project(f"far @ {address.replace('//', '//me:pw@')}#sha256={sha(data)}\n").wheels

    assert (far.sha256, far.size, far.index, far.source) == (sha(data), len(data), "", Source(url=address))
    (again,) = project(f"{address}\n").wheels
    assert again == far


def test_the_plus_sign_of_a_local_version_may_be_written_as_an_address_has_it(project):
    data = make_wheel(project.folder, "far", {"far.py": b""}, version="1.0+cu118").read_bytes()
    project.site.pages["/far/far-1.0%2Bcu118-py3-none-any.whl"] = data

    (far,) = project(f"{project.site.url}/far/far-1.0%2Bcu118-py3-none-any.whl\n").wheels

    assert (far.version, far.file) == ("1.0+cu118", "far-1.0+cu118-py3-none-any.whl")
    assert far.source == Source(url=f"{project.site.url}/far/far-1.0%2Bcu118-py3-none-any.whl")


def test_another_file_than_an_address_promises_is_refused(project):
    wheel = make_wheel(project.folder, "far", {"far.py": b""})
    project.site.pages[f"/far/{wheel.name}"] = wheel.read_bytes()

    with pytest.raises(CogError, match="not the file that was locked"):
        project(f"far @ {project.site.url}/far/{wheel.name}#sha256={'0' * 64}\n")


@pytest.mark.parametrize("name", ["", "far @ "])
def test_another_file_than_a_hash_says_is_refused_and_not_built(project, name):
    data = source_archive("far", "1.0")
    project.site.pages["/far/far-1.0.tar.gz"] = data

    with pytest.raises(SourceError, match="none of the 1 given here"):
        project(f"{name}{project.site.url}/far/far-1.0.tar.gz --hash=sha256:{'0' * 64}\n")
    assert project.bench.built == []
    (far,) = project(f"{name}{project.site.url}/far/far-1.0.tar.gz --hash=sha256:{sha(data)}\n").wheels
    assert far.built


def test_where_hashes_are_required_every_package_has_one(project):
    app, lib = (sha(project.site.pages[f"/files/{one}-py3-none-any.whl"]) for one in ("app-1.0", "lib-2.0"))
    wheel = make_wheel(project.folder, "ours", {"ours.py": b""})
    hashed = f"--require-hashes\n{wheel.name}\napp==1.0 --hash=sha256:{app}\n"

    with pytest.raises(CogError, match=r"^requirements\.txt has --require-hashes, and no hash for lib$"):
        project(hashed)
    with pytest.raises(SourceError, match=r"^requirements\.txt:4:1: --require-hashes wants a hash of it$"):
        project(f"{hashed}https://x.example/lib-2.0-py3-none-any.whl\n")
    assert [one.name for one in project(f"{hashed}lib==2.0 --hash=sha256:{lib}\n").wheels] == ["app", "lib", "ours"]


def test_a_source_archive_at_an_address_is_built(project):
    data = source_archive("far", "1.0", "lib")
    project.site.pages["/far/far-1.0.tar.gz"] = data

    far, lib = project(f"far @ {project.site.url}/far/far-1.0.tar.gz ; python_version > '3'\n").wheels

    assert far.source == Source(
        url=f"{project.site.url}/far/far-1.0.tar.gz", file="far-1.0.tar.gz", sha256=sha(data), size=len(data)
    )
    assert lib.needed_by == ("far",)


def test_a_repository_is_pinned_to_its_commit_until_it_is_to_move(project, tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "setup.py").write_text("")

    def commit(version: str) -> str:
        (folder / "PKG-INFO").write_text(f"Metadata-Version: 2.2\nName: ours\nVersion: {version}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", version)
        return git(folder, "rev-parse", "HEAD")

    first = commit("1.0")
    line = f"ours @ git+{folder.as_uri()}@main\n"
    (ours,) = project(line).wheels
    assert ours.source == Source(url=folder.as_uri(), revision="main", commit=first)
    second = commit("2.0")

    assert project(line, kept=[ours]).wheels == (ours,)
    (moved,) = project(line, kept=[ours], upgraded=["ours"]).wheels
    assert (moved.version, moved.source) == ("2.0", Source(url=folder.as_uri(), revision="main", commit=second))


def test_files_of_the_project_are_locked_by_hash_and_path(project):
    (project.folder / "our wheels").mkdir()
    wheel = make_wheel(project.folder / "our wheels", "ours", {"ours.py": b""})
    data = source_archive("theirs", "1.0")
    (project.folder / "theirs-1.0.tar.gz").write_bytes(data)

    ours, theirs = project(f"our wheels/{wheel.name}\n./theirs-1.0.tar.gz\n").wheels

    assert (ours.sha256, ours.source) == (sha(wheel.read_bytes()), Source(path=f"our wheels/{wheel.name}"))
    assert theirs.source == Source(path="theirs-1.0.tar.gz", file="theirs-1.0.tar.gz", sha256=sha(data), size=len(data))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("./pkg", "./pkg is a folder"),
        ("-e .", "no editable packages"),
        ("./nonesuch-1.0-py3-none-any.whl", "does not exist"),
        ("../outside-1.0-py3-none-any.whl", "outside the project"),
        ("/tmp/outside-1.0-py3-none-any.whl", "outside the project"),
        ("ours @ ./ours-1.0-py3-none-any.whl", "named by its path alone"),
        ("ours @ file:///tmp/ours-1.0-py3-none-any.whl", "named by its path alone"),
        ("ours-1.0-py3-none-any.whl ; python_version > '3'", "does not belong after a path"),
        (f"ours-1.0-py3-none-any.whl --hash=sha256:{'0' * 64}", "does not belong after a path"),
        ("ours-1.0-py3-none-any.whl[extra]", "does not belong after a path"),
        ("other-1.0-cp39-cp39-win_amd64.whl", "is not for Python 3.13 on Linux x86_64"),
        ("strange.whl", "Invalid wheel filename"),
        ("https://x.example/page", "does not end in the name of a file"),
        ("app @ svn+https://x.example/app", "is a repository of svn, and only git is known here"),
        ("git+https://x.example/a@1 oops", "does not belong here"),
        ("lib @ https://x.example/lib-1.0.tar.gz#md5=00", "to be a sha256"),
        (f"git+https://x.example/a --hash=sha256:{'0' * 64}", "pinned by its commit"),
        ("lib --no-binary lib", "--no-binary cannot be said of one package"),
    ],
)
def test_a_line_that_cannot_be_points_at_its_place(project, line, says):
    (project.folder / "pkg").mkdir()
    make_wheel(project.folder, "ours", {"ours.py": b""})
    (project.folder / "other-1.0-cp39-cp39-win_amd64.whl").write_bytes(b"")
    (project.folder / "strange.whl").write_bytes(b"")

    with pytest.raises(SourceError) as caught:
        project(f"app\n{line}\n")

    assert str(caught.value).startswith("requirements.txt:2:1: ")
    assert says in str(caught.value)


def test_links_to_a_folder_of_the_project_and_to_a_page(project):
    folder = project.folder / "links"
    folder.mkdir()
    near = make_wheel(folder, "near", {"near.py": b""})
    far = make_wheel(project.folder, "far", {"far.py": b""})
    project.site.pages[f"/links/{far.name}"] = far.read_bytes()
    project.site.pages[f"/links/{far.name}.metadata"] = b"Metadata-Version: 2.1\nName: far\nVersion: 1.0\n"
    page = f'<a href="{far.name}" data-core-metadata="true">{far.name}</a>'.encode()
    project.site.pages["/links/"] = lambda handler: handler.answer(200, page, Content_Type="text/html")

    found = project(f"-f links\n--find-links={project.site.url}/links/\nnear\nfar\n").wheels

    assert [(wheel.name, wheel.index, wheel.source) for wheel in found] == [
        ("far", "", Source(url=f"{project.site.url}/links/{far.name}")),
        ("near", "", Source(path=f"links/{near.name}")),
    ]
    assert [wheel.sha256 for wheel in found] == [sha(far.read_bytes()), sha(near.read_bytes())]


def test_links_to_a_folder_outside_are_refused(project, tmp_path):
    make_wheel(tmp_path, "near", {"near.py": b""})

    with pytest.raises(CogError, match="outside the project"):
        project(f"-f {tmp_path}\nnear\n")


def test_an_index_without_dates_and_sizes_serves_all_the_same(project):
    wheel = make_wheel(project.folder, "old", {"old.py": b""})
    metadata = b"Metadata-Version: 2.1\nName: old\nVersion: 1.0\n"
    publish(
        project.site,
        "old",
        {wheel.name: wheel.read_bytes(), f"{wheel.name}.metadata": metadata},
        dated=False,
        sized=False,
    )
    project.site.pages[f"/files/{wheel.name}"] = wheel.read_bytes()

    app, _, old = project("old\napp\n").wheels

    assert (old.sha256, old.size) == (sha(wheel.read_bytes()), wheel.stat().st_size)
    assert app.name == "app"
    assert "no time of upload is known of old: they are as they are now" in project.resolver.progress.said


@pytest.mark.parametrize("line", ["-r gone.txt", "--constraint https://me:pw@h.example/c.txt", "-c two words.txt"])
def test_an_include_that_is_no_file_is_an_error_where_we_read_the_lines(project, line):
    with pytest.raises(SourceError, match=r"^requirements.txt:2:1: .* names no file here$") as caught:
        project(f"--pre\n{line}\napp\n")

    assert "pw" not in str(caught.value)


def test_options_that_mean_nothing_here_are_named_where_they_stand(project):
    (project.folder / "more.txt").write_text("\n--use-feature=truststore\n")
    found = project("--pre\n--trusted-host x.example\n--prefer-binary\n-r more.txt\napp\n").wheels

    assert [wheel.name for wheel in found] == ["app", "lib"]
    (said,) = [text for text in project.resolver.progress.said if "means nothing" in text]
    assert said.startswith("more.txt:2: --use-feature truststore")


def test_pre_releases_count_where_they_are_asked_for(project):
    for version in ("1.0", "2.0rc1"):
        wheel = make_wheel(project.folder, "early", {"early.py": b""}, version=version)
        metadata = f"Metadata-Version: 2.1\nName: early\nVersion: {version}\n".encode()
        project.site.pages[f"/files/{wheel.name}.metadata"] = metadata
    files = {path.name: path.read_bytes() for path in sorted(project.folder.glob("early-*"))}
    publish(project.site, "early", {**files, **{f"{name}.metadata": b"" for name in files}})
    for version in ("1.0", "2.0rc1"):
        project.site.pages[f"/files/early-{version}-py3-none-any.whl.metadata"] = (
            f"Metadata-Version: 2.1\nName: early\nVersion: {version}\n".encode()
        )

    assert [wheel.version for wheel in project("early\n").wheels] == ["1.0"]
    assert [wheel.version for wheel in project("--pre\nearly\n").wheels] == ["2.0rc1"]


def test_a_wheel_of_cog_in_the_project_is_left_out(project):
    wheel = make_wheel(project.folder, "cog", {"cog.py": b""}, version="0.16.0")

    found = project(f"app\n{wheel.name}\ncoglet @ https://x.example/coglet-1.0-py3-none-any.whl\n").wheels

    assert [one.name for one in found] == ["app", "lib"]
    assert f"leaving out {wheel.name}: the image brings its own" in project.resolver.progress.said


def test_tools_are_locked_once_with_all_that_they_build(project, store):
    tool = keep_wheel(store, make_wheel(project.folder, "tool", {"tool.py": b""}))
    project.bench.tools = (tool,)
    for name in ("one", "two"):
        publish(project.site, name, {f"{name}-1.0.tar.gz": source_archive(name, "1.0")})

    (builder,) = project("one\ntwo\n").builders

    assert (builder.name, builder.needed_by) == ("tool", ("one", "two"))


def test_constraints_hold_for_what_is_beside_files(project):
    wheel = make_wheel(project.folder, "ours", {"ours.py": b""})
    (project.folder / "constraints.txt").write_text("lib<2\n")

    found = project(f"-c constraints.txt\napp\n{wheel.name}\n").wheels

    assert {one.name: one.version for one in found} == {"app": "1.0", "lib": "1.0", "ours": "1.0"}


def test_a_constraint_with_an_address_is_not_passed_over(project):
    (project.folder / "constraints.txt").write_text("lib<2\napp @ https://x.example/app-1.0-py3-none-any.whl\n")

    with pytest.raises(SourceError, match=r"^constraints.txt:2:1: a constraint says which version, and not where"):
        project("-c constraints.txt\napp\n")


def test_a_version_that_was_taken_back_is_taken_only_where_it_is_pinned_and_said(project):
    wheel = make_wheel(project.folder, "back", {"back.py": b""})
    metadata = b"Metadata-Version: 2.1\nName: back\nVersion: 1.0\n"
    files = {wheel.name: wheel.read_bytes(), f"{wheel.name}.metadata": metadata}
    publish(project.site, "back", files, yanked="it was broken")

    with pytest.raises(SourceError, match="yanked"):
        project("back\n")
    (back,) = project("back==1.0\n").wheels

    assert back.version == "1.0"
    assert any("back==1.0` is yanked" in text and "it was broken" in text for text in project.resolver.progress.said)
