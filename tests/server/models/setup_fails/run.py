# ruff: noqa: T201 - a model prints
from cog import BaseRunner


class Runner(BaseRunner):
    def setup(self) -> None:
        print("looking for a gpu")
        raise RuntimeError("no gpu")

    def run(self) -> str:
        return ""
