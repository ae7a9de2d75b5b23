"""A model whose coroutine answers up to four predictions at once."""

import asyncio

import cog
from cog import BaseRunner


class Runner(BaseRunner):
    async def setup(self) -> None:
        await asyncio.sleep(0)

    @cog.batch(max_size=4, max_wait=0.2)
    async def run(self, text: list[str]) -> list[str]:
        await asyncio.sleep(0)
        return [f"{each} of {len(text)}" for each in text]
