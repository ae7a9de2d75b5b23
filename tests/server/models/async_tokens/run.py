"""An asynchronous generator of text."""

import asyncio

from cog import AsyncConcatenateIterator, BaseRunner


class Runner(BaseRunner):
    async def run(self, n: int = 3, delay: float = 0.0, fail_at: int = -1) -> AsyncConcatenateIterator[str]:
        for number in range(n):
            print(f"tick {number}")
            if number == fail_at:
                raise ValueError(f"boom at {number}")
            yield f"c{number} "
            await asyncio.sleep(delay)
