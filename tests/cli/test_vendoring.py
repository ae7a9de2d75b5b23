"""Everything of a lock on this machine or on another one: fetch, --offline, and the store that is carried."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from cog_oci.fetch import Fetcher, OfflineError
from cog_oci.lock import Archive, Lock
from cog_oci.oci import Platform
from cog_oci.origins import default_index
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.cli.test_commands import cache, demanding, project  # noqa: F401 - fixtures: a project that needs a wheel
from tests.conftest import need
from tests.images.conftest import COMMAND
from tests.test_difference import lock


@pytest.fixture(autouse=True)
def _own_index():
    """Each test has an index of its own; a process asks uv for it once."""
    default_index.cache_clear()
    yield
    default_index.cache_clear()


def test_fetch_brings_every_file_once(demanding, cache, site):  # noqa: F811 - fixtures
    done = command("fetch", cwd=demanding)

    wheel = Lock.read(demanding / "cog.lock").platforms["linux/amd64"].wheels[0]
    assert Store(cache).has(wheel.digest, wheel.size)
    assert "linux/amd64: all 1 files are in the store" in done.stderr
    site.asked.clear()
    command("fetch", cwd=demanding)
    assert site.asked == []


def test_offline_builds_from_the_store_alone(demanding, cache, site):  # noqa: F811 - fixtures
    missing = command("image", "--offline", cwd=demanding, check=False)
    assert (missing.returncode, missing.stdout, site.asked) == (1, "", [])
    assert "not in the store, and offline: demo-1.0-py3-none-any.whl" in missing.stderr
    assert "hint: run `cog-oci fetch` where there is a network" in missing.stderr

    command("fetch", cwd=demanding)
    site.asked.clear()

    assert command("image", "--offline", cwd=demanding).stdout.startswith("sha256:")
    assert site.asked == []


@pytest.mark.parametrize("arguments", [["image"], ["run", "--offline", "--engine", "sandbox"]])
def test_every_command_that_builds_can_be_told_to_use_no_network(demanding, cache, site, monkeypatch, arguments):  # noqa: F811 - fixtures
    if "--offline" not in arguments:
        monkeypatch.setenv("COG_OFFLINE", "1")

    done = command(*arguments, *(["-i", "text=x"] if arguments[0] == "run" else []), cwd=demanding, check=False)

    assert (done.returncode, site.asked) == (1, [])
    assert "not in the store, and offline: demo-1.0-py3-none-any.whl" in done.stderr


def test_what_is_carried_to_another_store_builds_the_same_image(demanding, cache, tmp_path, monkeypatch):  # noqa: F811 - fixtures
    command("fetch", cwd=demanding)
    command("store", "export", str(tmp_path / "usb"), cwd=demanding)
    first = command("image", "-o", "../one.tar", cwd=demanding).stdout

    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "elsewhere"))
    command("store", "import", str(tmp_path / "usb"), cwd=demanding)

    assert command("image", "--offline", "-o", "../other.tar", cwd=demanding).stdout == first


@pytest.mark.namespaces
def test_an_image_is_built_where_there_is_no_network_at_all(demanding, cache):  # noqa: F811 - fixtures
    need("unshare")
    command("fetch", cwd=demanding)

    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", *COMMAND, "image", "--offline"],
        cwd=demanding,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("needs user namespaces")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sha256:")


def test_a_damaged_file_is_named_with_status_1_and_removed_on_request(demanding, cache):  # noqa: F811 - fixtures
    command("fetch", cwd=demanding)
    wheel = Lock.read(demanding / "cog.lock").platforms["linux/amd64"].wheels[0]
    assert command("store", "verify", cwd=demanding).stdout == ""
    Store(cache).path(wheel.digest).write_bytes(b"?" * wheel.size)

    found = command("store", "verify", cwd=demanding, check=False)
    removed = command("store", "verify", "--remove", cwd=demanding)

    assert (found.returncode, found.stdout) == (1, f"{wheel.digest}\n")
    assert removed.stdout == found.stdout
    assert not Store(cache).has(wheel.digest)


def test_what_the_project_here_needs_is_not_cleared_away(demanding, cache):  # noqa: F811 - fixtures
    command("fetch", cwd=demanding)
    wheel = Lock.read(demanding / "cog.lock").platforms["linux/amd64"].wheels[0]
    Store(cache).add(b"of another project")

    done = command("store", "gc", "--unused-for", "0", cwd=demanding)

    assert done.stderr.startswith("removed ")
    assert [path.name for path in (cache / "blobs" / "sha256").iterdir()] == [wheel.sha256]


def test_an_offline_fetcher_asks_nobody(store, site):
    with pytest.raises(OfflineError):
        Fetcher(store, offline=True).get(f"{site.url}/x", limit=9)
    assert site.asked == []


def test_debs_that_were_kept_are_looked_for_at_their_own_time_too():
    states = tuple(
        Archive(name=name, suite=name, date=date, inrelease="0" * 64)
        for name, date in (("a", "2025-03-01T08:00:00Z"), ("b", "2025-02-01T20:00:00Z"))
    )
    parts = lock().platforms["linux/amd64"]
    found = Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": replace(parts, archives=states)})

    times = found.moments(Platform("linux", "amd64"))

    assert [f"{time:%Y-%m-%d %H}" for time in times] == ["2026-01-01 00", "2025-02-02 08", "2025-03-01 20"]
