"""Commands of maintainer scripts that look at files or make them (POSIX.1-2017, XCU 4; GNU coreutils' long options)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.arguments import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.layers._effects.system import Unseen
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field

__all__ = ["file_commands"]

_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxst]*)")
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777, "": 0o7777}


def file_commands(system: Unseen) -> Mapping[str, Callable[[Call], Status]]:
    """By name, working on this system."""
    return {
        "cat": partial(_cat, system),
        "chmod": partial(_chmod, system),
        "cmp": partial(_cmp, system),
        "cp": partial(_cp, system),
        "ln": partial(_ln, system),
        "ls": partial(_ls, system),
        "mkdir": partial(_mkdir, system),
        "mv": partial(_rm, system),
        "readlink": partial(_readlink, system),
        "rm": partial(_rm, system),
        "rmdir": partial(_rm, system),
        "touch": partial(_touch, system),
        "umask": partial(_umask, system),
    }


def _cat(system: Unseen, call: Call) -> Status:
    _, _, paths = arguments(call)
    for path in paths or ["-"]:
        call.write(call.stdin if path == "-" else system.read(path))
    return True


def _chmod(system: Unseen, call: Call) -> Status:
    _, _, (mode, *paths) = arguments(call, "fv", least=2)
    for path in paths:
        system.change(path, lambda entry: replace(entry, mode=_mode(entry.mode, mode, call)))
    return True


def _mode(before: int, text: Field, call: Call) -> int:
    """A mode changed by an octal number or by clauses like `u+s,go-w`."""
    if re.fullmatch(r"0*[0-7]{1,4}", text or ""):
        return int(text or "", 8)
    for clause in (text or "").split(","):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise call.refuse()
        who = 0
        for letter in found[1] or "a":
            who |= _WHO[letter]
        bits = sum(_BITS[letter] for letter in set(found[3])) & who
        before = {"+": before | bits, "-": before & ~bits, "=": (before & ~who) | bits}[found[2]]
    return before


def _cmp(system: Unseen, call: Call) -> Status:
    _, _, (one, other) = arguments(call, "s", "silent quiet", least=2, most=2)
    texts = system.read(one), system.read(other)
    return None if None in texts else texts[0] == texts[1]


def _cp(system: Unseen, call: Call) -> Status:
    _, _, (*sources, target) = arguments(call, "pfvnZ", "preserve force", least=2)
    for source in sources:
        system.copy(source, target)
    return True


def _ln(system: Unseen, call: Call) -> Status:
    flags, _, paths = arguments(call, "sfnvTr", "symbolic force no-dereference relative", least=2)
    if not flags & {"s", "symbolic"} or len(paths) != 2:
        raise call.refuse()
    target, path = paths
    if flags & {"r", "relative"} and target is not None and path is not None:
        target = posixpath.relpath(target, posixpath.dirname(path))
    if not flags & {"f", "force"} and system.kind(path, follow=False) in {"file", "symlink"}:
        return False
    system.link(target, path, inside=not flags & {"n", "T", "no-dereference"})
    return True


def _ls(system: Unseen, call: Call) -> Status:
    """Whether the path is there; what is printed about it is not known."""
    _, _, (path,) = arguments(call, "Lld1a", least=1, most=1)
    call.write(None)
    kind = system.kind(path)
    return None if kind is None else bool(kind)


def _mkdir(system: Unseen, call: Call) -> Status:
    flags, values, paths = arguments(call, "pv", "parents verbose", {"m": "mode"}, least=1)
    for path in paths:
        if not path and path is not None:
            raise call.refuse()
        system.directory(
            path, int(values.get("m") or "0", 8) or 0o777 & ~system.mask, parents=bool(flags & {"p", "parents"})
        )
    return True


def _readlink(system: Unseen, call: Call) -> Status:
    flags, _, (path,) = arguments(call, "fe", least=1, most=1)
    call.write(_line(system.resolve(path) if flags else system.target(path)))
    return True


def _line(text: Field) -> Field:
    return None if text is None else text + "\n"


def _rm(system: Unseen, call: Call) -> Status:
    """Nothing that a package brings is ever removed, and nothing moved: such a call is not computed."""
    flags, _, paths = arguments(call, "frRvnTd", "force recursive ignore-fail-on-non-empty verbose no-clobber", least=1)
    paths = paths[:-1] if call.words[0] == "mv" else paths
    there = [path for path in paths if system.kind(path, follow=False)]
    if there and (call.words[0] == "mv" or not all(system.remove(path) for path in there)):
        raise call.refuse()
    return bool(there or flags & {"f", "force"})


def _touch(system: Unseen, call: Call) -> Status:
    _, _, paths = arguments(call, "c", least=1)
    for path in paths:
        if not system.kind(path):
            system.write(path, "")
    return True


def _umask(system: Unseen, call: Call) -> Status:
    _, _, (mask,) = arguments(call, least=1, most=1)
    if not re.fullmatch(r"[0-7]{1,4}", mask or ""):
        raise call.refuse()
    system.mask = int(mask or "", 8)
    return True
