# ruff: noqa: T201 - a model prints
"""A generator."""

import time

from cog import BaseRunner, ConcatenateIterator


class Runner(BaseRunner):
    def run(self, n: int = 3, fail_at: int = -1, delay: float = 0.0) -> ConcatenateIterator[str]:
        for number in range(n):
            print(f"tick {number}")
            if number == fail_at:
                raise ValueError(f"boom at {number}")
            yield f"c{number} "
            time.sleep(delay)
