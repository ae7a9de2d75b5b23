"""A model that can be trained."""

import tempfile
import time

from cog import BaseModel, BaseRunner, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(n: int = Input(ge=1, le=10), name: str = "w", seconds: float = 0.0, fail: bool = False) -> TrainingOutput:
    print(f"training {n}")
    time.sleep(seconds)
    if fail:
        raise ValueError("no data")
    path = Path(tempfile.mkdtemp()) / f"{name}.bin"
    path.write_text("W" * n)
    return TrainingOutput(weights=Path(path))


class Runner(BaseRunner):
    def run(self, text: str = "x") -> str:
        return "hello " + text
