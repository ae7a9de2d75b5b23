"""Runs in new namespaces, and is never imported: enters a root and becomes a program there, as a user of the image.

Arguments: the root, the working folder in it, the user as an image's configuration has it (`user[:group]`, names or
numbers; OCI config.md), the environment as NAME=VALUE, `--`, and the program. The names are those of the root's own
/etc/passwd and /etc/group; a user whose name is looked up has all groups, as with docker. Where the environment has no
HOME, it is the user's.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings  # noqa: F401 - os imports it when it looks for a program, and the host's files are gone by then

_NO_ID, _DIGITS = 0xFFFFFFFF, 10
_IDS = "this user has no other ids here; with uidmap installed, and a range in /etc/subuid and /etc/subgid, it would"


class User:
    """Who it is, by the files of the root that this process has entered."""

    def __init__(self, text: str) -> None:
        user, _, group = text.partition(":")
        row = self._row(user)
        self.uid = int(row[2]) if row else self._number(user, "passwd")
        self.home = row[5] if row and row[5] else "/"
        groups = list(_rows("/etc/group", 4))
        if group:
            named = [int(one[2]) for one in groups if one[0] == group]
            self.gid = named[0] if named else self._number(group, "group")
            self.groups: list[int] = []
        else:
            self.gid = int(row[3]) if row else 0
            self.groups = [int(one[2]) for one in groups if row and row[0] in one[3].split(",")]

    def _row(self, user: str) -> list[str] | None:
        rows = [row for row in _rows("/etc/passwd", 7) if _is_id(row[3])]
        by_name = [row for row in rows if row[0] == user]
        by_number = [row for row in rows if row[2] == user]
        return next(iter(by_name + by_number), None)

    def _number(self, text: str, file: str) -> int:
        if not _is_id(text):
            sys.exit(f"the image is to run as {text}, who is not in its /etc/{file}")
        return int(text)

    def become(self) -> None:
        """From here on, this process is theirs."""
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


def _rows(path: str, fields: int) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - as in _user_namespace
            rows = [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []
    return [row for row in rows if len(row) == fields and _is_id(row[2])]


def _is_id(text: str) -> bool:
    """Whether it is one that a process can have; the largest number stands for none (setresuid(2))."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) < _NO_ID


def _has(kind: str, number: int) -> bool:
    """Whether the namespace has this id (user_namespaces(7))."""
    with open(f"/proc/self/{kind}_map", encoding="utf-8") as file:  # noqa: PTH123 - likewise
        spans = [tuple(map(int, line.split())) for line in file]
    return any(first <= number < first + count for first, _, count in spans)


def main(root: str, folder: str, who: str, *words: str) -> None:
    """Enter, and become the user and the program. Ends with a sentence where that cannot be."""
    at = words.index("--")
    environment, command = dict(word.split("=", 1) for word in words[:at]), words[at + 1 :]
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by all that it becomes
        signal.signal(ignored, signal.SIG_DFL)
    os.chroot(root)
    os.chdir("/")
    user = User(who)
    home = user.home
    if _has("uid", user.uid) and all(_has("gid", one) for one in (user.gid, *user.groups)):
        user.become()
    else:
        sys.stderr.write(f"note: the image is to run as {who}, and runs as its root: {_IDS}\n")
        sys.stderr.flush()
        home = "/root"
    try:
        os.chdir(folder)
        os.execvpe(command[0], command, {"HOME": home, **environment})  # noqa: S606 - the program is what the caller says
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started in {folder} as {who}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
