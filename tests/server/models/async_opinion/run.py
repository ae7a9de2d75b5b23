"""An asynchronous model with an opinion of its own health, which it reads from a file."""

from pathlib import Path

from cog import BaseRunner


class Runner(BaseRunner):
    async def healthcheck(self) -> bool:
        word = Path("opinion").read_text() if Path("opinion").exists() else "well"
        if word == "sick":
            raise RuntimeError("sick")
        return word != "bad"

    async def run(self) -> str:
        return "ok"
