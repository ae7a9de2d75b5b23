"""The closure of real packages is that of `apt-get -s install`, on the archive that this machine's apt uses."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.origins import Origins
from cog_oci.resolver.debian import DebianResolver, suites
from cog_oci.store import Store
from tests.conftest import need

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


class Apt:
    """apt with folders of its own, an empty dpkg database and no recommendations."""

    def __init__(self, folder: Path, release: str, architecture: str, addresses) -> None:
        for name in (
            "state/lists/partial",
            "cache/archives/partial",
            "etc/preferences.d",
            "etc/trusted.gpg.d",
            "parts",
        ):
            (folder / name).mkdir(parents=True)
        lines = []
        for suite in suites(release):
            uri = addresses(suite.archive)[0]
            lines.append(f"deb [signed-by={suite.keyring.absolute()}] {uri} {suite.suite} main\n")
        (folder / "etc" / "sources.list").write_text("".join(lines))
        settings = {
            "Dir": folder,
            "Dir::State": folder / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": folder / "cache",
            "Dir::Etc": folder / "etc",
            "Dir::Etc::sourcelist": folder / "etc" / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::parts": folder / "parts",
            "Dir::Etc::main": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        }
        self._config = folder / "apt.conf"
        text = "".join(f'{key} "{value}";\n' for key, value in settings.items())
        self._config.write_text(f'{text}APT::Architectures {{ "{architecture}"; }};\n')
        self.run("update", "-o", "APT::Update::Error-Mode=any")

    def run(self, *arguments: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C"}
        return subprocess.run(
            ["apt-get", "-q", *arguments], env=environment, check=True, capture_output=True, text=True
        ).stdout

    def closure(self, names: list[str]) -> dict[str, str]:
        lines = self.run("-s", "-y", "install", *names)
        return {match[1]: match[2] for match in re.finditer(r"^Inst (\S+) \((\S+)", lines, re.MULTILINE)}


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
    apt = Apt(tmp_path_factory.mktemp("apt"), release, architecture, addresses)
    return release, apt, DebianResolver(fetcher, store, suites(release), architecture, addresses, NOW)


@pytest.mark.parametrize("names", SETS)
def test_the_closure_is_apts(both, names):
    release, apt, resolver = both
    wanted = sorted(names.format(python=PYTHON[release]).split())

    ours = {deb.name: deb.version for deb in resolver.resolve([], wanted).debs}

    assert ours == apt.closure(wanted)


def test_every_deb_of_a_closure_is_in_its_archive_with_its_size(both):
    _, _, resolver = both
    debs = resolver.resolve(["tini"], ["zlib1g"]).debs
    origins = Origins(Fetcher(resolver._store), NOW)

    resolver._fetcher.artifacts(debs, origins.locate)

    assert all(resolver._store.has(deb.digest, deb.size) for deb in debs)
