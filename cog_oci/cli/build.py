"""`cog-oci build`: cog.yaml → an image that an engine has, as `cog build`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from cog_oci.cli._attached import attached
from cog_oci.cli._cog_flags import build_flags
from cog_oci.cli._options import (
    file_option,
    locked,
    offline_option,
    project,
    schema_option,
    weights_option,
    workshop,
)
from cog_oci.cli._steps import step_options

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.cli._steps import StepOptions
    from cog_oci.engines import Engine
    from cog_oci.workshop import Workshop

__all__ = ["build"]


@click.command()
@file_option
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="What to call it.  [default: cog.yaml's, else cog-FOLDER]")
@click.option(
    "--engine",
    type=click.Choice(["auto", "docker", "podman", "none"]),
    default="auto",
    show_default=True,
    help="Where the image goes; none writes image.tar.",
)
@click.option("--platform", help="What it runs on.  [default: linux, as this machine]")
@offline_option
@weights_option
@schema_option
@step_options
@build_flags
def build(  # noqa: PLR0913 - one argument an option
    *,
    file: str,
    tag: str | None,
    engine: str,
    platform: str | None,
    offline: bool,
    separate_weights: bool,
    schema: Path | None,
    steps: StepOptions,
) -> None:
    """Build the project's image and put it into docker or podman; into image.tar where there is neither.

    \b
    cog-oci build && docker run -p 5000:5000 cog-model
    cog-oci build -t registry.example.com/you/model:v1

    A project that has no cog.lock is locked first. Prints the image's digest, and nothing else, on standard output.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli._ready import build_locked, without_code
    from cog_oci.engines import Offer, host_architecture
    from cog_oci.oci import Platform
    from cog_oci.reference import Reference

    found = project(file)
    reference = Reference.parse(tag or found.image_name)
    wanted = Platform.parse(platform or f"linux/{host_architecture()}")
    with workshop(offline=offline) as plain:
        shop = steps.allowing(plain)
        shop.progress.say(f"Building the image from cog.yaml as {reference.familiar}...")
        keeper = _keeper(engine, shop)
        built = build_locked(found, wanted, shop, separate_weights=separate_weights, schema=schema)
        if keeper is not None:
            keeper.take(Offer(built.image, reference, (without_code(reference),)), shop.store, shop.progress)
        else:
            from cog_oci.transports import archive

            documents = [blob for one in attached(found, locked(found), [built]) for blob in one.blobs]
            whole = archive.Archive([built.image.stored()], reference, documents)
            archive.write_file(found.folder / "image.tar", whole, shop.store, shop.progress)
            shop.progress.say("wrote image.tar; load it with `docker load -i image.tar`")
        shop.progress.say(f"Image built as {reference.familiar}")
    click.echo(built.image.digest)


def _keeper(name: str, shop: Workshop) -> Engine | None:
    """The engine that keeps the image; None for a file, where `auto` finds no engine that keeps images.

    A daemon that the environment names is an error when it does not answer, as somebody meant it.
    """
    from cog_oci.engines import EngineError, choose

    if name == "none":
        return None
    if name != "auto" or os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"):
        return choose(name)
    reasons = []
    for kind in ("docker", "podman"):
        try:
            return choose(kind)
        except EngineError as error:
            reasons.append(str(error))
    shop.progress.say(f"no engine takes the image ({'; '.join(reasons)}): it becomes image.tar")
    return None
