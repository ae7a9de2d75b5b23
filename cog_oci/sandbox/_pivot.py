"""Runs in a mount namespace of its own, and is never imported: enters a root for good, and becomes a program there.

Arguments: the root, a mount; the working folder in it; a file with the environment (JSON); and the program. Unlike
chroot(2), pivot_root(2) leaves nothing of the host to go back to.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import warnings  # noqa: F401 - os imports it when it looks for a program, and the host's files are gone by then
from pathlib import Path

_DETACH = 2  # umount2(2): MNT_DETACH
_IGNORED = (13, 25)  # SIGPIPE and SIGXFSZ: Python ignores them, and so would all that it becomes
_AS_EVER = ctypes.c_void_p(0)  # signal(2): SIG_DFL


def main(root: str, folder: str, env: str, *command: str) -> None:
    """Enter, and become the command. Ends with a sentence where that cannot be."""
    environment = json.loads(Path(env).read_bytes())
    libc = ctypes.CDLL(None, use_errno=True)
    for ignored in _IGNORED:
        libc.signal(ignored, _AS_EVER)
    os.chdir(root)
    if libc.pivot_root(b".", b".") or libc.umount2(b".", _DETACH):
        sys.exit(f"the root cannot be entered: {os.strerror(ctypes.get_errno())}")
    try:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)  # noqa: S606 - the program is what the caller says
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started in {folder}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
