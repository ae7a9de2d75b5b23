"""`cog-oci exec`: any command in the project's image."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from cog_oci.cli._cog_flags import image_flags
from cog_oci.cli._launch import Where, container_options
from cog_oci.cli._options import file_option, offline_option, project, workshop
from cog_oci.cli._steps import step_options
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from cog_oci.cli._steps import StepOptions
    from cog_oci.engines import Port

__all__ = ["exec"]


@click.command("exec", context_settings={"allow_interspersed_args": False})
@file_option
@click.option("-p", "--publish", "ports", multiple=True, metavar="[HOST:]PORT", help="A port to open on this machine.")
@container_options
@offline_option
@step_options
@image_flags
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec(  # noqa: A001 - Cog's word
    *, where: Where, file: str, offline: bool, steps: StepOptions, ports: tuple[str, ...], command: tuple[str, ...]
) -> None:
    """Run COMMAND in the project's image, with the project's folder as its working folder.

    \b
    cog-oci exec python
    cog-oci exec -p 8888 jupyter lab --ip=0.0.0.0 --allow-root
    echo 'print(1)' | cog-oci exec python -

    Options come before the command. Ends with the command's own status.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli._ready import ready
    from cog_oci.engines import Launch, choose

    published = tuple(map(_port, ports))
    found = project(file)
    with workshop(offline=offline) as plain:
        shop = steps.allowing(plain)
        engine = choose(where.engine)
        image_of = ready(found, where, engine, shop)
    # Outside: the terminal is the command's now.
    launch = Launch(
        command=command,
        env={**image_of.variables, **where.env},
        ports=() if engine.shares_network(where.network) else published,
        project=image_of.project,
        attached=True,
        network=where.network,
        gpus=where.gpus or image_of.gpus,
    )
    sys.stdout.flush()
    with image_of.image.start(launch) as container:
        status = container.wait()
    raise click.exceptions.Exit(status)


def _port(text: str) -> Port:
    from ipaddress import ip_address

    from cog_oci.engines import Port

    match = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]:|(?P<host>[^:]+):)?(?P<port>[^:]+)", text)
    number = match["port"] if match else text
    if not match or not number.isascii() or not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise CogError(f'invalid port "{number}": port must be between 1 and 65535')
    host = match["six"] or match["host"] or "localhost"
    try:
        # Engines publish ports at addresses, and not at names.
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise CogError(
            f'invalid address "{host}": -p takes [HOST:]PORT, and the port is the same inside',
            hint=f"use -p {number}, or -p 0.0.0.0:{number} for all addresses of this machine",
        ) from None
    return Port(int(number), int(number), str(address))
