"""Runs on the host, by its Python, and is never imported: makes a user namespace and becomes a program in it, as root.

Arguments: `direct` or `newuidmap`, the rows of its uid map and of its gid map (user_namespaces(7): `inside outside
count`, with commas between), and the program with its arguments. util-linux's unshare can do the same from 2.39 on.

A namespace with one row of one id is that of an ordinary user who has no others: what a package manager does with
owners cannot be done there, and is said to have been done (seccomp(2)), so that everything belongs to root.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 22, 2
_ALLOW, _ERRNO_0 = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # <linux/filter.h>: BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
# chown, fchown, lchown, fchownat; setuid, setgid, setreuid, setregid, setgroups, setresuid, setresgid,
# setfsuid, setfsgid; aarch64 has no chown and no lchown
_CALLS = {
    "x86_64": (0xC000003E, (92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123)),
    "aarch64": (0xC00000B7, (55, 54, 146, 144, 145, 143, 159, 147, 149, 151, 152)),
}

_libc = ctypes.CDLL(None, use_errno=True)


def main(how: str, uids: str, gids: str, *command: str) -> None:
    """Enter, and become the command. Ends with a sentence and status 125 where that cannot be."""
    alone = uids.split()[2:] == ["1"]
    begin_read, begin_write = os.pipe()
    outside = os.fork()
    if not outside:
        # Stays in the namespace above, whose capabilities it takes to write the maps.
        os.close(begin_write)
        if os.read(begin_read, 1):
            _write_maps(os.getppid(), how, uids, gids, alone=alone)
        os._exit(0)
    os.close(begin_read)
    if _libc.unshare(_CLONE_NEWUSER):
        os.close(begin_write)
        _fail(f"a user namespace cannot be made: {os.strerror(ctypes.get_errno())}")
    os.write(begin_write, b"!")
    if os.waitpid(outside, 0)[1]:
        _fail("the ids of the user namespace cannot be mapped")
    if not alone:
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if alone:
        _pretend()
    # Whoever started this may be ended in a way that leaves no time to end what it has started.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.execvp(command[0], command)  # noqa: S606 - the program is what the caller says


def _write_maps(process: int, how: str, uids: str, gids: str, *, alone: bool) -> None:
    folder = f"/proc/{process}"
    try:
        for name, rows in (("uid", uids), ("gid", gids)):
            if how == "newuidmap":
                subprocess.run([f"new{name}map", str(process), *rows.replace(",", " ").split()], check=True)
                continue
            if name == "gid" and alone:
                _write(f"{folder}/setgroups", "deny")
            _write(f"{folder}/{name}_map", rows.replace(",", "\n") + "\n")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib takes longer to load than all of this
        file.write(text)


def _pretend() -> None:
    """From here on, nothing changes an owner or an id, and every call that would says that it has."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return
    architecture, calls = known
    count = len(calls)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, count + 1, architecture),  # another one's calls have other numbers: they are let through
        (_LOAD, 0, 0, _NUMBER),
        *((_EQUAL, count - at, 0, call) for at, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO_0),
    ]
    code = b"".join(struct.pack("=HBBI", *row) for row in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a length, and where the program is
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    # No PR_SET_NO_NEW_PRIVS: root of the namespace may do without, and set-id programs go on to work.
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0):
        _fail(f"calls cannot be filtered: {os.strerror(ctypes.get_errno())}")


def _fail(fault: str) -> None:
    sys.stderr.write(f"{fault}\n")
    sys.stderr.flush()
    os._exit(125)


if __name__ == "__main__":
    main(*sys.argv[1:])
