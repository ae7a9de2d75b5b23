"""Runs in the namespaces of a step, by the host's Python, and is never imported: what the step changed, as a tar.

Arguments: the upper folder of the overlay, the root as it was, a list of what was mounted (as the sandbox's `_places`
has it), and the path of the result. Beside that is what is asked for (`.asked`, JSON): `left_out` is a regular
expression for paths that are left out, with all below them, `files_left_out` one for files. What no layer can hold is
listed instead (`.refused`, JSON). `.begun` says that this program was started.

The tar has what differs from the root as it was, in the order of paths, and OCI's whiteouts for what is gone; a hard
link names the first path of its file. Extended attributes are PAX records.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import stat
import sys
import tarfile

_ATTRIBUTES = re.compile(r"security\.capability|user\.(?!overlay\.)")
_IGNORED = re.compile(r"user\.overlay\.|security\.(?!capability)|trusted\.|system\.(?!posix_acl)")
_ACL = "system.posix_acl_"


class Capture:
    """One walk of an upper folder: `members` are what differs, each with the file it is and which inode that is."""

    def __init__(self, upper: str, below: str, mounts: list[str], left_out: str, files_left_out: str) -> None:
        self._upper, self._below = upper, below
        self._mounts = frozenset(mounts)
        self._left_out, self._files_left_out = re.compile(left_out), re.compile(files_left_out)
        self.refused: list[tuple[str, str]] = []
        self.members: list[tuple[str, tuple[int, int] | None, tarfile.TarInfo]] = []
        self._gone_already: set[str] = set()

    def folder(self, path: str, *, opaque: bool = False) -> bool:
        """Everything below this path; whether there was anything. In an opaque folder nothing lies below."""
        here, before = _join(self._upper, path), _join(self._below, path)
        opaque = opaque or _is_opaque(here)
        names = sorted(os.listdir(here), key=os.fsencode)
        found = [self._one(_join(path, name), opaque=opaque) for name in names]
        if opaque and os.path.isdir(before) and not os.path.islink(before):
            found += [self._gone(_join(path, name)) for name in sorted(set(os.listdir(before)) - set(names))]
        return any(found)

    def _one(self, path: str, *, opaque: bool) -> bool:
        if path in self._mounts or self._left_out.fullmatch(path):
            return False
        here, before = _join(self._upper, path), _join(self._below, path)
        if os.path.basename(path).startswith(".wh."):
            self.refused.append((path, "a file whose name says in a layer that another one is gone"))
            return True
        status = os.lstat(here)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            return self._gone(path)
        if stat.S_ISDIR(status.st_mode):
            inside = self.folder(path, opaque=opaque)
            if os.path.lexists(before):
                changed = not self._same(here, before, status)
            else:
                changed = not any(mount.startswith(f"{path}/") for mount in self._mounts)
            # A folder that has changed things in it is there with its mode, which a tar would not know otherwise.
            if inside or changed:
                self._add(path, here, status)
            return inside or changed
        if stat.S_ISSOCK(status.st_mode) or self._same(here, before, status) or _is_stale_bytecode(here):
            return False
        if stat.S_ISREG(status.st_mode) and self._files_left_out.fullmatch(path):
            return False
        if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            self._add(path, here, status)
            self._bytecode_gone(path)
        else:
            kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFBLK: "a block device", stat.S_IFCHR: "a character device"}
            self.refused.append((path, kinds.get(stat.S_IFMT(status.st_mode), "a file of unknown kind")))
        return True

    def _add(self, path: str, here: str, status: os.stat_result) -> None:
        info = tarfile.TarInfo(path)
        info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
        info.pax_headers = self._attributes(path, here)
        if stat.S_ISDIR(status.st_mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(here)
        else:
            info.size = status.st_size
        linked = info.isreg() and status.st_nlink > 1
        self.members.append((here, (status.st_dev, status.st_ino) if linked else None, info))

    def _gone(self, path: str) -> bool:
        if path in self._gone_already or self._left_out.fullmatch(path):
            return False
        if not os.path.lexists(_join(self._below, path)):
            return False
        self._gone_already.add(path)
        folder, _, name = path.rpartition("/")
        whiteout = tarfile.TarInfo(_join(folder, f".wh.{name}"))
        whiteout.mode = 0o644
        self.members.append(("", None, whiteout))
        self._bytecode_gone(path)
        return True

    def _bytecode_gone(self, path: str) -> None:
        """Bytecode of a module that has changed, as the root below has it: it may be of the kind that nobody checks."""
        folder, _, name = path.rpartition("/")
        cache = _join(folder, "__pycache__")
        if not name.endswith(".py") or not os.path.isdir(before := _join(self._below, cache)):
            return
        stem = name.removesuffix(".py") + "."
        for one in os.listdir(before):
            here = _join(self._upper, f"{cache}/{one}")
            kept = os.path.isfile(here) and not _is_stale_bytecode(here)
            if one.startswith(stem) and one.endswith(".pyc") and not kept:
                self._gone(f"{cache}/{one}")

    def write(self, result: str) -> None:
        """The tar, sorted by path, the first of several names of a file being the file."""
        names: dict[tuple[int, int], str] = {}
        with tarfile.open(result, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
            for here, inode, info in sorted(self.members, key=lambda member: os.fsencode(member[2].name)):
                if inode in names:
                    info.type, info.linkname, info.size = tarfile.LNKTYPE, names[inode], 0
                if not info.isreg() or not here:
                    archive.addfile(info)
                    continue
                if inode is not None:
                    names[inode] = info.name
                with open(here, "rb") as content:
                    archive.addfile(info, content)

    def _attributes(self, path: str, here: str) -> dict[str, str]:
        found = {}
        for name in sorted(os.listxattr(here, follow_symlinks=False)):
            if name.startswith(_ACL):
                self.refused.append((path, "a file with an access control list"))
            elif _ATTRIBUTES.match(name):
                value = os.getxattr(here, name, follow_symlinks=False)
                found[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
            elif not _IGNORED.match(name):
                self.refused.append((path, f"a file with the extended attribute {name}"))
        return found

    def _same(self, here: str, before: str, status: os.stat_result) -> bool:
        try:
            old = os.lstat(before)
        except OSError:
            return False
        if (old.st_mode, old.st_uid, old.st_gid) != (status.st_mode, status.st_uid, status.st_gid):
            return False
        if _kept_attributes(here) != _kept_attributes(before):
            return False
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(here) == os.readlink(before)
        return stat.S_ISDIR(status.st_mode) or (
            stat.S_ISREG(status.st_mode) and old.st_size == status.st_size and filecmp.cmp(here, before, shallow=False)
        )


def _kept_attributes(path: str) -> list[tuple[str, bytes]]:
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if not _IGNORED.match(name))
    return [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, "user.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder and path else folder or path


def _is_stale_bytecode(path: str) -> bool:
    """Bytecode beside a source, valid for a time stamp of it (PEP 552): in an image, the source has another."""
    if not path.endswith(".pyc") or "/__pycache__/" not in path:
        return False
    with open(path, "rb") as file:
        return file.read(8)[4:] == b"\0\0\0\0"


def main(upper: str, below: str, places: str, result: str) -> None:
    """Write the tar, or what is refused."""
    with open(f"{result}.begun", "x", encoding="utf-8"):
        pass  # from here on, what fails is not the command
    with open(f"{result}.asked", encoding="utf-8") as file:
        asked = json.load(file)
    with open(places, encoding="utf-8") as file:
        mounts = [json.loads(line) for line in file]
    capture = Capture(upper, below, mounts, **asked)
    capture.folder("")
    if capture.refused:
        with open(f"{result}.refused", "w", encoding="utf-8") as file:
            json.dump(capture.refused, file)
    else:
        capture.write(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
