import sys

from cog import BaseRunner


class Runner(BaseRunner):
    def setup(self) -> None:
        sys.exit(4)

    def run(self) -> str:
        return ""
