"""`scripts/bench base`: three hundred Debian packages from names to layers, beside mmdebstrap with the same ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import measure

from cog_oci.layers._deb import read_package

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bench"]

_ESSENTIAL = (
    *("bsdutils", "diffutils", "dpkg", "hostname", "init-system-helpers", "ncurses-base", "ncurses-bin"),
    *("perl-base", "sysvinit-utils", "util-linux"),
)
"""What dpkg needs to run scripts: in both trees, so that both have the same packages."""
_SYSTEM = ("ffmpeg", "git", "libgl1", "libopenblas0", "libsndfile1", *_ESSENTIAL)
"""With the base of Python 3.13, three hundred packages."""
_PYTHON = "3.13"
_MAKE = Path(__file__).with_name("make_base.py")
_TARGET = 12.0  # seconds, on two cores that do nothing else


def bench(folder: Path, runs: int) -> None:
    """One figure: resolved, verified and made into layers from a warm store, against mmdebstrap from local debs."""
    as_of = datetime.now(UTC).isoformat()
    store, made = folder / "store", folder / "made.json"
    words = (sys.executable, str(_MAKE), str(store), as_of, _PYTHON, *_SYSTEM)
    measure.say("fetching indexes and packages")
    measure.command(*words, cwd=folder, output=made)
    found = json.loads(made.read_text(encoding="utf-8"))
    more = {
        "packages": len(found["debs"]),
        "target_seconds": _TARGET,
        "mb": sum(s for _, s in found["layers"]) // 10**6,
    }
    if lacking := _lacking():
        ours = [measure.command(*words, cwd=folder) for _ in range(runs)]
        measure.show("base", ours, **more, peer="none: " + lacking)
        return
    archive = _flat_archive(folder / "archive", found["debs"])
    peer = _mmdebstrap(archive, folder / "root", [name for name, _ in found["debs"]])

    def take(side: Sequence[str]) -> measure.Run:
        shutil.rmtree(folder / "root", ignore_errors=True)
        return measure.command(*side, cwd=folder, env={"SOURCE_DATE_EPOCH": "1"})

    ours, theirs = measure.in_turns([words, peer], runs, take)
    measure.show("base", ours, peer=theirs, **more)


def _lacking() -> str:
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is not installed"
    return "mmdebstrap needs root here" if os.geteuid() else ""


def _flat_archive(folder: Path, debs: Sequence[Sequence[str]]) -> Path:
    """A folder that apt takes for an archive, with these debs: links into the store and an index of them."""
    folder.mkdir()
    paragraphs = []
    for name, path in debs:
        package = read_package(Path(path), name)
        (folder / f"{name}.deb").hardlink_to(path)
        control = package.script("control").strip("\n")
        size, digest = Path(path).stat().st_size, _sha256(Path(path))
        paragraphs.append(f"{control}\nFilename: ./{name}.deb\nSize: {size}\nSHA256: {digest}\n")
    (folder / "Packages").write_text("\n".join(paragraphs), encoding="utf-8", errors="surrogateescape")
    return folder


def _sha256(path: Path) -> str:
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.partition(" ")[0]


def _mmdebstrap(archive: Path, root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Exactly these packages, installed."""
    return (
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=custom"),
        *("--include=?essential", f"--include={','.join(names)}"),
        *("trixie", str(root), f"deb [trusted=yes] copy:{archive} ./"),
    )
