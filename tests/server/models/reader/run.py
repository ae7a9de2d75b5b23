"""Files in."""

from typing import Optional

from cog import BaseRunner, File, Path


class Runner(BaseRunner):
    def run(
        self,
        path: Optional[Path] = None,
        paths: Optional[list[Path]] = None,
        file: Optional[File] = None,
        text: str = "",
    ) -> dict:
        found = {"text": text}
        if path is not None:
            found["path"] = [path.suffix, path.read_text(), path.exists(), path.is_absolute()]
        if paths is not None:
            found["paths"] = [p.read_text() for p in paths]
        if file is not None:
            found["file"] = file.read().decode()
        return found
