"""`cog-oci serve`: the model's HTTP server on this machine."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cog_oci.cli._cog_flags import serve_flags
from cog_oci.cli._launch import Where, container_options
from cog_oci.cli._options import file_option, offline_option, project, schema_option, weights_option, workshop
from cog_oci.cli._steps import step_options
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.cli._prediction import Serving
    from cog_oci.cli._ready import Ready
    from cog_oci.cli._steps import StepOptions
    from cog_oci.cli._watch import Watch
    from cog_oci.config import Project
    from cog_oci.engines import Container, Engine
    from cog_oci.progress import Progress
    from cog_oci.workshop import Workshop

__all__ = ["serve"]


@click.command()
@file_option
@click.option("-p", "--port", default=8393, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--upload-url", metavar="URL", help="Where files of outputs are put; they are data URLs else.")
@click.option("--reload", is_flag=True, help="Start it again whenever a file of the project changes.")
@container_options
@step_options
@serve_flags
@offline_option
@weights_option
@schema_option
def serve(  # noqa: PLR0913 - one argument an option
    *,
    where: Where,
    file: str,
    port: int,
    host: str,
    upload_url: str | None,
    reload: bool,
    offline: bool,
    steps: StepOptions,
    separate_weights: bool,
    schema: Path | None,
) -> None:
    """Serve the project's HTTP API until Ctrl-C: in its image, built first, with its folder mounted.

    \b
    cog-oci serve
    cog-oci serve --reload -p 5000
    curl http://localhost:8393/predictions -H 'Content-Type: application/json' -d '{"input": {"text": "hello"}}'

    A page to try the model with is at /docs.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli._prediction import Serving, refuse_no_network
    from cog_oci.cli._watch import Watch
    from cog_oci.engines import choose

    refuse_no_network(where)
    found = project(file)
    arguments = ("--upload-url", upload_url) if upload_url else ()
    how = Serving(port=port, host=host, arguments=arguments)
    with workshop(offline=offline) as plain:
        shop = steps.allowing(plain)
        kitchen = _Kitchen(file, where, choose(where.engine), shop, schema, separate_weights)
        watch = Watch(found.folder) if reload else None
        image = kitchen.ready()
        with suppress(KeyboardInterrupt):  # from here on, that is how it is ended
            while _serve(kitchen, image, how, watch):
                image = kitchen.ready_again(watch)


@dataclass(frozen=True, slots=True)
class _Kitchen:
    """What makes the project ready to be served, as it is at the moment."""

    file: str
    where: Where
    engine: Engine
    shop: Workshop
    schema: Path | None
    separate_weights: bool

    @property
    def progress(self) -> Progress:
        return self.shop.progress

    def ready(self) -> Ready:
        from cog_oci.cli._ready import ready
        from cog_oci.model import read_model

        found: Project = project(self.file)
        model = read_model(found, self.schema)
        if model is None:
            raise CogError("cog.yaml names no model to serve", hint="add `run: run.py:Runner`")
        how = {"separate_weights": self.separate_weights, "schema": self.schema}
        return ready(found, self.where, self.engine, self.shop, serves=model, **how)

    def ready_again(self, watch: Watch | None) -> Ready:
        """After a change; one that has a mistake in it is told, and the next one waited for."""
        while True:
            try:
                return self.ready()
            except (CogError, OSError) as error:  # OSError: a file that somebody is about to put back
                if watch is None:
                    raise
                hint = getattr(error, "hint", None)
                self.progress.say(f"error: {error}\n" + (f"hint: {hint}\n" if hint else "") + "waiting")
            while not watch.changed():
                time.sleep(0.3)


def _serve(kitchen: _Kitchen, image: Ready, how: Serving, watch: Watch | None) -> bool:
    """One life of the server; whether there is to be another."""
    from cog_oci.cli._prediction import serving

    with serving(kitchen.engine, image, how, kitchen.where) as (base, container):
        there = "" if kitchen.engine.is_here() else f" of the machine that {kitchen.engine.name} is on"
        kitchen.progress.say(f"Serving at {base}{there}")
        return _watched(container, watch, kitchen.progress)


def _watched(container: Container, watch: Watch | None, progress: Progress) -> bool:
    """Returns whether files have changed, when they have. Raises CogError when the server ends by itself."""
    while (status := container.poll()) is None:
        if watch is not None and (paths := watch.changed()):
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            progress.say(f"{paths[0]}{more} changed: starting again")
            return True
        time.sleep(0.3)  # waiting would keep Ctrl-C from us, and a container that ends tells nobody else
    if status:
        raise CogError(f"the server ended with status {status}")
    return False
