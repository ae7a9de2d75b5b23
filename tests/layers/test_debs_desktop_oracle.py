"""GTK and what comes with it are, file by file, what dpkg makes of the same debs: settings, modules, icons, loaders.

As in test_debs_oracle; what may differ there may differ here, and besides what systemd brings, which GTK depends on by way
of the service that keeps its settings.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from cog_oci.resolver.base import Base
from tests.conftest import need
from tests.layers.test_debs_oracle import both

pytestmark = [pytest.mark.network, pytest.mark.oracle, pytest.mark.root]

ASKED = (
    *("dconf-gsettings-backend", "gsettings-desktop-schemas", "glib-networking", "librsvg2-common"),
    *("hicolor-icon-theme", "adwaita-icon-theme"),
)
OF_A_SUITE = {"bookworm": ("libglib2.0-0", "libgtk-3-0"), "trixie": ("libglib2.0-0t64", "libgtk-3-0t64")}
BESIDES = {
    r"run/lock/subsys|var/(cache|lib|log)/private|var/log/(README|journal)": "systemd's, for when a machine starts",
    r"etc/(mtab|vconsole\.conf|default/locale|credstore(\.encrypted)?)|root/\.ssh": "systemd's, for when a machine starts",
}
COMPUTED = (
    r"usr/share/glib-2\.0/schemas/gschemas\.compiled",
    r"usr/lib/x86_64-linux-gnu/gio/modules/giomodule\.cache",
    r"usr/lib/x86_64-linux-gnu/gdk-pixbuf-2\.0/2\.10\.0/loaders\.cache",
    r"usr/lib/x86_64-linux-gnu/gtk-3\.0/3\.0\.0/immodules\.cache",
    r"usr/share/icons/Adwaita/icon-theme\.cache",
)


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_toolkit_of_desktops_is_the_one_that_dpkg_installs(version, tmp_path):
    need("mmdebstrap", "dpkg-deb", "apt-get")
    if os.geteuid():
        pytest.skip("needs to be root, for owners and chroot")
    base = Base(version, "amd64")

    try:
        trees = both(base, tmp_path, (*ASKED, *OF_A_SUITE[base.suite]))
        differing = {path: (trees.ours.get(path), trees.theirs.get(path)) for path in trees.differing}
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "root"], check=False)

    unknown = {path for path in differing if not trees.allows(path) and not re.fullmatch("|".join(BESIDES), path)}
    assert not {path: differing[path] for path in unknown}
    assert all(any(re.fullmatch(row, path) for path in differing) for row in BESIDES)
    same = trees.ours.keys() & trees.theirs.keys() - differing.keys()
    assert all(any(re.fullmatch(path, one) for one in same) for path in COMPUTED)
