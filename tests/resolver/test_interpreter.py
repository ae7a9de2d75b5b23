"""Where a Python comes from: Debian where it has exactly that one, else an archive that the tool knows, else nowhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cog_oci.config import Project
from cog_oci.errors import CogError, RequestError, SourceError
from cog_oci.fetch import Fetcher, NotFoundError
from cog_oci.ground import base_of
from cog_oci.lock import Lock, PlatformLock
from cog_oci.oci import Platform
from cog_oci.origins import Origins
from cog_oci.plan import artifact_layers
from cog_oci.resolver.base import Base
from cog_oci.resolver.interpreter import fetched, standalone
from cog_oci.store import DigestMismatchError
from tests.standalone_archive import offer, packed, small

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARCHIVE = packed(small())


@pytest.fixture
def known(monkeypatch, tmp_path, site):
    """One archive for each architecture."""
    offer(monkeypatch, tmp_path, site, ("3.12.14", "amd64", ARCHIVE), ("3.12.14", "arm64", ARCHIVE + bytes(1)))
    return site


def bring(store, architecture: str = "amd64", before=None):
    fetcher = Fetcher(store)
    return fetched(Base("3.12", architecture).standalone, before, fetcher, Origins(fetcher, NOW))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize(
    ("asked", "suite", "release"),
    [
        ("3.11", "bookworm", None),
        ("3.11.2", "bookworm", None),
        ("3.13", "trixie", None),
        ("3.13.5", "trixie", None),
        ("3.11.16", "trixie", "3.11.16"),
        ("3.13.15", "trixie", "3.13.15"),
        ("3.10", "trixie", "3.10.21"),
        ("3.12", "trixie", "3.12.14"),
        ("3.14", "trixie", "3.14.7"),
        ("3.14.7", "trixie", "3.14.7"),
    ],
)
def test_debian_brings_what_it_has_and_an_archive_the_rest(asked, suite, release, architecture):
    base = Base(asked, architecture)

    assert base.suite == suite
    assert (base.standalone and base.standalone.version) == release
    assert base.interpreter().source == "debian"
    assert (f"python{base.python_version}" in base.packages) == (release is None)
    assert base.server_wheels


def test_every_known_archive_is_there_for_both_architectures():
    one, other = (standalone(architecture) for architecture in ("amd64", "arm64"))

    assert [row.version for row in one] == [row.version for row in other]
    assert len({row.sha256 for row in (*one, *other)}) == 2 * len(one)
    assert all("x86_64" in row.file for row in one)
    assert all("aarch64" in row.file for row in other)


def test_a_release_that_nothing_brings_is_refused_with_what_there_is(tmp_path):
    (tmp_path / "cog.yaml").write_text("build:\n  python_version: 3.13.6\n")

    with pytest.raises(SourceError) as caught:
        base_of(Project.find(tmp_path), Platform("linux", "amd64"))

    assert str(caught.value) == (
        "cog.yaml:2:19: build.python_version: there is no Python 3.13.6 for amd64, "
        "only 3.13.5 (Debian trixie) and 3.13.15"
    )
    assert "3.13" in caught.value.hint


def test_a_release_of_an_architecture_that_has_none_is_refused():
    with pytest.raises(RequestError, match=r"no Python 3\.12 for riscv64"):
        _ = Base("3.12", "riscv64").standalone


def test_a_suite_that_has_moved_on_is_said(store):
    from dataclasses import replace

    base = Base("3.13.5", "amd64")
    moved = [replace(deb, version="3.13.9-1") if deb.name == "python3.13" else deb for deb in base.pinned_debs]

    base.check(base.pinned_debs)
    Base("3.13", "amd64").check(moved)
    with pytest.raises(RequestError, match=r"Debian trixie has Python 3\.13\.9 now, not 3\.13\.5"):
        base.check(moved)


def test_the_size_of_an_archive_is_learnt_when_it_is_locked(known, store):
    archive = bring(store)

    assert (archive.version, archive.size) == ("3.12.14", len(ARCHIVE))
    assert store.path(archive.digest).read_bytes() == ARCHIVE


def test_an_archive_that_is_locked_is_not_asked_for_again(known, store):
    archive = bring(store)
    known.asked.clear()

    assert bring(store, before=archive) is archive
    assert known.asked == []


def test_an_archive_that_was_changed_is_not_believed(known, store):
    [page] = [page for page in known.pages if "x86_64" in page]
    known.pages[page] = ARCHIVE[:-1] + b"x"

    with pytest.raises(DigestMismatchError, match=r"cpython-3\.12\.14\+20260101-x86_64"):
        bring(store)


def test_an_archive_that_is_nowhere_is_said(known, store):
    known.pages.clear()

    with pytest.raises(NotFoundError) as caught:
        bring(store)

    assert "COG_PYTHON_MIRROR" in caught.value.hint


def test_uv_s_mirror_is_as_good_as_ours(known, store, monkeypatch):
    monkeypatch.delenv("COG_PYTHON_MIRROR")
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{known.url}/releases")

    assert bring(store).size == len(ARCHIVE)


def test_without_a_mirror_it_is_where_the_project_keeps_it(monkeypatch):
    from cog_oci.origins import interpreters

    monkeypatch.delenv("COG_PYTHON_MIRROR", raising=False)
    monkeypatch.delenv("UV_PYTHON_INSTALL_MIRROR", raising=False)

    assert interpreters().endswith("/astral-sh/python-build-standalone/releases/download")


def test_an_installation_without_the_list_says_so(monkeypatch, tmp_path):
    from cog_oci import shipped

    monkeypatch.setattr(shipped, "lockfile", lambda name: tmp_path / name)

    with pytest.raises(CogError, match=r"no python-build-standalone\.json"):
        standalone("amd64")


def parts(store, *, bytecode: bool = False) -> PlatformLock:
    base = Base("3.12", "amd64")
    return PlatformLock(
        inputs=base.lock_inputs(),
        interpreter=base.interpreter(bring(store)),
        archives=(),
        debs=base.pinned_debs,
        wheels=(),
        server=base.server_wheels,
        bytecode=bytecode,
    )


def test_the_lock_comes_back_and_counts_the_archive_among_what_is_fetched_and_kept(known, store):
    lock = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": parts(store)})

    assert Lock.from_bytes(lock.to_bytes()) == lock
    archive = lock.platforms["linux/amd64"].interpreter.archive
    assert archive in list(lock.platforms["linux/amd64"].artifacts())


def test_a_lock_of_debian_s_python_has_no_word_of_archives():
    base = Base("3.13", "amd64")
    locked = PlatformLock(
        inputs={}, interpreter=base.interpreter(), archives=(), debs=base.pinned_debs, wheels=(), server=()
    )

    text = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked}).to_bytes().decode()

    assert '"source": "debian"' in text
    assert '"archive": null' not in text


def test_the_interpreter_is_right_above_the_base_and_the_environment_points_at_it(known, store):
    layers = artifact_layers(parts(store))

    assert [layer.name for layer in layers] == ["base trixie", "interpreter 3.12.14", "server", "python"]
    with layers[-1].open(store) as entries:
        made = {entry.path: entry for entry in entries}
    assert made["opt/venv/bin/python"].target == "/opt/python/bin/python3.12"
    assert b"home = /opt/python/bin\n" in b"".join(made["opt/venv/pyvenv.cfg"].content.chunks())
    assert "opt/venv/lib/python3.12/site-packages/cog-oci.pth" in made


def test_the_archive_is_what_compiles(known, store):
    layers = artifact_layers(parts(store, bytecode=True))

    [made] = [layer for layer in layers if layer.name == "base and server bytecode"]
    assert [layer.name for layer in made.of] == ["interpreter 3.12.14", "server"]
    assert [layer.name for layer in made.compiler.below] == ["base trixie", "interpreter 3.12.14"]
    assert made.compiler.platform == Platform("linux", "amd64")
