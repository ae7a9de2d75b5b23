# ruff: noqa: T201 - a model prints
"""An asynchronous model that takes four predictions at a time, without any environment variable."""

import asyncio
from collections.abc import AsyncIterator

import cog


class Runner(cog.BaseRunner):
    async def setup(self) -> None:
        await asyncio.sleep(0)
        self.running = 0

    @cog.concurrent(max=4)
    async def run(self, name: str = "", seconds: float = 0.0, fail: bool = False) -> AsyncIterator[str]:
        print(f"begin {name}")
        self.record_metric("name", name)
        yield f"{name} first"
        await asyncio.sleep(seconds)
        if fail:
            raise RuntimeError("mid")
        print(f"end {name}")
        yield f"{name} last"
