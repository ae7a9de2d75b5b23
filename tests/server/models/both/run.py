"""One class that runs and trains."""

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str = "x") -> str:
        return "ran " + text

    def train(self, text: str = "x") -> str:
        return "trained " + text
