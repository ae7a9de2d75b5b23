"""An asynchronous generator whose clients may ask for events."""

import asyncio

import cog
from cog import AsyncConcatenateIterator, BaseRunner


class Runner(BaseRunner):
    @cog.streaming()
    async def run(self, n: int = 3, delay: float = 0.05, fail_at: int = -1) -> AsyncConcatenateIterator[str]:
        for number in range(n):
            print(f"tick {number}")
            self.record_metric("n", number)
            if number == fail_at:
                raise ValueError(f"boom at {number}")
            yield f"c{number} "
            await asyncio.sleep(delay)
