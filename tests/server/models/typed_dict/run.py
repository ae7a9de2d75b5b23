"""An object in, with named members."""

from typing import TypedDict

from cog import BaseRunner


class Point(TypedDict):
    x: int
    y: float


class Runner(BaseRunner):
    def run(self, point: Point, points: list[Point] = []) -> str:
        return repr((point, points))
