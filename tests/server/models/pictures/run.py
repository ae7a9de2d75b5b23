"""A list of files out."""

import io
import tempfile
from typing import Any

from cog import BaseRunner, Path


class Runner(BaseRunner):
    def run(self, names: list[str] = ["a.png", "b.txt"], shape: str = "list") -> Any:
        paths = []
        folder = Path(tempfile.mkdtemp())
        for name in names:
            (folder / name).write_text(f"this is {name}")
            paths.append(Path(folder / name))
        if shape == "one":
            return paths[0]
        if shape == "tuple":
            return tuple(paths)
        if shape == "object":
            return {"first": paths[0], "more": {"rest": paths[1:]}}
        if shape == "missing":
            return Path(folder / "nothing.png")
        if shape == "stream":
            return io.BytesIO(b"a stream")
        if shape == "open":
            return paths[0].open("rb")
        return paths
