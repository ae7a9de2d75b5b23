# ruff: noqa: D101, D102 - a model as its author writes it
"""As little as an asynchronous model can do, 64 at a time."""

import cog


class Runner(cog.BaseRunner):
    @cog.concurrent(max=64)
    async def run(self, s: str = "x") -> str:
        return "hello " + s
