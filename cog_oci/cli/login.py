"""`cog-oci login`: who the user is to a registry."""

from __future__ import annotations

import sys

import click

from cog_oci.cli._options import insecure_option
from cog_oci.cli._settings import current_settings
from cog_oci.cli._target import REPLICATE
from cog_oci.errors import CogError

__all__ = ["login"]


@click.command()
@click.argument("host", metavar="[REGISTRY]", required=False)
@click.option("-u", "--username", metavar="NAME", help="The name; asked for when it is not given.")
@click.option(
    "--password-stdin",
    "--token-stdin",
    "from_stdin",
    is_flag=True,
    help="Read the password, or the token that takes its place, from standard input.",
)
@click.option("--registry", metavar="HOST", help="REGISTRY, as Cog has it.")
@insecure_option
def login(*, host: str | None, username: str | None, from_stdin: bool, registry: str | None, insecure: bool) -> None:
    """Log in to a registry.

    \b
    cog-oci login registry.example.com
    cog-oci login registry.example.com -u me --password-stdin < token.txt
    cog-oci login r8.im --token-stdin < token.txt

    REGISTRY is a host, with a port if need be, and https:// in front for one on this machine that speaks TLS, [default:
    COG_REGISTRY_HOST, else docker.io]. The name and the password are tried, and kept where Docker keeps them: with the
    helper that its config.json names, else in that file. What `docker login` and `podman login` have kept is used as
    well. Replicate's r8.im wants a token alone, as in Cog; the page that shows it is named.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.transports.logins import log_in

    if host and registry and host != registry:
        raise CogError(f"{host} and {registry} are two registries", hint="log in to one after the other")
    host = host or registry or current_settings().registry or "docker.io"
    scheme, separator, host = host.rpartition("://")
    if "/" in host or not host or (separator and scheme not in {"http", "https"}):
        raise CogError(f"{host!r} is not a host", hint="use HOST or HOST:PORT, as in registry.example.com")
    if host == REPLICATE and not username:
        username, password = _of_replicate(host, from_stdin=from_stdin)
    else:
        username, password = _asked(host, username, from_stdin=from_stdin)
    plain_http = True if insecure else {"http": True, "https": False}.get(scheme)
    where = log_in(host, username, password, plain_http=plain_http)
    click.echo(f"Login succeeded for {host}; kept in {where}", err=True)


def _asked(host: str, username: str | None, *, from_stdin: bool) -> tuple[str, str]:
    """The name and the password."""
    if from_stdin and not username:
        raise CogError("who is this the password of?", hint="add -u NAME")
    click.echo(f"Logging in to {host}", err=True)
    username = username or click.prompt("Username", err=True)
    if not username.strip() or ":" in username:
        raise CogError("username cannot be empty or have a colon in it")
    password = _from_stdin() if from_stdin else click.prompt("Password", hide_input=True, err=True)
    if not password:
        raise CogError("password cannot be empty")
    return username, password


def _of_replicate(host: str, *, from_stdin: bool) -> tuple[str, str]:
    """The token, and whose it is."""
    from cog_oci.transports.replicate import token_page, username_of

    if from_stdin:
        token = _from_stdin().strip()
    else:
        click.echo(f"Copy the token that this page shows: {token_page(host)}", err=True)
        token = click.prompt("Token", hide_input=True, err=True).strip()
    if not token:
        raise CogError("token cannot be empty")
    return username_of(token, host), token


def _from_stdin() -> str:
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
