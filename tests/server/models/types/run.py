# ruff: noqa: B006, PLR0917 - defaults that models have
"""Says what it was given, in Python's words."""

from typing import Optional

from cog import BaseRunner, File, Input, Path, Secret


class Runner(BaseRunner):
    def run(
        self,
        s: str = Input(default="ab", min_length=2, max_length=5, regex="^[a-z]+$"),
        i: int = Input(default=3, ge=1, le=10),
        f: float = 0.5,
        b: bool = False,
        choice: str = Input(default="red", choices=["red", "green"]),
        strings: list[str] = ["x"],
        things: dict = {"k": 1},
        maybe: str | None = Input(),
        path: Path | None = None,
        paths: list[Path] | None = None,
        file: File | None = None,
        secret: Secret | None = None,
    ) -> dict:
        strings.append("mine")
        given = {"s": s, "i": i, "f": f, "b": b, "choice": choice, "strings": strings, "things": things, "maybe": maybe}
        words = {name: repr(value) for name, value in given.items()}
        if path is not None:
            words["path"] = [path.name, path.read_text(), type(path).__name__, str(path)]
        if paths is not None:
            words["paths"] = [p.read_text() for p in paths]
        if file is not None:
            words["file"] = file.read().decode()
        if secret is not None:
            words["secret"] = [str(secret), secret.get_secret_value()]
        return words
