"""`cog-oci debug`: what Cog shows as a Dockerfile is here the plan."""

from __future__ import annotations

import click

from cog_oci.cli._cog_flags import debug_flags
from cog_oci.cli.plan import plan

__all__ = ["debug"]

debug = debug_flags(
    click.Command("debug", params=list(plan.params), callback=plan.callback, help=plan.help, hidden=True)
)
