"""A model whose setup takes weights."""

from typing import Optional

from cog import BaseRunner, Path


class Runner(BaseRunner):
    def setup(self, weights: Optional[Path] = None) -> None:
        print(f"weights: {weights}")
        self.weights = weights

    def run(self) -> str:
        return f"{self.weights} {self.weights.exists()}"
