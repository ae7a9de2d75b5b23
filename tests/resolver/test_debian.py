"""Names to debs: layers, pins, several suites, and what a person reads when it cannot be done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pysequoia
import pytest

from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher
from cog_oci.lock import Deb
from cog_oci.resolver._debian_reasons import (
    UnknownPackageError,
    UnknownVersionError,
    UnsatisfiableError,
    VirtualPackageError,
)
from cog_oci.resolver.debian import DebianResolver, suites
from tests.resolver.debian_archive import NOW, Publication, paragraph, suite_of

PACKAGES = (
    paragraph("libc6", "2.41", priority="required")
    + paragraph("python3.13", "3.13.5", depends="libc6 (>= 2.38), libssl | libtls")
    + paragraph("libssl", "3.5", depends="libc6")
    + paragraph("libtls", "1")
    + paragraph("libgl1", "1.7", depends="libc6, libglx0")
    + paragraph("libglx0", "1.7", depends="libc6, libgl1")
    + paragraph("libglx-mesa0", "25", depends="libc6")
    + paragraph("libglib2.0-0t64", "2.84", provides="libglib2.0-0 (= 2.84)", depends="libc6")
    + paragraph("exim", provides="mta", conflicts="mta", architecture="all")
    + paragraph("postfix", provides="mta", conflicts="mta")
    + paragraph("newer", depends="libc6 (>= 2.42)")
    + paragraph("tlsonly", depends="libtls", conflicts="libssl")
)


@pytest.fixture
def main(site):
    return Publication(site, packages=PACKAGES).publish()


@pytest.fixture
def security(site):
    return Publication(site, suite="trixie-security", address="/debian-security", packages="")


@pytest.fixture
def resolver(main, store, tmp_path):
    """A resolver for the main suite and others that have been published."""

    def function(*more):
        published = [main, *more]
        addresses = {one.address.strip("/"): [one.url] for one in published}
        wanted = [suite_of(tmp_path, one.suite, one.address.strip("/")) for one in published]
        return DebianResolver(Fetcher(store), store, wanted, "amd64", addresses.__getitem__, NOW)

    return function


def layers(resolution):
    return {deb.name: deb.layer for deb in resolution.debs}


def versions(resolution):
    return {deb.name: deb.version for deb in resolution.debs}


def test_each_deb_is_named_by_archive_path_hash_and_who_needs_it(resolver):
    resolution = resolver().resolve(["python3.13"], [])

    names = [deb.name for deb in resolution.debs]
    assert names == ["libc6", "libssl", "python3.13"]
    libc = resolution.debs[0]
    assert libc == Deb(
        name="libc6",
        version="2.41",
        file="pool/main/libc6_2.41_amd64.deb",
        sha256=libc.sha256,
        size=1000,
        needed_by=("libssl", "python3.13"),
        archive="debian",
        architecture="amd64",
        layer="base",
    )
    assert resolution.debs[2].needed_by == ("base",)
    assert [(one.name, one.suite) for one in resolution.archives] == [("debian", "trixie")]


def test_what_system_packages_add_is_a_layer_of_its_own(resolver):
    resolution = resolver().resolve(["python3.13"], ["libgl1"])

    assert layers(resolution) == {
        "libc6": "base",
        "libgl1": "system",
        "libglx0": "system",
        "libssl": "base",
        "python3.13": "base",
    }
    assert {deb.name: deb.needed_by for deb in resolution.debs}["libgl1"] == ("cog.yaml", "libglx0")


def test_the_base_stays_as_it_is_whatever_is_added(resolver):
    found = resolver()
    base = found.resolve(["python3.13"], []).debs

    more = found.resolve(["python3.13"], ["libtls", "libgl1"]).debs

    assert tuple(deb for deb in more if deb.layer == "base") == base
    assert layers(found.resolve(["python3.13"], ["libtls"]))["libtls"] == "system"


def test_the_base_changes_where_it_has_to(resolver):
    assert layers(resolver().resolve(["python3.13"], ["tlsonly"])) == {
        "libc6": "base",
        "libtls": "system",
        "python3.13": "base",
        "tlsonly": "system",
    }


def test_a_package_that_is_asked_for_twice_stays_in_the_base(resolver):
    libc = resolver().resolve(["libc6"], ["libc6"]).debs

    assert [(deb.name, deb.layer) for deb in libc] == [("libc6", "base")]


def test_security_updates_come_from_their_own_archive(resolver, security):
    fixed = replace(security, packages=paragraph("libssl", "3.5+deb13u1", depends="libc6")).publish()

    resolution = resolver(fixed).resolve(["python3.13"], [])

    libssl = resolution.debs[1]
    assert (libssl.version, libssl.archive) == ("3.5+deb13u1", "debian-security")
    assert [one.suite for one in resolution.archives] == ["trixie", "trixie-security"]


def test_of_one_version_in_two_archives_the_first_suite_counts(resolver, security):
    same = replace(security, packages=paragraph("libssl", "3.5", depends="libc6")).publish()

    assert resolver(same).resolve(["libssl"], []).debs[1].archive == "debian"


def test_a_preferred_deb_is_taken_while_the_index_lists_its_very_hash(resolver, security):
    fixed = replace(security, packages=paragraph("libssl", "3.5+deb13u1", depends="libc6")).publish()
    found = resolver(fixed)
    old = resolver().resolve(["libssl"], []).debs[1]

    assert versions(found.resolve(["libssl"], [], preferred=[old]))["libssl"] == "3.5"
    other = replace(old, sha256="0" * 64)
    assert versions(found.resolve(["libssl"], [], preferred=[other]))["libssl"] == "3.5+deb13u1"
    gone = replace(old, version="3.4")
    assert versions(found.resolve(["libssl"], [], preferred=[gone]))["libssl"] == "3.5+deb13u1"


def test_a_pin_in_the_configuration_is_exact(resolver, security):
    fixed = replace(security, packages=paragraph("libssl", "3.5+deb13u1", depends="libc6")).publish()
    found = resolver(fixed)

    assert versions(found.resolve([], ["libssl=3.5"]))["libssl"] == "3.5"
    with pytest.raises(UnknownVersionError, match=r"libssl=3.6 does not exist .* has 3.5\+deb13u1 and 3.5$") as caught:
        found.resolve([], ["libssl=3.6"])
    assert (caught.value.available, caught.value.asked) == (("3.5+deb13u1", "3.5"), "libssl=3.6")


def test_two_pins_that_contradict_each_other_are_both_named(resolver, security):
    fixed = replace(security, packages=paragraph("libssl", "3.5+deb13u1", depends="libc6")).publish()

    with pytest.raises(UnsatisfiableError) as caught:
        resolver(fixed).resolve([], ["libssl=3.5", "libssl=3.5+deb13u1"])

    assert caught.value.reasons == ("cog.yaml needs libssl (= 3.5)", "cog.yaml needs libssl (= 3.5+deb13u1)")


def test_a_name_that_does_not_exist_is_an_error_with_those_that_are_near(resolver):
    with pytest.raises(UnknownPackageError, match="libgl1-mesa-glx does not exist in trixie; near: lib") as caught:
        resolver().resolve(["python3.13"], ["libgl1-mesa-glx"])

    assert set(caught.value.near) == {"libglx-mesa0", "libgl1"}
    with pytest.raises(UnknownPackageError, match=r"^zzz does not exist in trixie$") as caught:
        resolver().resolve([], ["zzz=1"])
    assert caught.value.asked == "zzz"


def test_an_old_name_that_one_package_provides_is_that_package(resolver):
    assert set(versions(resolver().resolve([], ["libglib2.0-0"]))) == {"libc6", "libglib2.0-0t64"}


def test_a_virtual_package_is_an_error_that_lists_who_provides_it(resolver):
    with pytest.raises(VirtualPackageError, match="mta is a virtual package in trixie, provided by exim, postfix"):
        resolver().resolve([], ["mta"])


def test_what_cannot_be_installed_is_explained_from_cog_yaml_on(resolver):
    with pytest.raises(
        UnsatisfiableError, match=r"cog.yaml → newer 1.0 needs libc6 \(>= 2.42\), and there is only libc6 2.41"
    ):
        resolver().resolve(["python3.13"], ["newer"])


def test_the_same_names_in_another_order_are_the_same_resolution(resolver):
    found = resolver()
    names = ["libgl1", "exim", "libtls", "libglib2.0-0"]

    assert found.resolve(["python3.13"], names) == found.resolve(["python3.13"], names[::-1])


def test_indexes_are_fetched_once(resolver, site):
    found = resolver()
    found.resolve(["libc6"], [])
    asked = list(site.asked)

    found.resolve(["python3.13"], ["libgl1"])

    assert site.asked == asked


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_every_release_has_keys_and_those_for_security_are_others(release):
    main, updates, security = suites(release)

    certificates = {
        suite.suite: {one.fingerprint: one for one in pysequoia.Cert.split_bytes(suite.keyring.read_bytes())}
        for suite in (main, security)
    }
    assert updates.keyring == main.keyring
    assert set(certificates[release]).isdisjoint(certificates[f"{release}-security"])
    for certificate in (one for some in certificates.values() for one in some.values()):
        assert f"/{release}" in str(certificate.user_ids[0])
        assert not certificate.is_revoked
        assert certificate.expiration > NOW


def test_a_release_whose_keys_do_not_ship_is_refused_by_name():
    with pytest.raises(CogError, match="no keys for Debian buster"):
        suites("buster")


def test_openpgp_is_loaded_only_to_verify():
    program = "import sys, cog_oci.resolver.debian; sys.exit('pysequoia' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


TWINS = (
    paragraph("libc6", "2.41", depends="libc-bin (= 2.41)")
    + paragraph("libc6", "2.42", depends="libc-bin (= 2.42)")
    + paragraph("libc-bin", "2.41", depends="libc6 (= 2.41)")
    + paragraph("libc-bin", "2.42", depends="libc6 (= 2.42)")
    + paragraph("bash", "5", depends="libc6")
    + paragraph("bash", "6", depends="libc6")
)


def test_an_upgrade_moves_what_it_names_and_what_must_move_with_it(resolver, main):
    replace(main, packages=TWINS).publish()
    old = resolver().resolve(["bash=5", "libc-bin=2.41"], []).debs
    assert {deb.version for deb in old} == {"5", "2.41"}

    kept = resolver().resolve(["bash", "libc-bin"], [], preferred=old)
    moved = resolver().resolve(["bash", "libc-bin"], [], preferred=old, upgraded={"libc6": None})

    assert kept.debs == tuple(replace(deb, needed_by=kept.debs[n].needed_by) for n, deb in enumerate(old))
    assert versions(moved) == {"bash": "5", "libc-bin": "2.42", "libc6": "2.42"}
    assert {name for deb in moved.debs for name in deb.needed_by} == {"base", "bash", "libc-bin", "libc6"}


def test_an_upgrade_to_a_version_may_go_down(resolver, main):
    replace(main, packages=TWINS).publish()

    moved = resolver().resolve([], ["bash"], upgraded={"libc-bin": "2.41"})

    assert versions(moved) == {"bash": "6", "libc-bin": "2.41", "libc6": "2.41"}
    with pytest.raises(UnknownVersionError, match="bash=7 does not exist"):
        resolver().resolve([], ["bash"], upgraded={"bash": "7"})


def test_an_upgrade_of_what_nothing_needs_any_more_brings_nothing(resolver):
    assert versions(resolver().resolve(["libtls"], [], upgraded={"libssl": None})) == {"libtls": "1"}
