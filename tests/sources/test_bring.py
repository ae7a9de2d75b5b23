"""Wheels of a lock that no index serves, on a machine that does not have them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher, OfflineError
from cog_oci.lock import Lock, Source, Wheel
from cog_oci.oci import Platform
from cog_oci.origins import Origins
from cog_oci.progress import SILENT
from cog_oci.sources.bring import Bringer, NotRebuiltError
from cog_oci.store import DigestMismatchError
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.conftest import keep_wheel, make_wheel
from tests.resolver.test_python import NOW, index  # noqa: F401 - a fixture
from tests.sources.stand_in import Bench, source_archive
from tests.test_difference import AMD, lock


@pytest.fixture
def bringer(store, tmp_path, monkeypatch):
    """For a project in `tmp_path`, with a stand-in for the sandbox."""
    bench = Bench(store, tmp_path)
    monkeypatch.setattr(Bringer, "_bench", bench)
    fetcher = Fetcher(store)
    parts = lock().platforms[AMD]
    return Bringer(tmp_path, Platform("linux", "amd64"), parts, store, fetcher, Origins(fetcher, NOW), SILENT)


def built_from(data: bytes, bringer: Bringer, **source: str) -> Wheel:
    """What the lock would have for this source archive, and nothing of it in the store."""
    sha256 = hashlib.sha256(data).hexdigest()
    wheel = keep_wheel(bringer.store, make_wheel(bringer.folder, "only", {"only.py": b""}))
    bringer.store.path(wheel.digest).unlink()
    found = Source(file="only-1.0.tar.gz", sha256=sha256, size=len(data), **source)
    return replace(wheel, index="", source=found)


def test_a_file_of_the_project_is_taken(bringer):
    path = make_wheel(bringer.folder, "ours", {"ours.py": b""})
    wheel = keep_wheel(bringer.store, path)
    bringer.store.path(wheel.digest).unlink()

    bringer.bring([replace(wheel, index="", source=Source(path=path.name))])

    assert bringer.store.has(wheel.digest, wheel.size)


def test_a_file_that_is_another_or_gone_is_an_error(bringer):
    path = make_wheel(bringer.folder, "ours", {"ours.py": b""})
    wheel = replace(keep_wheel(bringer.store, path), index="", source=Source(path=path.name))
    bringer.store.path(wheel.digest).unlink()

    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DigestMismatchError, match="ours"):
        bringer.bring([wheel])
    path.unlink()
    with pytest.raises(CogError, match=r"ours-1\.0-py3-none-any\.whl, which the lock names, is not in"):
        bringer.bring([wheel])
    assert not bringer.store.has(wheel.digest)


def test_a_lock_names_no_folder_outside_a_source(bringer):
    data = source_archive("only", "1.0")
    (bringer.folder / "only-1.0.tar.gz").write_bytes(data)
    wheel = built_from(data, bringer, path="only-1.0.tar.gz", subdirectory="../..")

    with pytest.raises(CogError, match=r"only has no folder \.\./\.\."):
        bringer.bring([wheel])


def test_a_lock_names_no_file_outside_the_project(bringer, tmp_path):
    (tmp_path / "project").mkdir()
    path = make_wheel(tmp_path, "ours", {"ours.py": b""})
    wheel = replace(keep_wheel(bringer.store, path), index="", source=Source(path=f"../{path.name}"))
    bringer.store.path(wheel.digest).unlink()

    with pytest.raises(CogError, match="is not in"):
        replace(bringer, folder=tmp_path / "project").bring([wheel])
    assert not bringer.store.has(wheel.digest)


def test_a_wheel_at_an_address_is_fetched_from_there(bringer, site):
    path = make_wheel(bringer.folder, "far", {"far.py": b""})
    site.pages[f"/{path.name}"] = path.read_bytes()
    wheel = replace(keep_wheel(bringer.store, path), index="", source=Source(url=f"{site.url}/{path.name}"))
    bringer.store.path(wheel.digest).unlink()

    bringer.bring([wheel])

    assert site.asked == [f"/{path.name}"]
    assert bringer.store.has(wheel.digest, wheel.size)


def test_what_was_built_is_built_again_from_the_same_source_and_has_to_be_the_same(bringer, site):
    data = source_archive("only", "1.0")
    site.pages["/only-1.0.tar.gz"] = data
    wheel = built_from(data, bringer, url=f"{site.url}/only-1.0.tar.gz")

    with pytest.raises(NotRebuiltError, match="Its build is not reproducible") as caught:
        bringer.bring([wheel])
    assert "store export" in caught.value.hint

    bringer.bring(
        [
            replace(
                wheel,
                sha256=caught.value.sha256,
                size=bringer.store.path(f"sha256:{caught.value.sha256}").stat().st_size,
            )
        ]
    )


def test_a_source_that_is_another_is_not_built(bringer, site):
    site.pages["/only-1.0.tar.gz"] = source_archive("only", "6.6")
    wheel = built_from(source_archive("only", "1.0"), bringer, url=f"{site.url}/only-1.0.tar.gz")

    with pytest.raises(DigestMismatchError):
        bringer.bring([wheel])
    assert bringer._bench.built == []


def test_without_a_network_the_source_has_to_be_there(bringer, store):
    offline = Fetcher(store, offline=True)
    data = source_archive("only", "1.0")
    wheel = built_from(data, bringer, url="https://x.example/only-1.0.tar.gz")
    there = replace(bringer, fetcher=offline, origins=Origins(offline, NOW), offline=True)

    with pytest.raises(OfflineError, match=r"only-1\.0\.tar\.gz"):
        there.bring([wheel])
    store.add(data)
    with pytest.raises(NotRebuiltError):  # it was built
        there.bring([wheel])


def test_an_image_has_a_wheel_of_the_project_and_the_lock_goes_stale_with_it(project, cache, index, monkeypatch):  # noqa: F811 - fixtures
    lock_by_hand(project)
    (project / "our wheels").mkdir()
    path = make_wheel(project / "our wheels", "ours", {"ours.py": b"x = 1\n"})
    (project / "requirements.txt").write_text(f"our wheels/{path.name}\napp\n")
    build = {"python_version": "3.13", "python_requirements": "requirements.txt"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))
    command("lock", cwd=project)
    wheels = Lock.read(project / "cog.lock").platforms["linux/amd64"].wheels
    assert [(wheel.name, wheel.index) for wheel in wheels] == [("app", "default"), ("lib", "default"), ("ours", "")]

    # Nothing but these: the server's wheels are on no index here.
    lock_by_hand(project, *wheels)
    first = command("image", cwd=project).stdout
    monkeypatch.setenv("COG_CACHE_DIR", str(cache.with_name("elsewhere")))
    assert command("image", cwd=project).stdout == first

    make_wheel(path.parent, "ours", {"ours.py": b"x = 2\n"})
    said = command("lock", "--check", cwd=project, check=False).stderr
    assert f"our wheels/{path.name} has changed" in said
    command("lock", cwd=project)
    assert Lock.read(project / "cog.lock").platforms["linux/amd64"].wheels[2].sha256 != wheels[2].sha256


def test_a_lock_goes_stale_with_a_folder_of_links(project, cache, index):  # noqa: F811 - fixtures
    lock_by_hand(project)
    (project / "links").mkdir()
    make_wheel(project / "links", "near", {"near.py": b""})
    (project / "requirements.txt").write_text("-f links\nnear\n")
    build = {"python_version": "3.13", "python_requirements": "requirements.txt"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))
    command("lock", cwd=project)
    command("lock", "--check", cwd=project)

    make_wheel(project / "links", "near", {"near.py": b""}, version="2.0")

    assert "links has changed" in command("lock", "--check", cwd=project, check=False).stderr
