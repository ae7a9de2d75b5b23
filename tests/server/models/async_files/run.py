"""An asynchronous model that takes two predictions at a time and gives files of one name, or says hello."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path as AnyPath
from typing import Any

import cog


class Runner(cog.BaseRunner):
    @cog.concurrent(max=2)
    async def run(self, files: int = 0) -> AsyncIterator[Any]:
        for number in range(files):
            frame = AnyPath(tempfile.gettempdir()) / "frame.txt"
            frame.write_text(str(number))
            yield cog.Path(frame)
        if not files:
            yield "hello"
