"""What ships with the tool fits together: every base is there for every architecture, with a server that runs on it."""

from __future__ import annotations

import itertools

import pytest
from packaging.utils import parse_wheel_filename

from cog_oci import checked, shipped
from cog_oci.cog_yaml import PYTHON_VERSIONS
from cog_oci.errors import CogError
from cog_oci.lock import Deb, Wheel
from cog_oci.resolver.base import Base, _pins
from cog_oci.resolver.python import Target

ARCHITECTURES = ("amd64", "arm64")
BASES = [Base(*each) for each in itertools.product(PYTHON_VERSIONS, ARCHITECTURES)]


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.python_version}-{base.architecture}")
def test_a_base_has_debs_of_its_architecture_and_what_it_asks_for(base):
    debs = {deb.name: deb for deb in base.pinned_debs}

    assert {deb.architecture for deb in debs.values()} == {base.architecture, "all"}
    assert {*base.packages} <= debs.keys()
    assert {deb.layer for deb in debs.values()} == {"base"}


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.python_version}-{base.architecture}")
def test_the_server_s_wheels_fit_their_base(base):
    major, minor = base.python_version.split(".")
    fitting = {*Target((int(major), int(minor)), base.architecture, base.glibc).tags()}

    for wheel in base.server_wheels:
        name, version, _, tags = parse_wheel_filename(wheel.file)
        assert (name, str(version)) == (wheel.name, wheel.version)
        assert tags & fitting, wheel.file


@pytest.mark.parametrize("python", PYTHON_VERSIONS)
def test_the_architectures_have_the_same_packages(python):
    one, other = (Base(python, architecture) for architecture in ARCHITECTURES)

    assert [deb.name for deb in one.pinned_debs] == [deb.name for deb in other.pinned_debs]
    versions = [[(wheel.name, wheel.version) for wheel in base.server_wheels] for base in (one, other)]
    assert versions[0] == versions[1]


def test_a_base_that_does_not_ship_is_said_by_its_file():
    with pytest.raises(CogError, match=r"base-trixie-python3\.13-riscv64\.json"):
        _ = Base("3.13", "riscv64").pinned_debs


def test_pins_that_ship_are_read_unchecked_and_would_pass_the_check():
    files = sorted(shipped.lockfile("x").parent.glob("*-*.json"))
    for file in files:
        kind = {"base": Deb, "server": Wheel}.get(file.name.partition("-")[0])
        if kind is not None:
            assert _pins(kind, file) == checked.check(tuple[kind, ...], file.read_bytes()), file.name
    assert len(files) > 10


def test_pins_that_were_changed_are_checked_after_all(tmp_path):
    (tmp_path / "base-x.json").write_text('[{"name": "libc6"}]')

    with pytest.raises(CogError, match=r"base-x\.json: 0\."):
        _pins(Deb, tmp_path / "base-x.json")
