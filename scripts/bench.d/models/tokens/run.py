# ruff: noqa: D101, D102 - a model as its author writes it
"""A language model that thinks infinitely fast."""

import cog


class Runner(cog.BaseRunner):
    @cog.streaming
    def run(self, n: int = 500) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            yield f"token{number} "
