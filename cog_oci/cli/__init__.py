"""The commands: parse, call, show. The only place that prints, asks or exits."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys

import click

from cog_oci import __version__
from cog_oci.cli._lifetime import ending_in_order
from cog_oci.cli._settings import Settings, add_settings
from cog_oci.errors import CogError

__all__ = ["main"]

_COMMANDS = (
    *("init", "lock", "fetch", "plan", "image", "push", "copy", "pull-lock", "pull-sbom", "run", "login", "logout"),
    *("transcode", "verify", "top", "diff", "schema", "doctor"),
    *("build", "predict", "serve", "exec", "train", "alias", "completion", "debug"),
    *("why", "why-not", "tree", "export", "store"),
)
"""Each is a module of this package with a function of the same name, `_` for `-`; imported when it is called."""


_MEANT = {"auth": "login", "authenticate": "login", "authorize": "login"}
_NOT_HERE = {
    "playground": "a page to try the model with is at /docs of `cog-oci serve`",
    "weights": "weights that are files of the project are in its image; see --separate-weights",
}
"""Commands of Cog's."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"cog_oci.cli.{name}"), name)
        assert isinstance(command, click.Command)
        add_settings(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; for one that there is not, what may have been meant."""
        if not (ctx.resilient_parsing or args[0] in _COMMANDS or args[0].startswith("-")):
            raise click.UsageError(f"No such command {args[0]!r}.{_instead(args[0])}", ctx)
        return super().resolve_command(ctx, args)


def _instead(name: str) -> str:
    from difflib import get_close_matches

    if name in _NOT_HERE:
        return f" {_NOT_HERE[name][0].upper()}{_NOT_HERE[name][1:]}."
    close = [_MEANT[name]] if name in _MEANT else get_close_matches(name, _COMMANDS, 1)
    return f" Did you mean {close[0]}?" if close else ""


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="cog-oci %(version)s")
def cog_oci() -> None:
    """Package a machine-learning model as a container image, without Docker.

    \b
    cog-oci lock                      pin everything the image will contain
    cog-oci image -o image.tar        build it, for `docker load -i image.tar`
    cog-oci run -i text=hello         build it and run one prediction, no engine needed
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


add_settings(cog_oci)


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted).

    SIGTERM and SIGHUP end it with 143 and 129, as a shell has it, once what was begun is cleared away.
    """
    settings = Settings.of(os.environ)
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a long prediction must not fail for want of a letter
    try:
        color = None if settings.color else False  # None: where there is a terminal
        # The variable is the same whatever the program is called: see `alias`, and `completion --name`.
        with ending_in_order():
            status = cog_oci(standalone_mode=False, obj=settings, color=color, complete_var="_COG_OCI_COMPLETE")
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except CogError as error:
        status = _failed(str(error), error.hint, settings)
    except OSError as error:
        status = _failed(*_of_the_system(error), settings)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing is left half-written", err=True)
        status = 130
    gc.freeze()  # the end of a process needs no search for what could be given back first: up to 60 ms
    sys.exit(status if isinstance(status, int) else 0)


def _open_what_is_closed() -> None:
    """Whoever started us may have closed standard streams: no file or connection of ours is to take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is this one's
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode))


def _failed(message: str, hint: str | None, settings: Settings) -> int:
    if settings.debug:
        import traceback

        traceback.print_exc()
    click.secho(f"error: {message}", err=True, fg="red" if settings.color and sys.stderr.isatty() else None)
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
