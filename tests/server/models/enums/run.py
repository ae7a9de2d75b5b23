"""Choices in, an enumeration out."""

from enum import Enum

from cog import BaseRunner, Input


class Colour(str, Enum):
    RED = "red"
    GREEN = "green"


class Runner(BaseRunner):
    def run(
        self,
        colour: str = Input(default="red", choices=["red", "green"]),
        size: int = Input(default=1, choices=[1, 2, 4]),
        needed: str = Input(choices=["a", "b"]),
    ) -> list[str]:
        return [Colour(colour), f"{size!r} {needed!r}"]
