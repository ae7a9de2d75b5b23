"""A root that programs run in without any package: this machine's shell and small tools, with their libraries."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from cog_oci.layers._tar import Entry
from cog_oci.oci import Image
from cog_oci.store import Store
from tests.conftest import need
from tests.image_maker import Listed, made

TOOLS = (
    "sh",
    "env",
    "cat",
    "ls",
    "rm",
    "mkdir",
    "mv",
    "ln",
    "cp",
    "chmod",
    "chown",
    "touch",
    "stat",
    "id",
    "sleep",
    "mkfifo",
)


def small_root() -> Listed:
    """The layer: `/bin/sh` and the tools, and an `/etc/passwd`."""
    need("unshare", "ldd", "setpriv")
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    return Listed("small root", list(_entries()))


def small_image(store: Store, *above: Listed, **config: object) -> Image:
    """An image of that layer, with others above it."""
    return made(store, small_root(), *above, compression="none", env={"PATH": "/bin"}, working_dir="/src", **config)


@cache
def _entries() -> tuple[Entry, ...]:
    files: dict[str, Path] = {}
    for tool in (*TOOLS, "setpriv"):
        program = Path(shutil.which(tool) or f"/bin/{tool}")
        files[f"bin/{tool}"] = program
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= {path.lstrip("/"): Path(path) for path in re.findall(r"(/\S+) \(0x", listed)}
    found = [Entry.file(place, path.read_bytes(), 0o755) for place, path in files.items()]
    found.append(Entry.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"))
    return tuple(found)
