"""`cog-oci logout`: nobody to a registry."""

from __future__ import annotations

import click

from cog_oci.cli._settings import current_settings

__all__ = ["logout"]


@click.command()
@click.argument("host", metavar="[REGISTRY]", required=False)
def logout(*, host: str | None) -> None:
    """Forget the name and the password for a registry, as `docker logout` does.

    \b
    cog-oci logout registry.example.com
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.transports.logins import log_out

    host = (host or current_settings().registry or "docker.io").rpartition("://")[2]
    click.echo(f"Logged out of {host}" if log_out(host) else f"Not logged in to {host}", err=True)
