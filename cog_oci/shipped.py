"""What ships with the tool as files: pins, the server and the SDK. The builder reads these and never imports them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cuda_index", "lockfile", "sources"]

_PACKAGE = Path(__file__).parent


def lockfile(name: str) -> Path:
    """A file of `lockfiles/`: beside the package in a checkout, inside it when installed."""
    installed = _PACKAGE / "_shipped" / "lockfiles"
    return (installed if installed.is_dir() else _PACKAGE.parent / "lockfiles") / name


def cuda_index() -> Path:
    """`cuda-index.json`: likewise."""
    installed = _PACKAGE / "_shipped" / "cuda-index.json"
    return installed if installed.is_file() else _PACKAGE.parent / "cuda-index.json"


def sources(folder: str) -> list[tuple[str, bytes]]:
    """The files of `server`, `sdk` or `playground` as (path relative to that folder, content), sorted, no bytecode."""
    root = _PACKAGE / folder
    return sorted(
        (path.relative_to(root).as_posix(), path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
