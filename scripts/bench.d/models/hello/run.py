# ruff: noqa: D101, D102 - a model as its author writes it
"""As little as a model can do."""

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, s: str = "x") -> str:
        return "hello " + s
