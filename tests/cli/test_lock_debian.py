"""`cog-oci lock` against a whole small world: Debian's archive and a vendor's flat one, on loopback and signed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cog_oci.build import fetch
from cog_oci.config import Project
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.origins import VanishedError
from cog_oci.resolver import debian
from cog_oci.resolver.base import Base
from cog_oci.store import Store
from cog_oci.workshop import Workshop
from tests.cli.in_process import command
from tests.cli.test_commands import cache, project  # noqa: F401 - fixtures
from tests.layers import deb_builder
from tests.resolver.debian_archive import NOW, Publication, listed, signing_key, suite_of

STUBS = {name: deb_builder.deb(name) for name in Base("3.13", "amd64").packages}


def library(name: str, version: str = "1.0") -> bytes:
    """A deb with one library in it."""
    content = deb_builder.file(f"{name} {version}".encode())
    return deb_builder.deb(name, {f"usr/lib/{name}.so": content}, version=version)


@pytest.fixture
def world(site, tmp_path, monkeypatch):
    """Debian's archive as the commands find it, with nothing but what the base asks for."""
    packages = ""
    for name, data in STUBS.items():
        site.pages[f"/debian/pool/{name}.deb"] = data
        packages += listed(name, data, f"pool/{name}.deb")
    archive = Publication(site, packages=packages).publish()
    own = suite_of(tmp_path)
    monkeypatch.setattr(debian, "suites", lambda _: (own,))
    monkeypatch.setattr(debian, "others", lambda _: ())
    monkeypatch.setenv("COG_MIRROR_DEBIAN", archive.url)
    monkeypatch.delenv("COG_APT_VENDOR", raising=False)
    return archive


@pytest.fixture
def vendor(site):
    """A vendor's flat archive with two packages."""
    archive = Publication(site, suite="./", address="/vendor", suffix=".gz", fields={}, by_hash=False)
    offer(archive, "cudnn")
    return offer(archive, "cudart")


def offer(archive: Publication, name: str, version: str = "1.0") -> Publication:
    """Publish a deb, beside those that the archive has."""
    file, data = f"{name}_{version}.deb", library(name, version)
    archive.site.pages[f"{archive.address}/{file}"] = data
    archive.packages += listed(name, data, f"./{file}", version)
    return archive.publish()


def configure(folder, archive: Publication, **changes) -> None:
    """A project that asks for a package of the vendor's."""
    (folder / "vendor.asc").write_text(str(signing_key().extract_certificate()))
    apt = {"name": "vendor", "url": archive.url, "suite": "./", "key": "vendor.asc", **changes}
    build = {"python_version": "3.13", "system_packages": ["cudart"], "apt": [apt]}
    (folder / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))


@pytest.fixture
def asking(project, cache, world, vendor):  # noqa: F811 - fixtures
    """A project that asks for a package of the vendor's, not locked yet."""
    configure(project, vendor)
    return project


def parts(folder):
    return Lock.read(folder / "cog.lock").platforms["linux/amd64"]


def lock(folder, *arguments, check=True):
    return command("lock", *arguments, "--no-bytecode", cwd=folder, check=check)


def test_a_lock_names_the_vendors_archive_and_never_where_it_is(asking, vendor):
    lock(asking)

    deb = next(one for one in parts(asking).debs if one.name == "cudart")
    assert (deb.archive, deb.layer, deb.needed_by) == ("vendor", "system", ("cog.yaml",))
    fingerprint = signing_key().extract_certificate().fingerprint
    assert [(one.name, one.key) for one in parts(asking).archives] == [("debian", ""), ("vendor", fingerprint)]
    assert vendor.site.url not in (asking / "cog.lock").read_text()
    assert "from vendor" in command("why", "cudart", cwd=asking).stdout


def test_a_lock_builds_behind_a_mirror_of_the_vendors_archive(asking, vendor, monkeypatch, tmp_path):
    lock(asking)
    pages = vendor.site.pages
    for path in [path for path in pages if path.startswith("/vendor/")]:
        pages["/mirror" + path.removeprefix("/vendor")] = pages.pop(path)
    platform, store = Platform("linux", "amd64"), Store(tmp_path / "another")

    def bring():
        fetch(Project.find(asking), platform, Lock.read(asking / "cog.lock"), parts(asking).debs, Workshop(store))

    with pytest.raises(VanishedError, match="the archive vendor does not have cudart") as caught:
        bring()
    monkeypatch.setenv("COG_APT_VENDOR", f"{vendor.site.url}/mirror")
    bring()

    assert "cog-oci lock -P cudart" in caught.value.hint
    assert all(store.has(deb.digest, deb.size) for deb in parts(asking).debs)
    configure(asking, replace(vendor, address="/nowhere"))
    assert "fits" in lock(asking, "--check").stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"priority": 600}, "build.apt has changed"),
        ({"suite": "sub/"}, "build.apt has changed"),
        ({"key": "other.asc"}, "build.apt has changed"),
        ({}, "vendor.asc has changed"),
    ],
)
def test_check_notices_an_edited_archive_and_an_edited_key(asking, vendor, change, said):
    lock(asking)
    configure(asking, vendor, **change)
    (asking / "other.asc").write_text((asking / "vendor.asc").read_text())
    if not change:
        (asking / "vendor.asc").write_text(str(signing_key("stranger").extract_certificate()))

    done = lock(asking, "--check", check=False)

    assert done.returncode == 1
    assert said in done.stderr


def test_one_deb_of_the_vendors_is_upgraded_alone(asking, vendor, world):
    configure(asking, vendor)
    lock(asking)
    offer(vendor, "cudart", "1.1")
    lock(asking)
    before = parts(asking).debs

    lock(asking, "-P", "cudart")

    moved = {deb.name: deb.version for deb in parts(asking).debs if deb not in before}
    assert moved == {"cudart": "1.1"}


def expire(archive):
    archive.valid_until = NOW - timedelta(hours=1)
    archive.publish()


def tamper_with_release(archive):
    page = f"{archive.page}/InRelease"
    archive.site.pages[page] = archive.site.pages[page].replace(b"SHA256", b"SHA265")


def tamper_with_index(archive):
    archive.site.pages[f"{archive.page}/{archive.index_path}"] = b"x" * len(archive.index)


def tamper_with_deb(archive):
    path = next(path for path in archive.site.pages if "cudart" in path)
    archive.site.pages[path] = archive.site.pages[path][:-1] + b"?"


def vanish_half_way(archive):
    """The index is there, the debs are not any more."""
    archive.site.pages.pop(next(path for path in archive.site.pages if "cudart" in path))


def vanish(archive):
    for path in [path for path in archive.site.pages if path.startswith("/vendor")]:
        archive.site.pages.pop(path)


def lose_index(archive):
    archive.site.pages.pop(f"{archive.page}/{archive.index_path}")


def sign_by_another(archive):
    replace(archive, signer=signing_key("stranger")).publish()


def leave_unsigned(archive):
    archive.site.pages[f"{archive.page}/InRelease"] = archive.text().encode()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (expire, "InRelease of vendor ./: it was valid until"),
        (tamper_with_release, "InRelease of vendor ./: the signature by"),
        (tamper_with_index, "vendor ./ Packages.gz"),
        (tamper_with_deb, "cudart"),
        (vanish_half_way, "the archive vendor does not have cudart"),
        (vanish, "no address has vendor ./"),
        (lose_index, "cannot fetch vendor ./ Packages.gz"),
        (sign_by_another, "which is not a key of vendor"),
        (leave_unsigned, "InRelease of vendor ./: it is not signed"),
    ],
)
def test_what_is_wrong_with_an_archive_is_told_by_name_and_nothing_is_written(asking, vendor, cache, harm, said):  # noqa: F811 - the fixture
    harm(vendor)

    done = lock(asking, check=False)

    assert done.returncode == 1
    assert said in done.stderr
    assert not (asking / "cog.lock").exists()
    assert sorted(path.name for path in asking.iterdir()) == ["cog.yaml", "run.py", "vendor.asc"]
    [halves] = cache.rglob("tmp")
    assert list(halves.iterdir()) == []


def test_a_package_that_contradicts_another_is_told_with_its_place_and_chain(asking, vendor):
    vendor.packages += listed("newer", b"", "newer.deb", depends="bash (>= 99)")
    vendor.publish()
    text = (asking / "cog.yaml").read_text().replace('["cudart"]', '["cudart", "newer"]')
    (asking / "cog.yaml").write_text(text)

    done = lock(asking, check=False)

    assert "cog.yaml → newer 1.0 needs bash (>= 99), and there is only bash 1.0" in done.stderr
