"""The environments of the two servers that are compared: the interpreter and the packages that images have."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["environment", "interpreter", "packages", "server_requirements"]

_ROOT = Path(__file__).parents[2]
_DEBIAN = (Path("/usr/bin/python3.11"), Path("/usr/bin/python3.13"))
"""Debian's own, byte for byte those of the images: other builds of the same version take up to twice the time."""


@cache
def interpreter() -> Path:
    """Debian's Python where there is one that images have, else this one."""
    return next((path for path in _DEBIAN if path.is_file()), Path(sys.executable))


def environment(folder: Path, requirements: str) -> Path:
    """A new environment in `folder` with these requirements; its interpreter. Raises what pip raises."""
    python = folder / "bin/python"
    subprocess.run(["uv", "venv", "--quiet", "--no-project", "--python", str(interpreter()), str(folder)], check=True)
    listed = folder / "requirements.txt"
    listed.write_text(requirements)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(python)]
    subprocess.run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(listed)], check=True)
    return python


def packages(folder: Path, requirements: str, python: str) -> None:
    """These requirements as the wheels of Python X.Y on linux/amd64 have them, in `folder`. Raises what pip raises."""
    listed = folder.with_name(f"{folder.name}.txt")
    listed.write_text(requirements)
    tags = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 17)] + ["--platform=manylinux2014_x86_64"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"),
            *("--require-hashes", "--no-deps", "--no-compile", "--target", str(folder), "-r", str(listed)),
            *("--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *tags),
        ],
        check=True,
    )


def server_requirements() -> str:
    """The packages of the server in an image of this interpreter, as pip takes them."""
    version = interpreter_version()
    pins = json.loads((_ROOT / f"lockfiles/server-python{version}-amd64.json").read_bytes())
    return "".join(f"{pin['name']}=={pin['version']} --hash=sha256:{pin['sha256']}\n" for pin in pins)


@cache
def interpreter_version() -> str:
    """Its X.Y."""
    command = [interpreter(), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
