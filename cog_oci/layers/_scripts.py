"""Maintainer scripts, judged: those whose effect on a fresh system is computed or nothing, and all others.

A script is known when every line of it is in a small grammar of things that do nothing on a fresh install or are
interpreted (`update-alternatives --install`), debhelper's own snippets apart; or when its package is in a table, where
a person has read it, with what it does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.errors import RequestError
from cog_oci.layers._effects.alternatives import parse_call
from cog_oci.layers._effects.shell import logical_lines

if TYPE_CHECKING:
    from cog_oci.layers._deb import Package

__all__ = ["UnknownScriptError", "check"]

_SHOWN = 12
_READ: dict[tuple[str, str], str] = {
    ("base-files", "preinst"): "refuses systems without merged /usr; diverts names that only that transition uses",
    ("base-files", "postinst"): "computed: directories, links, defaults, logs",
    ("base-passwd", "preinst"): "computed: passwd and group",
    ("base-passwd", "postinst"): "computed: passwd and group",
    ("bash", "postinst"): "its alternative is interpreted; makes /bin/sh only when dash has not",
    ("binutils", "preinst"): "moves configuration of older versions",
    ("ca-certificates", "postinst"): "computed: configuration, bundle and links",
    ("comerr-dev", "preinst"): "moves documentation of older versions",
    ("coreutils", "postinst"): "a link at /usr/bin/touch, which merged /usr has already",
    ("dash", "preinst"): "asks about diversions of older versions",
    ("dash", "postinst"): "takes /bin/sh over from diversions of older versions; the package brings the link itself",
    ("debconf", "postinst"): "loads debconf into itself; there is no older database to convert",
    ("debianutils", "postinst"): "computed: shells; its alternative is interpreted",
    ("dpkg", "postinst"): "warns about merged /usr elsewhere, and repairs databases of older versions",
    ("fontconfig", "postinst"): "fills a cache that the library fills on its first use",
    ("fontconfig-config", "preinst"): "moves configuration of older versions",
    ("fontconfig-config", "postinst"): "computed: the links that its questions choose by default",
    ("gcc", "postinst"): "its alternatives are interpreted; removes one of older versions",
    ("git", "preinst"): "moves repositories of older versions",
    ("gzip", "preinst"): "works on diversions of zutils",
    ("gzip", "postinst"): "works on diversions of zutils",
    ("libasound2-dev", "preinst"): "removes documentation of older versions",
    ("libc-bin", "postinst"): "computed: nsswitch.conf and ld.so.cache",
    ("libc6", "preinst"): "checks the kernel and asks about upgrades",
    ("libc6", "postinst"): "restarts services after upgrades",
    ("libgcrypt20", "postinst"): "removes libraries of older systems",
    ("libgdk-pixbuf-2.0-0", "postinst"): "lists loaders; those for PNG and JPEG are in the library",
    ("libglib2.0-0", "postinst"): "compiles schemas, which desktop settings need; modules are found without a list",
    ("libglib2.0-0t64", "preinst"): "repairs upgrades from libglib2.0-0",
    ("libglib2.0-0t64", "postinst"): "compiles schemas, which desktop settings need; modules are found without a list",
    ("libgssapi-krb5-2", "postinst"): "moves configuration of older versions",
    ("libgtk-3-0t64", "preinst"): "repairs upgrades from libgtk-3-0",
    ("libpython3.11-minimal", "postinst"): "says nothing into a pipe; its sitecustomize.py comes with the package",
    ("libpython3.13-minimal", "postinst"): "says nothing into a pipe; its sitecustomize.py comes with the package",
    ("libreadline8t64", "preinst"): "diverts names that only the transition to merged /usr uses",
    ("libselinux1", "postinst"): "removes caches of older versions; tmpfiles are systemd's",
    ("libsensors5", "preinst"): "moves configuration of older versions",
    ("netbase", "postinst"): "computed: hosts and networks",
    ("openssl", "postinst"): "a link at /usr/lib/ssl, which the package brings as a directory",
    ("perl", "postinst"): "removes an alternative of older versions",
    ("perl-base", "postinst"): "works on upgrades",
    ("pkg-config", "preinst"): "removes links of older versions",
    ("pkgconf", "preinst"): "removes links and diversions of older versions",
    ("pkgconf-bin", "postinst"): "an empty folder, which pkg-config does without",
    ("python3.11", "postinst"): "compiles modules, which Python does without when it must",
    ("python3.13", "postinst"): "compiles modules, which Python does without when it must",
    ("python3.11-minimal", "preinst"): "marks the version for scripts of packages that are installed later",
    ("python3.13-minimal", "preinst"): "marks the version for scripts of packages that are installed later",
    ("python3.11-minimal", "postinst"): "computed: dist-packages; compiles modules",
    ("python3.13-minimal", "postinst"): "computed: dist-packages; compiles modules",
    ("readline-common", "postinst"): "computed: inputrc",
    ("shared-mime-info", "postinst"): "fills a database that desktops look types up in by file name",
    ("tzdata", "postinst"): "computed: UTC",
    ("unzip", "postinst"): "tells a mail reader's configuration what it can open",
    ("vim-common", "postinst"): "fills a cache of icons",
    ("x11-common", "preinst"): "makes the script of an older version executable",
    ("x11-common", "postinst"): "registers a service, which no container starts",
}
"""Scripts that were read, and what they do on a fresh system."""

_HARMLESS_SNIPPETS = frozenset(
    (
        "dh_installdeb",  # moves configuration of older versions
        "dh_installinit",  # services are not started in an image
        "dh_installmenu",
        "dh_installsystemd",
        "dh_installsystemduser",
        "dh_makeshlibs",  # ldconfig, computed
        "dh_pypy",
        "dh_python3",  # bytecode, which Python does without
        "dh_usrlocal",  # empty folders
    )
)
_SNIPPET = re.compile(
    r"^# Automatically added by (\w+)[^\n]*\n(.*?)^# End automatically added section[^\n]*$", re.DOTALL | re.MULTILINE
)
_TEST = r"(?:\[\ [^`;&|()]*\]|test\ [^`;&|()]*|dpkg\ --compare-versions\ [^`;&|()]*)"
_ARGUMENT = r"(?:\*|(?:abort-|failed-)?(?:install|configure|upgrade|remove|deconfigure)|triggered|reconfigure)"
"""What dpkg calls scripts with (Policy 6.5), as patterns of `case "$1"`."""
_HARMLESS_LINES = re.compile(
    rf"""
    set\ -e | :|true | exit\ [01] | fi|else|then|esac|;; | \#DEBHELPER\#
    | (?:el)?if\ {_TEST}(?:\s*(?:&&|\|\|)\s*{_TEST})*\s*(?:;\s*then)?
    | case\ "?\$1"?\ in
    | \(?{_ARGUMENT}(?:\ ?\|\ ?{_ARGUMENT})*\)(?:\s*(?::\s*)?;;)?
    | dpkg-maintscript-helper\ [^;&|`]*
    | update-alternatives\ --remove\ [^;&|`$]*
    | echo\ "(?:[^`$"\\]|\\.|\$[1@*])*"\ >\ ?&2
    """,
    re.VERBOSE,
)


class UnknownScriptError(RequestError):
    """A package whose script does something that is not computed."""

    def __init__(self, package: str, script: str, text: str) -> None:
        self.package, self.script, self.text = package, script, text
        lines = logical_lines(text)
        shown = "\n".join(f"    {line}" for line in lines[:_SHOWN])
        more = f"\n    … and {len(lines) - _SHOWN} lines more" if len(lines) > _SHOWN else ""
        super().__init__(
            f"the {script} script of {package} does what cog-oci cannot do without running it:\n{shown}{more}",
            asked=package,
            hint=f"leave {package} out of build.system_packages, or use a package without such a script in its place",
        )


def check(package: Package) -> None:
    """Raise UnknownScriptError when the package's preinst or postinst is not known.

    Its `config` script only asks questions, whose defaults count; `triggers` are the business of interested packages.
    """
    for name in ("preinst", "postinst"):
        text = package.script(name)
        if text and (package.name, name) not in _READ and not _is_harmless(text):
            raise UnknownScriptError(package.name, name, text)


def _is_harmless(text: str) -> bool:
    rest = _SNIPPET.sub(lambda found: "" if found[1] in _HARMLESS_SNIPPETS else found[0], text)
    return all(_HARMLESS_LINES.fullmatch(line) or parse_call(line) for line in logical_lines(rest))
