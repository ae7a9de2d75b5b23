"""Inputs that may be left out, in every spelling."""

from typing import Optional

from cog import BaseRunner, Input


class Runner(BaseRunner):
    def run(
        self,
        needed: str,
        a: Optional[int] = None,
        b: str | None = None,
        c: Optional[float] = Input(default=None, ge=0),
        d: bool | None = Input(),
        e: Optional[list[str]] = None,
        f: Optional[str] = Input(default="set", description="has a default"),
        g: Optional[str] = Input(default=None, choices=["x", "y"]),
    ) -> str:
        return repr((needed, a, b, c, d, e, f, g))
