"""An object out, without names in the schema."""

from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, keys: list[str] = ["a"], value: str = "v") -> dict[str, str]:
        return dict.fromkeys(keys, value)
