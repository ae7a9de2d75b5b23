"""The registry as the build cache, as a user has it: two machines, which are two stores here."""

from __future__ import annotations

import pytest

from cog_oci.lock import Lock
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand, project_in
from tests.conftest import keep_wheel, make_wheel
from tests.transports.strict_registry import Fault, strict


@pytest.fixture
def registry():
    with strict(referrers=False) as found:
        yield found


@pytest.fixture
def machines(tmp_path, monkeypatch, registry):
    """Makes a machine the one that commands run on: with a store of its own, and the cache configured."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COG_CACHE", f"{registry.host}/me/cache")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")  # whoever fetches fails

    def at(name: str) -> Store:
        monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / name))
        return Store(tmp_path / name)

    return at


@pytest.fixture
def folder(machines, tmp_path, monkeypatch, registry):
    """A project with a wheel of 100 kB that does not compress, pushed once from a machine that writes to the cache."""
    own = project_in(tmp_path)
    wheel = make_wheel(tmp_path, "demo", {"demo/__init__.py": b"", "demo/data": bytes(range(256)) * 400})
    lock_by_hand(own, keep_wheel(machines("first"), wheel))
    monkeypatch.setenv("COG_CACHE_PUSH", "1")
    done = command("push", f"{registry.host}/me/model:v1", cwd=own)
    monkeypatch.delenv("COG_CACHE_PUSH")
    assert f"the cache {registry.host}/me/cache has 2 more layers" in done.stderr
    return own


def digest(place: str, folder) -> str:
    return command("push", place, cwd=folder).stdout.strip()


def test_a_machine_with_nothing_pushes_a_change_without_a_wheel(folder, machines, registry):
    machines("clean")
    with (folder / "run.py").open("a") as file:
        file.write("# a line\n")
    before = registry.received

    done = command("push", f"{registry.host}/you/model:v1", cwd=folder)

    assert "mounted 2 (" in done.stderr
    assert registry.received - before < 30_000
    machines("first")
    assert digest(f"{registry.host}/me/model:v2", folder) == done.stdout.strip()


def test_a_target_that_has_the_layers_needs_no_cache_at_all(folder, machines, registry, monkeypatch):
    machines("clean")
    monkeypatch.setenv("COG_CACHE", "none")
    with (folder / "run.py").open("a") as file:
        file.write("# a line\n")

    assert "already there" in command("push", f"{registry.host}/me/model:v1", cwd=folder).stderr


def test_to_another_registry_layers_are_sent_from_the_cache(folder, machines):
    store = machines("clean")
    with strict() as other:
        done = command("push", f"{other.host}/me/model:v1", cwd=folder)

        layers = Lock.read(folder / "cog.lock").platforms["linux/amd64"].layers
        assert {one.blobs["gzip"].digest for one in layers} <= set(other.repos["me/model"].blobs)
        assert "mounted" not in done.stderr
    assert store.has(layers[1].blobs["gzip"].digest)


def test_an_archive_of_a_machine_with_nothing_is_the_same(folder, machines, tmp_path):
    machines("first")
    first = command("image", "-o", "../first.tar", cwd=folder).stdout
    machines("clean")

    assert command("image", "-o", "../clean.tar", cwd=folder).stdout == first
    assert (tmp_path / "clean.tar").read_bytes() == (tmp_path / "first.tar").read_bytes()


def test_who_is_offline_has_no_cache(folder, machines, registry):
    machines("clean")
    registry.seen.clear()

    done = command("image", "--offline", cwd=folder, check=False)

    assert done.returncode == 1
    assert registry.seen == []


def test_layers_that_are_gone_when_they_are_wanted_are_made(folder, machines, registry, tmp_path):
    wheel = next(
        (tmp_path / "first/blobs/sha256").glob(Lock.read(folder / "cog.lock").platforms["linux/amd64"].wheels[0].sha256)
    )
    machines("clean").add(wheel.read_bytes())
    registry.faults = [Fault("POST", 404)] * 4  # neither mounted …
    with strict() as other:
        registry.faults = [Fault("GET", 404)] * 9  # … nor read
        done = command("push", f"{other.host}/me/model:v1", cwd=folder)

    assert f"going on without the cache {registry.host}/me/cache" in done.stderr
    assert "pushed" in done.stderr


def test_a_cache_without_a_record_in_the_lock_needs_trust_and_then_fills_the_lock(folder, machines, monkeypatch):
    machines("clean")
    recorded = (folder / "cog.lock").read_bytes()
    lock = Lock.read(folder / "cog.lock")
    lock.recording({"linux/amd64": ()}).write(folder / "cog.lock")

    monkeypatch.setattr("cog_oci.fetch._fetcher._ATTEMPTS", 1)
    refused = command("image", cwd=folder, check=False)
    monkeypatch.setenv("COG_CACHE_TRUST", "1")
    command("image", cwd=folder)

    assert refused.returncode == 1
    assert "cog.lock does not know 2 of the layers yet" in refused.stderr
    assert (folder / "cog.lock").read_bytes() == recorded


def test_whatever_builds_takes_layers_from_the_cache(folder, machines):
    machines("clean")

    done = command("build", "--engine", "none", cwd=folder)

    assert "wrote image.tar" in done.stderr
    assert command("image", "--digest", cwd=folder).stdout == done.stdout
