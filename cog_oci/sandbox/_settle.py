"""Runs in new namespaces, first of all, and is never imported: a name for the machine, and its loopback up.

Arguments: the name (empty: as the host is called), `host` or `none`, the network, and the program to become. Not every
host has hostname and iproute2.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import sys

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # netdevice(7): SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


def main(name: str, network: str, *command: str) -> None:
    """Settle in, and become the command."""
    if name:
        socket.sethostname(name)
    if network == "none":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            asked = struct.pack("16sH14x", b"lo", 0)
            (flags,) = struct.unpack("16xH", fcntl.ioctl(any_socket, _GET_FLAGS, asked)[:18])
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by all that it becomes
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - the program is what the caller says


if __name__ == "__main__":
    main(*sys.argv[1:])
