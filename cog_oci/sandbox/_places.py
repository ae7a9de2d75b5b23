"""Runs in new namespaces, on the host's root, and is never imported: what the host puts into the root of an image.

Arguments: the scratch folder, the root, and the working folder in it. Variables: MOUNTS has folders of the host with
their places (JSON), NETWORK is `host` or `none`, NAMED what the machine calls itself, ASKED whether standard input has
more: files by their places, as mode and content in base64, and the environment (JSON). So they are in no list of
processes and on no disk.

A root is anybody's: links in it are followed inside it, as for who lives there (path_resolution(7)). `places` in the
scratch folder says where everything came to lie, one JSON text a line; with a dot at its end what is only there where
something else is put into it.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import json
import os
import sys

_BIND, _RECURSIVE = 4096, 16384  # mount(2)
_MOST_LINKS = 40
_APT = "/etc/apt/apt.conf.d"
_THIS_MACHINE = b"\n127.0.0.1\thost.docker.internal\n"  # what Cog's containers call it

_libc = ctypes.CDLL(None, use_errno=True)


class Places:
    """A root that things are put into."""

    def __init__(self, scratch: str, root: str) -> None:
        self._scratch, self._root = scratch, root
        self._count = 0
        self._found: list[str] = []

    def folder(self, path: str) -> str:
        """The folder of this path, made where it is missing; its place on the host."""
        place = self._resolved(path)
        os.makedirs(place, exist_ok=True)
        self._found.append(os.path.relpath(place, self._root) + "/.")
        return place

    def mount(self, source: str, path: str) -> None:
        """A folder of the host."""
        place = self._resolved(path)
        os.makedirs(place, exist_ok=True)
        self._bind(source, place)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A file that is there for a while, over one that may be there."""
        self._count += 1
        source = f"{self._scratch}/file-{self._count}"
        with open(source, "xb") as file:
            file.write(content)
        os.chmod(source, mode)
        place = self._resolved(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.exists(place):
            with open(place, "xb"):
                pass
        self._bind(source, place)

    def has(self, path: str) -> bool:
        """Whether the root has this folder."""
        return os.path.isdir(self._resolved(path))

    def record(self) -> None:
        """Say where everything is."""
        with open(f"{self._scratch}/places", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(place) + "\n" for place in self._found)

    def _bind(self, source: str, place: str) -> None:
        flags = _BIND | _RECURSIVE
        if _libc.mount(os.fsencode(source), os.fsencode(place), None, ctypes.c_ulong(flags), None):
            sys.exit(f"{source} cannot be mounted at {place}: {os.strerror(ctypes.get_errno())}")
        self._found.append(os.path.relpath(place, self._root))

    def _resolved(self, path: str) -> str:
        """Where this path of the root is on the host; no part of it is a link, and none leads out."""
        here: list[str] = []
        waiting = path.split("/")[::-1]
        links = 0
        while waiting:
            part = waiting.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                here = here[:-1]
                continue
            place = "/".join([self._root, *here, part])
            if not os.path.islink(place):
                here.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                sys.exit(f"{path}: {os.strerror(errno.ELOOP)}")
            target = os.readlink(place)
            if target.startswith("/"):
                here = []
            waiting += target.split("/")[::-1]
        return "/".join([self._root, *here])


def main(scratch: str, root: str, workdir: str) -> None:
    """Everything that every root gets, and what was asked for."""
    for name in ("proc", "dev"):
        if os.path.islink(f"{root}/{name}"):
            sys.exit(f"the image has a link at /{name}, where the kernel's own files belong")
    places = Places(scratch, root)
    for path in ("/proc", "/dev", "/tmp", "/etc", workdir):  # noqa: S108 - paths in the image
        places.folder(path)
    hosts = b"127.0.0.1\tlocalhost\n::1\tlocalhost\n"
    if os.environ["NETWORK"] == "host":
        hosts = _read("/etc/hosts") + _THIS_MACHINE
        places.file("/etc/resolv.conf", _read("/etc/resolv.conf"))
    own = f"127.0.1.1\t{os.environ['NAMED']}\n".encode() if os.environ["NAMED"] else b""
    places.file("/etc/hosts", hosts + own)
    if os.environ["ASKED"]:
        asked = json.load(sys.stdin)
        with open(f"{scratch}/env", "w", encoding="utf-8") as file:
            json.dump(asked["env"], file)
        for path, (mode, data) in asked["files"].items():
            places.file(path, base64.b64decode(data), mode)
    elif _is_alone() and places.has(_APT):
        # apt would become _apt, who is not there, to fetch anything.
        places.file(f"{_APT}/00cog-oci", b'APT::Sandbox::User "root";\n')
    for source, path in json.loads(os.environ["MOUNTS"]):
        places.mount(source, path)
    places.record()


def _is_alone() -> bool:
    """Whether there is nobody but root here (user_namespaces(7))."""
    return _read("/proc/self/uid_map").split()[2:] == [b"1"]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    main(*sys.argv[1:])
