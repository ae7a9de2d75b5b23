"""A model that answers up to four predictions at once."""

import time

import cog
from cog import BaseRunner, Input


class Runner(BaseRunner):
    def setup(self) -> None:
        self.sizes: list[int] = []

    @cog.batch(max_size=4, max_wait=0.2)
    def run(
        self, text: list[str], number: list[int] = Input(default=1, ge=0), wait: list[float] = 0.0
    ) -> list[str]:
        print(f"batch of {len(text)}")
        self.record_metric("size", len(text))
        time.sleep(max(wait))
        if "fail" in text:
            raise ValueError("one is enough")
        if "short" in text:
            return []
        return [each * times for each, times in zip(text, number)]
