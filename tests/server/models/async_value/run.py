"""An asynchronous model that takes one prediction at a time."""

import asyncio

from cog import BaseRunner


class Runner(BaseRunner):
    async def setup(self) -> None:
        print("setup")
        await asyncio.sleep(0)

    async def run(self, text: str = "x", seconds: float = 0.0, fail: bool = False, swallow: bool = False) -> str:
        print(f"begin {text}")
        self.record_metric("m", 1)
        task = asyncio.create_task(self._print())
        await task
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            print("cleanup")
            if swallow:
                return "swallowed"
            raise
        if fail:
            raise KeyError(text)
        return f"hello {text}"

    async def _print(self) -> None:
        print("from a task")
