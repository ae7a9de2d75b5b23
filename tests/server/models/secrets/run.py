"""Secrets in."""

from typing import Optional

from cog import BaseRunner, Secret


class Runner(BaseRunner):
    def run(self, one: Secret, maybe: Optional[Secret] = None) -> list[str]:
        print(one, repr(one))
        return [str(one), repr(one), one.get_secret_value(), repr(maybe), f"{one}"]
