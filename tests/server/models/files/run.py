"""Files out: made for the answer, and not."""

import tempfile
from pathlib import Path as AnyPath

from cog import BaseModel, BaseRunner, Path


class Output(BaseModel):
    made: Path
    kept: Path
    where: str


class Runner(BaseRunner):
    def setup(self) -> None:
        self.kept = AnyPath("kept.txt")
        self.kept.write_text("kept")

    def run(self, text: str, missing: bool = False) -> Output:
        made = AnyPath(tempfile.mkdtemp()) / "made.png"
        if not missing:
            made.write_text(text)
        return Output(made=Path(made), kept=Path(self.kept), where=str(made))
