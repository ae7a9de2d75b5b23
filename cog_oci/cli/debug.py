"""`cog-oci debug`: what Cog shows as a Dockerfile is here the plan."""

from __future__ import annotations

import click

from cog_oci.cli.plan import plan

__all__ = ["debug"]

debug = click.Command("debug", params=plan.params, callback=plan.callback, help=plan.help, hidden=True)
