"""Objects out, one in the other."""

from typing import Optional

from cog import BaseModel, BaseRunner


class Inner(BaseModel):
    score: float
    label: str = "none"


class Output(BaseModel):
    text: str
    number: int
    inner: Inner
    inners: list[Inner]
    maybe: Optional[str] = None


class Runner(BaseRunner):
    def run(self, text: str = "x", n: int = 1, maybe: Optional[str] = None) -> Output:
        inner = Inner(score=0.5)
        return Output(text=text, number=n, inner=inner, inners=[inner] * n, maybe=maybe)
