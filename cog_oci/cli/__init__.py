"""The commands: parse, call, show. The only place that prints, asks or exits."""

from __future__ import annotations

import errno
import sys

import click

from cog_oci import __version__
from cog_oci.errors import CogError

__all__ = ["main"]

_COMMANDS = ("lock", "plan", "image", "run", "transcode", "verify", "top", "diff")
"""Each is a module of this package with a function of the same name; it is imported when it is called."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        command = getattr(import_module(f"cog_oci.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="cog-oci %(version)s")
def cog_oci() -> None:
    """Package a machine-learning model as a container image, without Docker.

    \b
    cog-oci lock                      pin everything the image will contain
    cog-oci image -o image.tar        build it, for `docker load -i image.tar`
    cog-oci run -i text=hello         build it and run one prediction, no engine needed
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted)."""
    try:
        status = cog_oci(standalone_mode=False)
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except CogError as error:
        status = _failed(str(error), error.hint)
    except OSError as error:
        status = _failed(*_of_the_system(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing is left half-written", err=True)
        status = 130
    sys.exit(status if isinstance(status, int) else 0)


def _failed(message: str, hint: str | None) -> int:
    click.secho(f"error: {message}", err=True, fg="red" if sys.stderr.isatty() else None)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return 1


def _of_the_system(error: OSError) -> tuple[str, str | None]:
    where = f"{error.filename}: " if error.filename else ""
    text = f"{where}{error.strerror or error}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        from cog_oci.store import default_root

        return text, f"the store is {default_root()}; make room there, or set COG_CACHE_DIR to another disk"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return text, "see who owns it"
    return text, None
