# ruff: noqa: D101, D102 - a model as its author writes it
"""Gives a file that lies ready: what is measured is its way to the client, not the disk."""

from pathlib import Path as AnyPath

from cog import BaseRunner, Path

SIZES = (10, 100)  # in 10^6 bytes


class Runner(BaseRunner):
    def setup(self) -> None:
        for size in SIZES:
            AnyPath(f"{size}.bin").write_bytes(bytes(range(250)) * (size * 4000))

    def run(self, size: int) -> Path:
        return Path(f"{size}.bin")
