"""What the worker's environment has."""

import os

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self) -> dict:
        return dict(os.environ)
