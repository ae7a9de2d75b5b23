import nonexistent_module_xyz
from cog import BaseRunner


class Runner(BaseRunner):
    def run(self) -> str:
        return nonexistent_module_xyz.text
