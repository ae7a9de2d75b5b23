"""Commands of maintainer scripts about users, groups, and who owns what."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.arguments import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.layers._effects.accounts import Accounts
    from cog_oci.layers._effects.system import Unseen
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field
    from cog_oci.layers._tar import Entry

__all__ = ["account_commands"]

_ADDUSER = {"h": "home", "g": "gecos", "c": "comment", "s": "shell", "u": "uid", "i": "ingroup", "n": "gid"}
_ADDUSER_FLAGS = (
    "system quiet group no-create-home disabled-password disabled-login force-badname allow-badname allow-bad-names"
)
_STATOVERRIDE = "var/lib/dpkg/statoverride"


def account_commands(system: Unseen, accounts: Accounts) -> Mapping[str, Callable[[Call], Status]]:
    """By name, working on this system."""
    return {
        "addgroup": partial(_addgroup, accounts),
        "adduser": partial(_adduser, system, accounts),
        "chgrp": partial(_chown, system, accounts),
        "chown": partial(_chown, system, accounts),
        "dpkg-statoverride": partial(_statoverride, system, accounts),
        "getent": partial(_getent, accounts),
        "groupadd": partial(_groupadd, accounts),
        "id": partial(_id, accounts),
        "install": partial(_install, system, accounts),
        "shadowconfig": partial(_shadowconfig, accounts),
        "systemd-sysusers": partial(_sysusers, accounts),
        "useradd": partial(_useradd, accounts),
    }


def _addgroup(accounts: Accounts, call: Call) -> Status:
    flags, values, (name,) = arguments(call, "", _ADDUSER_FLAGS, {"n": "gid"}, least=1, most=1)
    if "system" not in flags:
        raise call.refuse()
    accounts.add_group(name or "", _number(values.get("n")))
    return True


def _adduser(system: Unseen, accounts: Accounts, call: Call) -> Status:
    """`adduser --system`, and `adduser USER GROUP`, as adduser(8) of Debian 12 and 13 do it."""
    flags, values, names = arguments(call, "", _ADDUSER_FLAGS, _ADDUSER, least=1, most=2)
    if len(names) == 2:
        return _member(system, names[0], names[1])
    if "system" not in flags:
        raise call.refuse()
    name = names[0] or ""
    if accounts.has("passwd", name):
        return True
    uid, gid = _number(values.get("u")), _number(values.get("n"))
    if "group" in flags:
        gid = accounts.add_group(name, gid)
    elif gid is None:
        gid = accounts.group_id(values.get("i") or "nogroup", call)
    home, shell = values.get("h") or "/nonexistent", values.get("s") or "/usr/sbin/nologin"
    comment = values.get("g") or values.get("c") or ""
    uid = accounts.add_user(name, gid, uid, comment=comment, home=home, shell=shell)
    if not flags & {"no-create-home"} and home != "/nonexistent" and not system.kind(home):
        _home(system, home, uid, gid)
    return True


def _home(system: Unseen, path: str, uid: int, gid: int) -> None:
    system.directory(path, 0o755, parents=True)
    system.change(path, lambda entry: replace(entry, uid=uid, gid=gid))


def _member(system: Unseen, user: Field, group: Field) -> Status:
    """Add a user to a group that is there."""
    text = system.read("/etc/group")
    if text is None or user is None or group is None:
        return None
    rows = [row.split(":") for row in text.splitlines()]
    for row in rows:
        if row[0] == group and user not in row[3].split(","):
            row[3] = f"{row[3]},{user}".strip(",")
    system.write("/etc/group", "".join(":".join(row) + "\n" for row in rows))
    return True


def _groupadd(accounts: Accounts, call: Call) -> Status:
    flags, values, (name,) = arguments(call, "rf", "system force", {"g": "gid"}, least=1, most=1)
    if not flags & {"r", "system"} and "g" not in values:
        raise call.refuse()
    accounts.add_group(name or "", _number(values.get("g")), low=False)
    return True


def _useradd(accounts: Accounts, call: Call) -> Status:
    valued = {"d": "home-dir", "c": "comment", "s": "shell", "u": "uid", "g": "gid"}
    flags, values, (name,) = arguments(call, "rMUNl", "system no-create-home", valued, least=1, most=1)
    if not flags & {"r", "system"} or flags & {"N"}:
        raise call.refuse()
    uid = _number(values.get("u"))
    group = values.get("g")
    gid = accounts.add_group(name or "", uid, low=False) if group is None else accounts.group_id(group, call)
    home, shell = values.get("d") or f"/home/{name}", values.get("s") or "/bin/sh"
    accounts.add_user(name or "", gid, uid, comment=values.get("c") or "", home=home, shell=shell, low=False)
    return True


def _getent(accounts: Accounts, call: Call) -> Status:
    _, _, (database, *names) = arguments(call, least=2)
    if database not in {"passwd", "group"} or len(names) != 1:
        raise call.refuse()
    return None if names[0] is None else accounts.has(database, names[0])


def _id(accounts: Accounts, call: Call) -> Status:
    """`id NAME` and `id -u NAME`, asked for whether the name is there; scripts run as root."""
    _, _, names = arguments(call, "ug", "user group", most=1)
    if not names:
        call.write("0\n")
        return True
    call.write(None)
    return None if names[0] is None else accounts.has("passwd", names[0])


def _shadowconfig(accounts: Accounts, call: Call) -> Status:
    if call.words[1:] != ["on"]:
        raise call.refuse()
    accounts.use_shadow()
    return True


def _sysusers(accounts: Accounts, call: Call) -> Status:
    _, _, names = arguments(call, least=1)
    for name in names:
        accounts.sysusers((name or "").rpartition("/")[2])
    return True


def _statoverride(system: Unseen, accounts: Accounts, call: Call) -> Status:
    """dpkg-statoverride(1): what is asked for now is changed and recorded."""
    flags, _, words = arguments(call, "", "list add update force force-all quiet", least=1)
    if "list" in flags:
        recorded = system.read(f"/{_STATOVERRIDE}") if system.kind(f"/{_STATOVERRIDE}") else ""
        known = system.kind("/") and words[0] is not None
        return any(row.endswith(f" {words[0]}") for row in (recorded or "").splitlines()) if known else None
    if "add" not in flags or len(words) != 4:
        raise call.refuse()
    user, group, mode, path = words
    uid, gid = (find(name or "0", call) for find, name in ((accounts.user_id, user), (accounts.group_id, group)))

    def overridden(entry: Entry) -> Entry:
        return replace(entry, uid=uid, gid=gid, mode=int(mode or "0", 8))

    if "update" in flags and system.kind(path):
        system.change(path, overridden)
    system.write(f"/{_STATOVERRIDE}", f"{user} {group} {mode} {path}\n", append=True)
    return True


def _chown(system: Unseen, accounts: Accounts, call: Call) -> Status:
    _, _, (owner, *paths) = arguments(call, "fvh", least=2)
    text = f":{owner}" if call.words[0] == "chgrp" else re.sub(r"\.(?=\w+$)", ":", owner or "")
    user, _, group = text.partition(":")

    def owned(entry: Entry) -> Entry:
        uid = accounts.user_id(user, call) if user else entry.uid
        gid = accounts.group_id(group, call) if group else entry.gid
        return replace(entry, uid=uid, gid=gid)

    for path in paths:
        system.change(path, owned)
    return True


def _install(system: Unseen, accounts: Accounts, call: Call) -> Status:
    flags, values, paths = arguments(call, "dpDv", "directory", {"m": "mode", "o": "owner", "g": "group"}, least=1)
    mode = int(values.get("m") or "755", 8)

    def owned(entry: Entry) -> Entry:
        uid, gid = accounts.user_id(values.get("o") or "0", call), accounts.group_id(values.get("g") or "0", call)
        return replace(entry, mode=mode, uid=uid, gid=gid)

    if "d" in flags or "directory" in flags:
        for path in paths:
            system.directory(path, mode, parents=True)
            system.change(path, owned)
        return True
    if len(paths) != 2 or "D" in flags:
        raise call.refuse()
    system.copy(paths[0], paths[1], mode)
    if "o" in values or "g" in values:
        system.change(paths[1], owned)
    return True


def _number(text: Field) -> int | None:
    return int(text) if text and text.isdigit() else None
