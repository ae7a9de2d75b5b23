"""Progress for people: bars with bytes, rate and time left on a terminal, lines elsewhere. All on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import click

from cog_oci.cli._settings import current_settings
from cog_oci.cli._words import human
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from cog_oci.progress import Progress, Task

__all__ = ["Lines", "watching"]


_OFTEN = 10.0  # seconds between two lines of one piece of work


@contextmanager
def watching() -> Iterator[Progress]:
    """The watcher that is asked for, else the one that fits what standard error is."""
    settings = current_settings()
    kind = settings.progress
    if kind == "quiet":
        yield SILENT
        return
    if kind == "plain" or (kind == "auto" and not sys.stderr.isatty()):
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        *(TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn()),
        *(TransferSpeedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=Console(stderr=True, no_color=not settings.color), transient=True) as bars:
        yield _Terminal(bars)


class Lines:
    """One line a step; work that takes long says every ten seconds how far it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    def say(self, text: str) -> None:
        """The line."""
        click.echo(text, err=True)

    def task(self, name: str, total: int | None = None) -> Task:
        """A piece of work that is told of in lines."""
        return _Counted(self, name, total, self._clock)


class _Counted:
    def __init__(self, lines: Lines, name: str, total: int | None, clock: Callable[[], float]) -> None:
        self._lines, self._name, self._total, self._clock = lines, name, total, clock
        self._done = 0
        self._began = self._told = clock()

    def advance(self, size: int) -> None:
        self._done += size
        now = self._clock()
        if now - self._told >= _OFTEN:
            self._told = now
            self._lines.say(f"{self._name}: {self._state(now - self._began)}")

    def _state(self, seconds: float) -> str:
        rate = self._done / seconds
        text = human(self._done) + (f" of {human(self._total)}" if self._total else "") + f", {human(int(rate))}/s"
        if self._total and rate > 0:
            text += f", {max(0, self._total - self._done) / rate:.0f} s left"
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._told != self._began:  # who has been told of it is told of its end
            self._lines.say(f"{self._name}: {human(self._done)} in {self._clock() - self._began:.0f} s")


class _Terminal:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def say(self, text: str) -> None:
        self._bars.console.print(text, highlight=False, markup=False)

    def task(self, name: str, total: int | None = None) -> Task:
        return _Bar(self._bars, self._bars.add_task(name, total=total))


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, size: int) -> None:
        self._bars.advance(self._task, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.remove_task(self._task)
