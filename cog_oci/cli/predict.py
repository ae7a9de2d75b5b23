"""`cog-oci predict`: the name that `run` had in Cog before."""

from __future__ import annotations

from typing import Any

import click

from cog_oci.cli.run import run

__all__ = ["predict"]


def _run(**options: Any) -> None:
    called = click.get_current_context().find_root().info_name
    click.echo(f'"{called} predict" is deprecated, use "{called} run"', err=True)
    assert run.callback is not None
    run.callback(**options)


predict = click.Command("predict", params=run.params, callback=_run, help=run.help, hidden=True)
