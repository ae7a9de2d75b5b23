"""Users and groups: base-passwd's masters, and what packages add to them, numbered as on a fresh system.

adduser(8) gives the lowest free number from 100, systemd-sysusers(8) the highest below 1000; packages count as
installed by name. No password works: each field has `*` or `!`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Bytes, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._sh.evaluator import Call

__all__ = ["Accounts", "accounts", "group_ids"]

_MASTERS = {"etc/passwd": "usr/share/base-passwd/passwd.master", "etc/group": "usr/share/base-passwd/group.master"}
_SUBORDINATE = ("etc/subuid", "etc/subgid")
_FIRST, _LAST = 100, 999
"""Numbers of system users and groups (Policy 9.2.2)."""
_SHADOW = 42
"""The group shadow."""
_NOLOGIN = "/usr/sbin/nologin"


def accounts(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """/etc/passwd and /etc/group."""
    if "base-passwd" not in packages:
        return
    for target, source in _MASTERS.items():
        if target not in tree:
            yield Entry.file(target, tree.read(source))
    script = packages["base-passwd"].script("postinst")
    for target in _SUBORDINATE:
        if target not in tree and f"/{target}" in script:
            yield Entry.file(target, b"")


def group_ids(tree: Tree, packages: Mapping[str, Package]) -> dict[str, int]:
    """Group names to numbers, of the groups that base-passwd brings (group(5))."""
    if "base-passwd" not in packages:
        return {}
    rows = (row.split(":") for row in tree.read(_MASTERS["etc/group"]).decode().splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 2}


@dataclass
class Accounts:
    """The users and groups of a tree; None is that of no system, where every name exists and nothing is kept."""

    tree: Tree | None
    changed: dict[str, Entry] = field(default_factory=dict)

    def has(self, database: str, name: str) -> bool | None:
        """Whether `passwd` or `group` has the name; None when that is not known."""
        return None if self.tree is None else name in self._ids(database)

    def user_id(self, name: str, call: Call) -> int:
        """The number of a user, by name or number; for one that is not there the call is not computed."""
        return self._id("passwd", name, call)

    def group_id(self, name: str, call: Call) -> int:
        """The number of a group, likewise."""
        return self._id("group", name, call)

    def add_group(self, name: str, number: int | None = None, *, locked: str = "!", low: bool = True) -> int:
        """A group, unless it is there; `locked` is its password in the shadow file."""
        if self.tree is None:
            return 0
        known = self._ids("group")
        if name not in known:
            # A user of systemd-sysusers has the number of its group.
            taken = {*known.values(), *(() if low else self._ids("passwd").values())}
            number = _free(taken, low=low) if number is None else number
            self._append("etc/group", f"{name}:x:{number}:")
            self._append("etc/gshadow", f"{name}:{locked}::")
        return self._ids("group")[name]

    def add_user(  # noqa: PLR0913 - the fields of passwd(5)
        self,
        name: str,
        group: int,
        number: int | None = None,
        *,
        comment: str = "",
        home: str = "/nonexistent",
        shell: str = _NOLOGIN,
        shadow: str = "!:::::::",
        low: bool = True,
    ) -> int:
        """A user, unless it is there; `shadow` are the fields of shadow(5) behind the name."""
        if self.tree is None:
            return 0
        known = self._ids("passwd")
        if name not in known:
            number = _free({*known.values()}, low=low) if number is None else number
            self._append("etc/passwd", f"{name}:x:{number}:{group}:{comment}:{home}:{shell}")
            self._append("etc/shadow", f"{name}:{shadow}")
        return self._ids("passwd")[name]

    def use_shadow(self) -> None:
        """What shadowconfig(8) does: passwords of passwd and group in files that only root reads."""
        if self.tree is None or "etc/shadow" in self.tree:
            return
        for name, rest in (("passwd", "0:99999:7:::"), ("group", "")):
            rows = [row.split(":") for row in self._text(f"etc/{name}").splitlines()]
            hidden = f"etc/{'shadow' if name == 'passwd' else 'gshadow'}"
            text = "".join(f"{row[0]}:{row[1]}::{rest if name == 'passwd' else row[3]}\n" for row in rows)
            self._put(Entry(path=hidden, mode=0o640, gid=_SHADOW, content=Bytes(text.encode())))
            plain = "".join(":".join([row[0], "x", *row[2:]]) + "\n" for row in rows)
            self._put(Entry.file(f"etc/{name}", plain))

    def sysusers(self, name: str) -> None:
        """What systemd-sysusers(8) makes of one of its files, without what it has no use for in an image: limits."""
        if self.tree is None:
            return
        folders = ("etc/sysusers.d", "run/sysusers.d", "usr/lib/sysusers.d")
        path = next((f"{folder}/{name}" for folder in folders if f"{folder}/{name}" in self.tree), None)
        for row in self._text(path).splitlines() if path else ():
            words = shlex.split(row, comments=True)
            if words and words[0].rstrip("!") in {"u", "g"}:
                self._declared(words[0], [*words[1:], "-", "-", "-", "-", "-"])

    def _declared(self, kind: str, words: list[str]) -> None:
        name, number, comment, home, shell = (None if word == "-" else word for word in words[:5])
        if name is None:
            return
        user, _, group = (number or "").partition(":")
        wanted = int(group or user) if (group or user).isdigit() else None
        if kind[0] == "g":
            self.add_group(name, wanted, locked="!*", low=False)
            return
        if group:
            gid = self._ids("group").get(group, 0) if wanted is None else wanted
        else:
            gid = self.add_group(name, wanted, locked="!*", low=False)
        uid = int(user) if user.isdigit() else gid
        fields = "!*:0:::::1:" if kind.endswith("!") else "!*:0::::::"
        self.add_user(name, gid, uid, comment=comment or "", home=home or "/", shell=shell or _NOLOGIN, shadow=fields)

    def _ids(self, database: str) -> dict[str, int]:
        rows = (row.split(":") for row in self._text(f"etc/{database}").splitlines())
        return {row[0]: int(row[2]) for row in rows if len(row) > 2}

    def _id(self, database: str, name: str, call: Call) -> int:
        if name.isdigit() or self.tree is None:
            return int(name) if name.isdigit() else 0
        known = self._ids(database)
        if name not in known:
            raise call.refuse()
        return known[name]

    def _text(self, path: str) -> str:
        return self.tree.read(path).decode() if self.tree is not None and path in self.tree else ""

    def _append(self, path: str, row: str) -> None:
        """A line more; a shadow file that is not there is none that is used."""
        entry = None if self.tree is None else self.tree.at(path)
        if entry is not None:
            self._put(replace(entry, content=Bytes((self._text(path) + row + "\n").encode())))

    def _put(self, entry: Entry) -> None:
        if self.tree is not None:
            self.tree.add([entry])
            self.changed[entry.path] = entry


def _free(taken: set[int], *, low: bool) -> int:
    numbers = range(_FIRST, _LAST + 1)
    return next(number for number in (numbers if low else reversed(numbers)) if number not in taken)
