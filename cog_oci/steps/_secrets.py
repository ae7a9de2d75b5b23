"""Secrets that steps are given for as long as they run, and lines of output without them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Secret", "masked", "read_secrets"]

_LIMIT = 500 << 10  # bytes of a secret, as BuildKit has it
_SHORT = 6  # characters: a shorter line of a secret says nothing by itself, and is in many words
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is on this machine: a file, or a variable of the environment."""

    id: str
    file: Path | None = None
    variable: str | None = None

    @classmethod
    def parse(cls, text: str) -> Secret:
        """`id=NAME,src=FILE` or `id=NAME,env=VARIABLE`, as for docker build; with the id alone, whichever is there.

        Raises CogError for any other text; nothing is read.
        """
        fields: dict[str, str] = {}
        for part in text.split(","):
            key, equals, value = part.partition("=")
            key = {"source": "src", "src": "src", "id": "id", "env": "env", "type": "type"}.get(key.strip().lower(), "")
            if not equals or not key or key in fields or not value:
                name = part.partition("=")[0]  # alone: somebody may have written the secret itself
                raise _wrong(text, f"{name!r} is there twice" if key in fields else f"{name!r} is no id=, src= or env=")
            fields[key] = value
        kind = fields.get("type")
        if "id" not in fields:
            raise _wrong(text, "it has no id")
        if "src" in fields and "env" in fields:
            raise _wrong(text, "it has a file and a variable")
        if kind not in {None, "file", "env"}:
            raise _wrong(text, f"there is no type {kind}")
        if kind == "env" and "src" in fields:  # docker's older form
            fields["env"] = fields.pop("src")
        name = fields["id"]
        if "src" in fields:
            return cls(name, file=Path(os.path.expanduser(fields["src"])))  # noqa: PTH111 - pathlib raises for a user who is not known
        if "env" in fields or kind == "env" or (kind is None and name in os.environ):
            return cls(name, variable=fields.get("env", name))
        return cls(name, file=Path(name))

    def read(self) -> bytes:
        """The secret. Raises CogError, by name, when it is not there; no message has a part of it."""
        if self.variable is not None:
            value = os.environ.get(self.variable)
            if value is None:
                raise CogError(
                    f"--secret id={self.id}: the variable {self.variable} is not set", hint="export it, or use src=FILE"
                )
            return os.fsencode(value)
        try:
            data = Path(self.file or "").read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CogError(f"--secret id={self.id}: {self.file} cannot be read: {reason}") from None
        if len(data) > _LIMIT:
            raise CogError(f"--secret id={self.id}: {self.file} has {len(data)} bytes, and {_LIMIT} are allowed")
        return data


def read_secrets(wanted: Iterable[tuple[str, str]], given: Iterable[Secret]) -> dict[str, bytes]:
    """The secrets by id; `wanted` are ids, each with who wants it. Raises CogError for one that is not given."""
    by_id = {secret.id: secret for secret in given}
    found: dict[str, bytes] = {}
    for name, who in wanted:
        if name not in by_id:
            raise CogError(
                f"{who} needs the secret {name}, which is not given",
                hint=f"every command that builds takes it: --secret id={name},src=FILE, or id={name},env=VARIABLE",
            )
        if name not in found:
            found[name] = by_id[name].read()
    return found


def masked(say: Callable[[str], None], secrets: Iterable[bytes]) -> Callable[[str], None]:
    """`say`, but for the secrets and long lines of them."""
    hidden: set[str] = set()
    for secret in secrets:
        text = secret.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines()]
        hidden |= {line for line in lines if len(line) >= _SHORT or (line and len(lines) == 1)}
    longest_first = sorted(hidden, key=lambda text: (-len(text), text))

    def say_masked(line: str) -> None:
        for text in longest_first:
            line = line.replace(text, _HIDDEN)
        say(line)

    return say_masked


def _wrong(text: str, fault: str) -> CogError:
    said = re.search(r"(?:^|,)id=([^,]*)", text)
    return CogError(
        f"--secret {f'id={said[1]}' if said else ''}: {fault}".replace(" :", ":"),
        hint="write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE",
    )
