"""Maintainer scripts that a person has read: those that are not evaluated, and what is evaluated in their place."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["instead", "reason"]

_OLDER = "works on what older versions left"
_READ: dict[tuple[str, str], str] = {
    ("base-files", "postinst"): "computed: directories, links, defaults, logs",
    ("base-passwd", "postinst"): "computed: passwd and group",
    ("ca-certificates", "postinst"): "computed: configuration, bundle and links",
    ("ca-certificates-java", "postinst"): "computed: the keystore",
    ("dash", "postinst"): "takes /bin/sh over from older versions; the package brings the link itself",
    ("dpkg", "postinst"): "warns about merged /usr elsewhere, and repairs databases of older versions",
    ("fontconfig", "postinst"): "fills a cache that the library fills on its first use",
    ("fontconfig-config", "(preinst|postinst)"): "computed: the links that its questions choose by default",
    ("hicolor-icon-theme", "postinst"): "computed: the index of icons",
    ("libc6", "preinst"): "checks the kernel and asks about upgrades",
    ("libc6", "postinst"): "restarts services after upgrades",
    ("libgdk-pixbuf-2.0-0", "postinst"): "computed: loaders",
    ("libglib2.0-0(t64)?", "postinst"): "computed: schemas and modules",
    ("libgstreamer1.0-0", "postinst"): "lets a program set the clock of a network, which no image does",
    ("libgtk-3-0(t64)?", "postinst"): "computed: ways to type",
    ("libgvc6", "postinst"): "computed: plugins",
    ("libpam-runtime", "postinst"): "computed: modules by their profiles",
    ("locales", "postinst"): "computed: locale.gen, with none chosen",
    ("login.defs", "postinst"): _OLDER,
    (r"postgresql-client-\d+", "postinst"): "offers manual pages, which are left out",
    (r"python3\.\d+", "postinst"): "compiles modules, which Python does without when it must",
    (r"python3\.\d+-minimal", "postinst"): "computed: dist-packages; compiles modules",
    ("tzdata", "postinst"): "computed: UTC",
    ("usrmerge", "postinst"): "merges /usr, as every image's is",
}
"""What they do on a fresh system, by patterns of the package and the script."""

_INSTEAD: dict[tuple[str, str], str] = {
    # What `git lfs install --system` writes, in an order of its own each time.
    ("git-lfs", "postinst"): """
cat >> /etc/gitconfig <<'EOF'
[filter "lfs"]
	required = true
	clean = git-lfs clean -- %f
	smudge = git-lfs smudge -- %f
	process = git-lfs filter-process
EOF
""",
    # The rest is for other flavours of the package, and written in bash.
    ("libhdf5-dev", "postinst"): """
update-alternatives --install /usr/lib/$DEB_HOST_MULTIARCH/pkgconfig/hdf5.pc hdf5.pc \\
    /usr/lib/$DEB_HOST_MULTIARCH/pkgconfig/hdf5-serial.pc 20
""",
    # Its question's answer where no locale says another.
    ("libpaper1", "postinst"): """
echo a4 > /etc/papersize.dpkg-inst
ucf --debconf-ok /etc/papersize.dpkg-inst /etc/papersize
rm -f /etc/papersize.dpkg-inst
""",
    # By way of a script of mysql-common.
    ("mariadb-common", "postinst"): """
update-alternatives --install /etc/mysql/my.cnf my.cnf /etc/mysql/mariadb.cnf 200
""",
    # The group is there before, from base-passwd.
    ("passwd", "postinst"): "shadowconfig on",
    ("poppler-data", "postinst"): "if command -v update-gsfontmap; then update-gsfontmap; fi",
    # The rest compiles modules.
    ("python3", "postinst"): """
[ -d /etc/python3 ] || mkdir /etc/python3
[ -f /etc/python3/debian_config ] || cat > /etc/python3/debian_config <<'EOF'
[DEFAULT]
# how to byte-compile (comma separated: standard, optimize)
byte-compile = standard
EOF
""",
    ("ucf", "preinst"): ":",
}
"""Scripts with the same effect on a fresh system, in the part of the language that is evaluated."""


@cache
def reason(package: str, script: str) -> str | None:
    """Why a script is not evaluated; None for one that is."""
    return _find(_READ, package, script)


@cache
def instead(package: str, script: str) -> str | None:
    """The script to evaluate in place of the package's own."""
    return _find(_INSTEAD, package, script)


def _find(table: dict[tuple[str, str], str], package: str, script: str) -> str | None:
    for (packages, scripts), found in table.items():
        if re.fullmatch(packages, package) and re.fullmatch(scripts, script):
            return found
    return None
