"""What a model answered, as Cog shows it: text on standard output, files in the folder, logs on standard error."""

from __future__ import annotations

import json
import mimetypes
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.progress import Progress

__all__ = ["Display", "check_writable"]

_FILE = re.compile(r"data:[^,\s]*;base64,")


def check_writable(output: Path | None) -> None:
    """Raises CogError, before anything starts, when no file can be written there."""
    if output is None:
        return
    folder = output.parent
    if output.is_dir():
        raise CogError(f"cannot write the output to {output}: it is a folder")
    if not folder.is_dir():
        raise CogError(f"cannot write the output to {output}: there is no folder {folder}")
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise CogError(f"cannot write the output to {output}: permission denied")


class Display:
    """Shows a prediction: logs and items of a list while it runs, then the rest.

    With `whole` the answer is shown as JSON at the end, else its output; `output` is a file for that. `begun` is what
    to say when it begins, and `read` makes of the answer what is to be shown.
    """

    def __init__(
        self,
        progress: Progress,
        begun: str,
        *,
        whole: bool = False,
        output: Path | None = None,
        read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self._progress, self._begun = progress, begun
        self._whole, self._output, self._read = whole, output, read
        self._logged = self._shown = 0
        self._held: list[Any] = []

    def ready(self) -> None:
        """The model is set up."""
        self._progress.say(self._begun)

    def log(self, text: str) -> None:
        """What was printed since."""
        click.echo(text, err=True, nl=False)
        self._logged += len(text)

    def items(self, items: list[Any]) -> None:
        """What the output has got since. Files are written at the end, when it is known how many there are."""
        if self._whole or self._output is not None:
            return
        self._held += items
        if all(map(_is_file, self._held)) and not self._shown:
            return
        for item in self._held:
            text = json.dumps(item, indent=2, ensure_ascii=False).replace("\n", "\n  ")
            click.echo(("," if self._shown else "[") + f"\n  {text}", nl=False)
            self._shown += 1
        self._held.clear()
        sys.stdout.flush()

    def finish(self, answer: Mapping[str, Any]) -> None:
        """The prediction has ended. Raises CogError when it failed."""
        answer = self._read(answer)
        logs = answer.get("logs") or ""
        self.log(logs[self._logged :] + ("" if logs.endswith("\n") or not logs else "\n"))
        if self._whole:
            _show_json(answer, self._output)
        if answer["status"] != "succeeded":
            if self._shown:
                click.echo()  # the list stays open: what there is of it is not all
            raise CogError(f'Prediction failed with status "{answer["status"]}": {answer.get("error", "")}')
        if not self._whole:
            self._show_output(answer.get("output"))

    def _show_output(self, value: Any) -> None:
        if value is None:
            click.echo("No output generated", err=True)
        elif _is_file(value):
            _write(self._output or Path("output" + _extension(value)), _content(value))
        elif isinstance(value, list) and value and all(map(_is_file, value)):
            for number, url in enumerate(value):
                _write(_numbered(self._output, number, url), _content(url))
        elif self._shown and isinstance(value, list):
            self.items(value[self._shown + len(self._held) :])
            click.echo("\n]")
        else:
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            if self._output is None:
                click.echo(text)
            else:
                _write(self._output, text.encode("utf-8", "backslashreplace"))


def _show_json(answer: Mapping[str, Any], output: Path | None) -> None:
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    if output.suffix != ".json":
        click.echo(f"--output value does not have a .json suffix: {output}", err=True)
    _write(output, text.encode("utf-8", "backslashreplace") + b"\n")


def _numbered(output: Path | None, number: int, url: str) -> Path:
    if output is None:
        return Path(f"output.{number}{_extension(url)}")
    return output.with_name(f"{output.stem}.{number}{output.suffix or _extension(url)}")


def _write(path: Path, data: bytes) -> None:
    if path.exists() and not path.is_file():  # a pipe, a device
        path.write_bytes(data)
    else:
        partial = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    click.echo(f"Written output to: {path}", err=True)


def _is_file(value: object) -> bool:
    """Whether a server has written this in the place of a file; other text may begin with `data:`, too."""
    return isinstance(value, str) and _FILE.match(value) is not None


def _content(url: str) -> bytes:
    from urllib.request import urlopen  # http.client with it: few outputs are files

    with urlopen(url) as data:  # noqa: S310 - a data URL, see _is_file: nothing is fetched
        content: bytes = data.read()
    return content


def _extension(url: str) -> str:
    mime = url.removeprefix("data:").partition(",")[0].partition(";")[0]
    return mimetypes.guess_extension(mime) or ""
