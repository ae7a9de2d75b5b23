"""arm64 programs on an amd64 machine: qemu-user, behind a binfmt_misc that only the programs started here see.

Since Linux 6.7 each user namespace can have a binfmt_misc of its own, so nothing of the machine is changed.
"""

from __future__ import annotations

import atexit
import platform
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import need

__all__ = ["CPU", "LEND", "LENT", "emulated", "init_of", "need_emulation"]

CPU = "neoverse-n1"
"""What is emulated. qemu's own choice, `max`, computes the signatures of pointers at a multiple of the whole cost."""

LEND = r"""
mkdir -p "$1/usr/q" "$1/usr/lib/x86_64-linux-gnu"
for library in $(ldd "$(command -v qemu-aarch64)" | grep -o '/[^ ]*'); do
  case $library in
    */ld-linux-*) cp -L "$library" "$1/usr/q" ;;
    *) cp -L "$library" "$1/usr/lib/x86_64-linux-gnu" ;;
  esac
done
"""
"""A shell script: into the root $1, what qemu itself needs when programs run in that root: LENT are the paths."""
LENT = r"usr/q(/.*)?|usr/lib/x86_64-linux-gnu(/.*)?"
_LOADER, _LENT_LOADER = b"/lib64/ld-linux-x86-64.so.2\0", b"/usr/q/ld-linux-x86-64.so.2\0"
"""Of one length. A root for arm64 has no /lib64, and bookworm's usrmerge leaves nothing outside /usr that it finds."""

# binfmt_misc by the ELF header (System V gABI, 4): 64 bits, little endian, EM_AARCH64; ET_EXEC and ET_DYN alike.
# With the flag F the emulator is opened now: a program's own root has none.
_MAGIC = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 183)
_MASK = b"\xff" * 7 + bytes(9) + b"\xfe\xff\xff\xff"

_ENTER = r"""
set -eu
echo; read -r _
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s "$1" > /proc/sys/fs/binfmt_misc/register
shift
exec "$@"
"""


def emulated(*command: str, **options) -> subprocess.Popen:
    """Start a command as root of new user, mount and process namespaces in which arm64 programs run.

    Every id is itself there, so this is for root. `options` are Popen's; standard input is taken.
    """
    namespaces = ("unshare", "--user", "--mount", "--pid", "--fork", "--kill-child", "--")
    process = subprocess.Popen(
        [*namespaces, "sh", "-c", _ENTER, "sh", _registration(), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )
    process.stdout.readline()
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{kind}").write_text("0 0 65536\n")
    process.stdin.write(b"\n")
    process.stdin.close()
    process.stdin = None
    return process


def init_of(process: subprocess.Popen) -> int:
    """The first process in the namespaces, by its id out here: all others end with it."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def need_emulation() -> None:
    """Skip the test, saying why no arm64 program can run."""
    need("unshare", "qemu-aarch64", "ldd")
    if platform.machine() != "x86_64":
        pytest.skip(f"emulates arm64 on x86_64, and this machine is {platform.machine()}")
    process = emulated("true", stderr=subprocess.PIPE)
    told = process.communicate()[1].decode(errors="replace").strip()
    if process.returncode:
        pytest.skip(f"needs a binfmt_misc for each user namespace, as Linux 6.7 brings: {told}")


def _registration() -> str:
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in text) for text in (_MAGIC, _MASK))
    return f":qemu-aarch64:M::{magic}:{mask}:{_emulator()}:F"


@cache
def _emulator() -> Path:
    """qemu, looking for its loader where LEND puts it."""
    folder = Path(tempfile.mkdtemp(prefix="qemu-"))
    atexit.register(shutil.rmtree, folder)
    program = folder / "qemu-aarch64"
    program.write_bytes(Path(shutil.which("qemu-aarch64")).read_bytes().replace(_LOADER, _LENT_LOADER, 1))
    program.chmod(0o755)
    return program
