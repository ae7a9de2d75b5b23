"""A generator whose items are no text."""

import time
from typing import Iterator

from cog import BaseModel, BaseRunner


class Step(BaseModel):
    number: int
    name: str


class Runner(BaseRunner):
    def run(self, n: int = 2, delay: float = 0.05, fail_at: int = -1) -> Iterator[Step]:
        for number in range(n):
            if number == fail_at:
                raise RuntimeError(f"no step {number}")
            yield Step(number=number, name=f"step {number}")
            time.sleep(delay)
