"""One prediction or training in an image, in the way that fits the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.cli._asked import Asked, Kind, Viewer
    from cog_oci.cli._launch import Where
    from cog_oci.cli._ready import Ready
    from cog_oci.engines import Engine

__all__ = ["ask"]


def ask(engine: Engine, ready: Ready, where: Where, kind: Kind, asking: Callable[[], Asked], viewer: Viewer) -> None:
    """The viewer has seen everything when this returns. Raises CogError for what keeps the answer from coming.

    `asking` says once what is asked, before the model starts and perhaps while its container is made; what it raises
    keeps the model from starting.
    """
    if ready.own:
        from cog_oci.cli._once import once

        once(ready, where, kind, asking, viewer)
        return
    asked = asking()
    if not engine.is_here():
        raise CogError(
            f"{engine.name} is on another machine, and the server of this image cannot be reached there",
            hint="run the project without naming an image, which needs no port, or run it on that machine",
        )
    from cog_oci.cli._following import follow
    from cog_oci.cli._prediction import Serving, free_port, serving, wait_until_ready

    arguments = ("--x-mode", "train") if asked.kind == "trainings" else ()
    how = Serving(port=free_port(), quiet=True, arguments=arguments)
    with serving(engine, ready, how, where) as (base, container):
        wait_until_ready(base, container, asked.setup_timeout, showing=True)
        viewer.ready()
        viewer.finish(follow(base, asked, container, viewer))
