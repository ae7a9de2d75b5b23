"""Writes down what it has begun, so that a test can tell whether somebody was told how it ended."""

import asyncio
import os

import cog


class Runner(cog.BaseRunner):
    async def setup(self) -> None:
        self.ledger = open("ledger", "a")

    @cog.concurrent(max=8)
    async def run(self, name: str = "", seconds: float = 0.0) -> str:
        self.ledger.write(f"{name}\n")
        self.ledger.flush()
        await asyncio.sleep(seconds)
        return f"{os.getpid()} {name}"
