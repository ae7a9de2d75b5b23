"""A generator whose clients may ask for events."""

import time

import cog
from cog import BaseRunner, CancelationException, ConcatenateIterator


class Runner(BaseRunner):
    @cog.streaming
    def run(self, n: int = 2, delay: float = 0.05, fail_at: int = -1, hold: float = 0.0) -> ConcatenateIterator[str]:
        for number in range(n):
            print(f"tick {number}")
            self.record_metric("tokens", 1, mode="increment")
            if number == fail_at:
                raise ValueError(f"boom at {number}")
            yield f"c{number} "
            time.sleep(delay)
        try:
            end = time.monotonic() + hold
            while time.monotonic() < end:
                time.sleep(0.02)
        except CancelationException:
            print("cleanup")
            raise
