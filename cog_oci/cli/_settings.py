"""What every command takes, before its name or after it, as with Cog: --debug, --no-color, --progress, --registry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "add_settings", "current_settings", "settings_options"]

Progress = Literal["auto", "tty", "plain", "quiet"]
_KINDS = ("auto", "tty", "plain", "quiet")


@dataclass(slots=True)
class Settings:
    """How the program speaks, and the registry that is meant where none is named ("": none is set).

    Options set it while the command line is read.
    """

    debug: bool = False
    color: bool = True
    progress: Progress = "auto"
    registry: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """From NO_COLOR (no-color.org), COG_NO_COLOR, BUILDKIT_PROGRESS, TERM and COG_REGISTRY_HOST."""
        kind = environment.get("BUILDKIT_PROGRESS", "auto")
        dumb = environment.get("TERM") == "dumb"
        return cls(
            color=not (environment.get("NO_COLOR") or environment.get("COG_NO_COLOR")),
            progress="plain" if dumb else kind if kind in _KINDS else "auto",  # type: ignore[arg-type]  # one of them
            registry=environment.get("COG_REGISTRY_HOST", ""),
        )


def current_settings() -> Settings:
    """Those of the command under way."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Settings) if context else None
    return found or Settings.of(os.environ)


def add_settings(command: click.Command) -> None:
    """Give the command these options, once, and those below it."""
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        add_settings(below)
    taken = {name for one in command.params for name in one.opts}
    if "--debug" not in taken:
        command.params.extend(one for one in settings_options() if not taken & set(one.opts))


def settings_options() -> list[click.Parameter]:
    """New ones: a command that runs changes none of another's."""
    return [
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_debug,
            help="Show where in the program an error is.",
        ),
        click.Option(["--no-color"], is_flag=True, expose_value=False, callback=_no_color, help="Use no colours."),
        click.Option(
            ["--progress"],
            type=click.Choice(_KINDS),
            expose_value=False,
            callback=_progress,
            help="How work that takes long is shown.  [default: auto]",
        ),
        click.Option(
            ["--registry"],
            metavar="HOST",
            expose_value=False,
            callback=_registry,
            hidden=True,
            help="The registry that is meant where none is named.  [default: COG_REGISTRY_HOST]",
        ),
    ]


def _debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Settings).debug = True


def _no_color(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Settings).color = False
        context.color = False


def _progress(context: click.Context, _: click.Parameter, value: Progress | None) -> None:
    if value:
        context.ensure_object(Settings).progress = value


def _registry(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        context.ensure_object(Settings).registry = value
