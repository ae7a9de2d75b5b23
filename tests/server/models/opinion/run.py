"""A model with an opinion of its own health, which it reads from a file; it may take its time."""

import time
from pathlib import Path

from cog import BaseRunner


class Runner(BaseRunner):
    def healthcheck(self) -> bool:
        word = Path("opinion").read_text() if Path("opinion").exists() else "well"
        if word == "sick":
            raise RuntimeError("sick")
        if word == "slow":
            time.sleep(2)
        return word != "bad"

    def run(self) -> str:
        return "ok"
