"""Between archives the choice is apt's: real apt and we read the same two archives on loopback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.resolver.debian import DebianResolver
from tests.conftest import need
from tests.resolver.apt import Apt
from tests.resolver.debian_archive import NOW, Publication, paragraph, suite_of

pytestmark = pytest.mark.oracle

BACKPORTS = {"NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}
NAMES = [
    ["tool"],
    ["both"],
    ["lower"],
    ["same"],
    ["rebuilt"],
    ["tool", "lower"],
    ["own"],
    ["other"],
    ["both=2"],
    ["lower=1"],
]


def packages(place: str) -> str:
    """What both archives have, the vendor's newer, older or the same."""
    ours = place == "pool/main"

    def row(name, version, **fields):
        return paragraph(name, version, Filename=f"{place}/{name}_{version}.deb", **fields)

    return (
        row("both", "1" if ours else "2", depends="own")
        + row("lower", "2" if ours else "1")
        + row("same", "3")
        + row("rebuilt", "3", SHA256="1" * 64 if ours else "2" * 64, size="1001" if ours else "1002")
        + (row("own", "1") if ours else row("other", "1", depends="both | lower, lower"))
        + (row("tool", "1", depends="both") if ours else "")
    )


@pytest.mark.parametrize(
    ("priority", "fields"),
    [
        *((None, fields) for fields in ({}, {"NotAutomatic": "yes"}, BACKPORTS)),
        *((priority, {}) for priority in (1, 499, 501, 1000)),
        (500, {"NotAutomatic": "yes"}),
    ],
)
def test_which_archive_a_package_comes_from_is_apts_choice(site, store, tmp_path, priority, fields):
    need("apt-get")
    own = {"Architectures": "amd64", "Components": "main"}
    plain = {
        "main/binary-amd64/Packages": packages("pool/main").encode()
    }  # apt reads no index that is not listed plainly
    main = Publication(site, packages=packages("pool/main"), fields=own, also=plain).publish()
    about = {**fields, "Origin": "Vendor"}
    vendor = Publication(site, suite="/", address="/vendor", packages=packages("."), fields=about, suffix=".gz")
    replace(vendor, by_hash=False, also={"Packages": packages(".").encode()}).publish()
    suites = [suite_of(tmp_path), suite_of(tmp_path, "/", "vendor", priority)]
    addresses = {"debian": [main.url], "vendor": [vendor.url]}
    resolver = DebianResolver(Fetcher(store), store, suites, "amd64", addresses.__getitem__, NOW)
    key = suites[0].keyring
    apt = Apt(
        tmp_path / "apt",
        "amd64",
        [f"deb [signed-by={key}] {main.url} trixie main", f"deb [signed-by={key}] {vendor.url} /"],
        f"Package: *\nPin: release o=Vendor\nPin-Priority: {priority}\n" if priority else "",
    )

    for names in NAMES:
        ours = sorted(f"{addresses[deb.archive][0]}/{deb.file}" for deb in resolver.resolve([], names).debs)

        assert ours == [address.replace("/./", "/") for address in apt.addresses(*names)], names
