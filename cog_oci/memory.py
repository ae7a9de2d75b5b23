"""What was worked out from some bytes, remembered by those bytes: what was checked once need not be checked again."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Memory", "Question"]


class Question:
    """Some bytes, and the code that says what they mean: the same bytes under other rules are another question.

    `rules` are the source files of that code, so that nobody has to remember to count a version up.
    """

    def __init__(self, data: bytes, *rules: Path) -> None:
        digests = [hashlib.sha256(data).digest()]
        self.name = ""
        """64 hex digits; empty where the sources cannot be read, and then nothing is remembered."""
        with suppress(OSError):
            digests += [hashlib.sha256(rule.read_bytes()).digest() for rule in rules]
            self.name = hashlib.sha256(b"".join(digests)).hexdigest()


class Memory:
    """A folder of answers, each a JSON value other than null in a file that is named by its question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, question: Question) -> Any:
        """The answer, as JSON has it; None when there is none that can be read."""
        if not question.name:
            return None
        try:
            return json.loads((self._folder / question.name).read_bytes())
        except (OSError, ValueError):
            return None

    def keep(self, question: Question, answer: object) -> None:
        """Remember it, whole or not at all; where nothing can be written, nothing is remembered."""
        if not question.name:
            return
        unfinished = self._folder / f"{question.name}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                unfinished.write_bytes(json.dumps(answer).encode())
                unfinished.replace(self._folder / question.name)
            finally:
                unfinished.unlink(missing_ok=True)
