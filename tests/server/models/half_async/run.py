"""A synchronous model whose setup and healthcheck are coroutines."""

import asyncio
from pathlib import Path

from cog import BaseRunner


class Runner(BaseRunner):
    async def setup(self) -> None:
        await asyncio.sleep(0.01)
        self.word = "set up"

    async def healthcheck(self) -> bool:
        await asyncio.sleep(0)
        opinion = self.opinion()
        if opinion == "sick":
            raise RuntimeError("sick")
        return opinion != "bad"

    def opinion(self):
        file = Path("opinion")
        return file.read_text() if file.exists() else "well"

    def run(self) -> str:
        return self.word
