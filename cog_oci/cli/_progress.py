"""Progress for people: bars with bytes and rate on a terminal, quiet lines elsewhere. All on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import click

from cog_oci.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from cog_oci.progress import Progress, Task

__all__ = ["watching"]


@contextmanager
def watching() -> Iterator[Progress]:
    """The watcher that fits what standard error is."""
    if not sys.stderr.isatty():
        yield _Lines()
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Terminal(bars)


class _Lines(Silent):
    """One line a step; what moves bytes says nothing."""

    def say(self, text: str) -> None:
        click.echo(text, err=True)


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
