"""Commands of maintainer scripts about packages: alternatives, diversions, debconf, ucf, shells."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.alternatives import parse_call
from cog_oci.layers._effects.arguments import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.system import Unseen
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field

__all__ = ["package_commands"]

_DIVERSIONS = "/var/lib/dpkg/diversions"
_SHELLS = "/etc/shells"
_UCF = "/var/lib/ucf"
_CONFMODULE = "/usr/share/debconf/confmodule"
_ASKED = frozenset(
    f"db_{verb}"
    for verb in (
        *("beginblock", "capb", "clear", "endblock", "fset", "go", "info", "input", "metaget", "progress", "purge"),
        *("register", "reset", "settitle", "stop", "subst", "title", "unregister", "version", "x_loadtemplatefile"),
    )
)


def package_commands(system: Unseen) -> Mapping[str, Callable[[Call], Status]]:
    """By name, working on this system."""
    return {
        **dict.fromkeys(_ASKED, _asked),
        ".": _source,
        "add-shell": partial(_add_shell, system),
        "db_get": partial(_db_get, system.package),
        "dpkg-divert": partial(_divert, system),
        "ucf": partial(_ucf, system),
        "ucfr": partial(_ucfr, system),
        "update-alternatives": partial(_alternatives, system),
    }


def _source(call: Call) -> Status:
    """Debconf's own commands are known; any other file has to be read, and is not."""
    if call.words[1:] != [_CONFMODULE]:
        raise call.refuse()
    return True


def _asked(call: Call) -> Status:
    """A question is not asked: its default counts."""
    call.shell.values["RET"] = ""
    return True


def _db_get(package: Package, call: Call) -> Status:
    """The default of a question (debconf-devel(7)); not known when the package works it out by itself."""
    _, _, (name,) = arguments(call, least=1, most=1)
    default: Field = None
    if not re.search(r"\bdb_(set|subst|metaget)\b", package.script("config")):
        for text in package.script("templates").split("\n\n"):
            fields = dict(re.findall(r"^(Template|Default): *(.*)$", text, re.MULTILINE))
            if fields.get("Template") == name:
                default = fields.get("Default", "")
    call.shell.values["RET"] = default
    return None if default is None else True


def _alternatives(system: Unseen, call: Call) -> Status:
    words = [word for word in call.words[1:] if word not in {"--quiet", "--force", "--verbose"}]
    match words[:1]:
        case ["--install"]:
            choice = parse_call(words)
            if None not in words and (choice is None or not choice.path.startswith("/")):
                raise call.refuse()
            system.offer(words)
            return True
        case ["--remove" | "--remove-all"]:
            system.withdraw(words[1] if len(words) > 1 else None, words[2] if len(words) > 2 else None)
            return True
        case ["--auto"]:
            return True
        case ["--list" | "--query" | "--display"]:
            call.write(None)
            return None
    raise call.refuse()


def _divert(system: Unseen, call: Call) -> Status:
    """dpkg-divert(1): a name that no other package of this system has is only recorded."""
    valued = {"p": "package", "d": "divert"}
    flags, values, paths = arguments(call, "", "add remove list truename rename no-rename quiet local", valued, least=1)
    path = paths[-1]
    if "list" in flags:
        call.write("")
        return True
    if "truename" in flags:
        call.write(None if path is None else f"{path}\n")
        return True
    if "remove" in flags:
        return True
    owner = values.get("p") or system.package.name
    own = owner == system.package.name and _ships(system.package, path)  # which stays where it is
    moves = "rename" in flags and not own and system.kind(path, follow=False) != ""
    if len(paths) != 1 or "local" in flags or moves:
        raise call.refuse()
    system.write(_DIVERSIONS, f"{path}\n{values.get('d') or f'{path}.distrib'}\n{owner}\n", append=True)
    return True


def _ships(package: Package, path: Field) -> bool:
    """Whether the package brings this file itself (deb-md5sums(5))."""
    rows = package.script("md5sums").splitlines()
    return path is not None and any(row.partition("  ")[2] == path.lstrip("/") for row in rows)


def _add_shell(system: Unseen, call: Call) -> Status:
    _, _, names = arguments(call, least=1)
    for name in names:
        text = system.read(_SHELLS) if system.kind(_SHELLS) else ""
        if text is not None and name not in text.splitlines():
            system.write(_SHELLS, f"{name}\n", append=True)
    return True


def _ucf(system: Unseen, call: Call) -> Status:
    """ucf(1) on its first run: the file, and the hash by which later versions see what a user has changed."""
    valued = {"s": "sum-file", "d": "debug"}
    _, _, (source, target) = arguments(call, "", "debconf-ok three-way", valued, least=2, most=2)
    if system.kind(target):
        raise call.refuse()
    system.copy(source, target)
    text = system.read(source)
    if text is not None:
        digest = hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
        system.write(f"{_UCF}/hashfile", f"{digest}  {target}\n", append=True)
    return True


def _ucfr(system: Unseen, call: Call) -> Status:
    flags, _, (package, path) = arguments(call, "", "purge force", least=2, most=2)
    if "purge" in flags:
        raise call.refuse()
    system.write(f"{_UCF}/registry", f"{package}\t{path}\n", append=True)
    return True
