# ruff: noqa: D101, D102 - a model as its author writes it
"""Takes a text of any size."""

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str) -> int:
        return len(text)
