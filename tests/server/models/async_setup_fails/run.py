from cog import BaseRunner


class Runner(BaseRunner):
    async def setup(self) -> None:
        print("looking for a gpu")
        raise RuntimeError("no gpu")

    async def run(self) -> str:
        return ""
