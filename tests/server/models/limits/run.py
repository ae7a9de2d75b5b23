"""Inputs within limits."""

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def run(
        self,
        whole: int = Input(default=5, ge=-3, le=10),
        low: int = Input(default=5, ge=2),
        high: int = Input(default=5, le=2**40),
        real: float = Input(default=0.5, ge=0.25, le=1.5),
        text: str = Input(default="abc", min_length=1, max_length=4),
        code: str = Input(default="a-1", regex=r"^[a-z]-\d$"),
        numbers: list[int] = Input(default=[1, 2]),
        texts: list[str] = Input(default=["a"]),
        reals: list[float] = Input(default=[0.5]),
        flags: list[bool] = Input(default=[True]),
    ) -> str:
        return repr((whole, low, high, real, text, code, numbers, texts, reals, flags))
