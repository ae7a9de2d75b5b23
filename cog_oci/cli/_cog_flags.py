"""Flags of Cog's whose purpose is met in another way here: they are taken, and it is said what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorated = Callable[..., Any]

__all__ = ["build_flags", "debug_flags", "image_flags", "serve_flags"]

_BASE = "every image has a base of its own, which the lock pins: there is none of Cog's to use"
_CUDA = "what a model needs of CUDA is pinned in its lock: there is no CUDA image to build on"
_IMAGE = {"--use-cog-base-image": _BASE, "--use-cuda-base-image": _CUDA}
_BUILD = {
    **_IMAGE,
    "--no-cache": "a layer is made again when anything that it is made of has changed, and only then",
    "--timestamp": "no time is in an image",
    "--strip": "files are in the image as their packages have them",
    "--precompile": "the lock says whether an image holds bytecode: `cog-oci lock --bytecode`",
    "--skip-schema-validation": "the schema is read from the source, which takes no time",
}
_SERVE = {**_IMAGE, "--playground": "a page to try the model with is at /docs", "--playground-port": "it is at /docs"}
_DEBUG = {**_IMAGE, "--image-name": "the layers are the same whatever the image is called"}
_FLAGS = frozenset({"--no-cache", "--strip", "--precompile", "--skip-schema-validation", "--playground"})
_SWITCHES = frozenset({"--use-cog-base-image"})  # a value may follow after =


def image_flags(command: Decorated) -> Decorated:
    """Those of every command that needs an image."""
    return _taking(command, _IMAGE)


def build_flags(command: Decorated) -> Decorated:
    """Those of `build` and `push`."""
    command = click.option(
        "--dockerfile", metavar="FILE", hidden=True, expose_value=False, callback=_refuse_dockerfile
    )(command)
    return _taking(command, _BUILD)


def serve_flags(command: Decorated) -> Decorated:
    """Those of `serve`."""
    return _taking(command, _SERVE)


def debug_flags(command: Decorated) -> Decorated:
    """Those of `debug`."""
    return _taking(command, _DEBUG)


def _taking(command: Decorated, flags: dict[str, str]) -> Decorated:
    for name, meaning in flags.items():
        how: dict[str, Any] = {"is_flag": True} if name in _FLAGS else {}
        if name in _SWITCHES:
            how = {"is_flag": False, "flag_value": "true"}
        command = click.option(name, hidden=True, expose_value=False, callback=_saying(name, meaning), **how)(command)
    return command


def _saying(name: str, meaning: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def say(_context: click.Context, _parameter: click.Parameter, value: object) -> None:
        if value not in {None, False}:
            click.echo(f"note: {name} changes nothing: {meaning}", err=True)

    return say


def _refuse_dockerfile(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise CogError(
            f"--dockerfile {value}: images are not built from Dockerfiles",
            hint="say what it does in cog.yaml: system_packages, python_requirements, run",
        )
