"""Servers, an editor and what else scripts that are told apart bring are, file by file, what dpkg makes of the same debs.

As in test_debs_oracle; what may differ there may differ here, and besides what systemd brings.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from cog_oci.resolver.base import Base
from tests.conftest import need
from tests.layers.test_debs_desktop_oracle import BESIDES
from tests.layers.test_debs_oracle import both

pytestmark = [pytest.mark.network, pytest.mark.oracle, pytest.mark.root]

ASKED = ("cron", "nginx", "pulseaudio", "python3-tk", "redis-server", "screen", "vim")
HERE = {
    r"run/screen": "mmdebstrap empties /run at its end",
    r"usr/share/vim/vim9./doc/(help\.txt|tags)\.vim-tiny": "of vim-tiny, which only apt's set has, under another name",
}


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_servers_are_those_that_dpkg_installs(version, tmp_path):
    need("mmdebstrap", "dpkg-deb", "apt-get")
    if os.geteuid():
        pytest.skip("needs to be root, for owners and chroot")

    try:
        trees = both(Base(version, "amd64"), tmp_path, ASKED)
        differing = {path: (trees.ours.get(path), trees.theirs.get(path)) for path in trees.differing}
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "root"], check=False)

    allowed = "|".join((*BESIDES, *HERE))
    unknown = {path for path in differing if not trees.allows(path) and not re.fullmatch(allowed, path)}
    assert not {path: differing[path] for path in unknown}
    assert all(any(re.fullmatch(row, path) for path in differing) for row in HERE)
    assert b"/usr/share/vim/vim9" in trees.database["var/lib/dpkg/diversions"]
    assert b"redis redis 640 /etc/redis/redis.conf" in trees.database["var/lib/dpkg/statoverride"]
