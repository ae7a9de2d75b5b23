import os
import time
from pathlib import Path

from cog import BaseRunner


class Runner(BaseRunner):
    def setup(self) -> None:
        Path("worker.pid").write_text(str(os.getpid()))
        time.sleep(30)

    def run(self) -> str:
        return ""
