"""A model that says which worker it is in."""

import os
import time

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, seconds: float = 0.0, die: bool = False) -> dict:
        time.sleep(seconds)
        if die:
            os._exit(3)
        return {"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
