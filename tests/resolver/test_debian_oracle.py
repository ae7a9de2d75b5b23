"""The closure of real packages is that of `apt-get -s install`, on the archive that this machine's apt uses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.origins import Origins
from cog_oci.resolver.debian import DebianResolver, suites
from cog_oci.store import Store
from tests.conftest import need
from tests.resolver.apt import Apt
from tests.resolver.ml_packages import drawn

pytestmark = [pytest.mark.network, pytest.mark.oracle]

NOW = datetime.now(UTC)
PYTHON = {"bookworm": "python3.11", "trixie": "python3.13"}
SETS = [
    "ca-certificates {python} tini tzdata",
    "build-essential",
    "curl git wget",
    "espeak-ng sox",
    "ffmpeg",
    "graphviz poppler-utils",
    "gstreamer1.0-plugins-bad",
    "imagemagick tesseract-ocr",
    "libgl1 libglib2.0-0",
    "libopenblas0 libsndfile1",
    "libopencv-dev",
    "default-jre",
    "php-xmlrpc",
    "r-cran-rtsne",
]


@pytest.fixture(scope="module", params=[("bookworm", "amd64"), ("trixie", "amd64"), ("trixie", "arm64")], ids="-".join)
def both(request, tmp_path_factory):
    """(release, apt, our resolver) for one release and architecture."""
    need("apt-get")
    release, architecture = request.param
    store = Store(tmp_path_factory.mktemp("store"))
    fetcher = Fetcher(store)
    addresses = Origins(fetcher, NOW).archive
    if any(len(addresses(name)) < 2 for name in ("debian", "debian-security")):
        pytest.skip("needs a Debian mirror in apt's sources")
    sources = [
        f"deb [signed-by={suite.keyring.absolute()}] {addresses(suite.archive)[0]} {suite.suite} main"
        for suite in suites(release)
    ]
    apt = Apt(tmp_path_factory.mktemp("apt"), architecture, sources)
    return release, apt, DebianResolver(fetcher, store, suites(release), architecture, addresses, NOW)


@pytest.mark.parametrize("names", SETS)
def test_the_closure_is_apts(both, names):
    release, apt, resolver = both
    wanted = sorted(names.format(python=PYTHON[release]).split())

    ours = {deb.name: deb.version for deb in resolver.resolve([], wanted).debs}

    assert ours == apt.closure(wanted)


def test_the_closures_of_a_hundred_sets_drawn_from_sixty_packages_are_apts(both):
    release, apt, resolver = both
    sets = drawn(release, 100 if resolver.architecture == "amd64" else 10)

    ours = [{deb.name: deb.version for deb in resolver.resolve([], names).debs} for names in sets]

    theirs = apt.closures(sets)
    assert all(theirs)
    assert {tuple(names): one for names, one, other in zip(sets, ours, theirs, strict=True) if one != other} == {}


def test_what_a_package_recommends_comes_along_as_with_apt(both):
    release, apt, resolver = both
    sets = drawn(release, 12 if resolver.architecture == "amd64" else 2)

    ours = [{deb.name: deb.version for deb in resolver.resolve([], names, recommending=names).debs} for names in sets]

    theirs = apt.closures(sets, "--install-recommends")
    assert sum(map(len, theirs)) > sum(map(len, apt.closures(sets)))
    assert {tuple(names): one for names, one, other in zip(sets, ours, theirs, strict=True) if one != other} == {}


def test_every_deb_of_a_closure_is_in_its_archive_with_its_size(both):
    _, _, resolver = both
    debs = resolver.resolve(["tini"], ["zlib1g"]).debs
    origins = Origins(Fetcher(resolver._store), NOW)

    resolver._fetcher.artifacts(debs, origins.locate)

    assert all(resolver._store.has(deb.digest, deb.size) for deb in debs)
