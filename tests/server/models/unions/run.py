"""Inputs of more than one type."""

from typing import Any, Union

from cog import BaseRunner


class Runner(BaseRunner):
    def run(
        self,
        either: Union[int, str] = 1,
        number: int | float = 1,
        listed: list[str] | str = "one",
        anything: Any = None,
        thing: dict = {},
    ) -> str:
        return repr((either, number, listed, anything, thing))
