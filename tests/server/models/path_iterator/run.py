"""Files out, one after the other."""

import tempfile
import time
from typing import Iterator

from cog import BaseRunner, Path


class Runner(BaseRunner):
    def run(self, n: int = 2, delay: float = 0.05) -> Iterator[Path]:
        for number in range(n):
            path = Path(tempfile.mkdtemp()) / f"o-{number}.png"
            path.write_text(f"picture {number}")
            yield Path(path)
            time.sleep(delay)
