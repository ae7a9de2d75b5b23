"""Options of the commands that start a container."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from cog_oci.engines import ENGINES
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorated = Callable[..., Any]

__all__ = ["Where", "container_options", "input_option", "pairs", "token_option"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the command line says about the container, the same for every command."""

    engine: str
    platform: str | None
    network: str | None
    gpus: str | None
    variables: tuple[str, ...]
    mount: bool = True

    @property
    def env(self) -> dict[str, str]:
        """`-e`, by name."""
        return dict(pairs(self.variables, "NAME=VALUE"))


def container_options(command: Decorated) -> Decorated:
    """`--engine`, `-e`, `--gpus`, `--network`, `--platform`, `--no-mount`: they arrive as the argument `where`."""
    options = (
        click.option(
            *("--engine", "engine"),
            type=click.Choice(["auto", *ENGINES]),
            default="auto",
            show_default=True,
            envvar="COG_OCI_ENGINE",
            help="What runs the container; the sandbox needs nothing but Linux.",
        ),
        click.option("-e", "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable in it."),
        click.option(
            "--gpus",
            metavar="GPUS",
            help="all, a number, or device=0,1, as for `docker run`.  [default: all for a model with `gpu: true`]",
        ),
        click.option("--network", metavar="NAME", help="As for `docker run`; `host` is this machine's own."),
        click.option("--platform", "platform", help="What the image runs on.  [default: what the engine runs]"),
        click.option(
            "--mount/--no-mount",
            default=True,
            help="Whether the project's folder is mounted, so that a change needs no build, or in the image.  "
            "[default: mounted]",
        ),
    )

    def gathered(
        *,
        engine: str,
        platform: str | None,
        network: str | None,
        gpus: str | None,
        variables: tuple[str, ...],
        mount: bool,
        **rest: Any,
    ) -> Any:
        where = Where(engine=engine, platform=platform, network=network, gpus=gpus, variables=variables, mount=mount)
        pairs(variables, "NAME=VALUE")  # a mistake is said before anything is built
        return command(where=where, **rest)

    gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
    gathered.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's list
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), gathered)


def input_option(component: str) -> Callable[[Decorated], Decorated]:
    """`-i`, for the inputs of this component of the schema, whose names shells complete."""

    def names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        from cog_oci.cli._options import project
        from cog_oci.model import read_model

        try:
            found = project(context.params.get("file") or "cog.yaml")
            model = read_model(found, context.params.get("schema"))
        except (CogError, OSError):  # a shell has no place for a mistake in the project
            return []
        known = model.document["components"]["schemas"].get(component, {}) if model else {}
        return [f"{name}=" for name in known.get("properties", {}) if f"{name}=".startswith(incomplete)]

    return click.option(
        *("-i", "--input", "inputs"),
        multiple=True,
        metavar="NAME=VALUE",
        shell_complete=names,
        help="An input; @FILE sends a file.",
    )


def token_option(command: Decorated) -> Decorated:
    """`--use-replicate-token`, as in Cog: it arrives as the argument `context`, of the request."""

    def context(_context: click.Context, _parameter: click.Parameter, value: bool) -> dict[str, str]:
        if not value:
            return {}
        if token := os.environ.get("REPLICATE_API_TOKEN"):
            return {"replicate_api_token": token}
        raise CogError(
            "Failed to find REPLICATE_API_TOKEN in the current environment when called with --use-replicate-token"
        )

    return click.option(
        *("--use-replicate-token", "context"),
        is_flag=True,
        callback=context,
        help="Give the model the token in REPLICATE_API_TOKEN, as current_scope().context.",
    )(command)


def pairs(texts: tuple[str, ...], form: str = "name=value") -> list[tuple[str, str]]:
    """`NAME=VALUE` as two words."""
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CogError(f"Failed to parse input '{text}', expected format is '{form}'")
        found.append((name, value))
    return found
