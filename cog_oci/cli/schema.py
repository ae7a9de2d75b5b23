"""`cog-oci schema`: the OpenAPI document of the model, or how it differs from another one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from cog_oci.cli._options import file_option, project
from cog_oci.errors import CogError

__all__ = ["schema"]

_LIMIT = 16 << 20
"""Bytes: a larger answer is no schema."""


@click.command()
@file_option
@click.option("--compact", is_flag=True, help="Print it on one line, as the image's label has it.")
@click.option(
    "--check",
    "other",
    metavar="FILE|URL",
    help="Compare with the document in a file, or with that of a running server, and end with 1 when they differ.",
)
@click.option("--cog-yaml", "of_config", is_flag=True, help="Print the JSON Schema of cog.yaml itself, for editors.")
@click.pass_context
def schema(context: click.Context, *, file: str, compact: bool, other: str | None, of_config: bool) -> None:
    """Print the OpenAPI document of the model, which its source says: nothing of it is run or has to be installed.

    \b
    cog-oci schema > openapi.json
    cog-oci schema --check openapi.json            has the interface changed?
    cog-oci schema --check http://localhost:5000   is this what runs there?

    A server that asks for a token is given COG_AUTH_TOKEN.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    if of_config:
        from cog_oci.cog_yaml_schema import cog_yaml_schema

        click.echo(json.dumps(cog_yaml_schema(), indent=2))
        return
    document = _read(file)
    if other is None:
        _print(document, compact=compact)
        return
    from cog_oci.cli._schema_words import differences

    found = list(differences(json.loads(document), _fetched(other), _shown(other)))
    for line in found:
        click.echo(line)
    context.exit(1 if found else 0)


def _read(file: str) -> bytes:
    from cog_oci.schema import read_schema

    found = project(file)
    if found.config.reference is None:
        raise CogError(f"{found.file.name} names no model", hint="add `run: run.py:Runner`")
    return read_schema(found.folder, found.config.reference, train=found.config.training).to_bytes()


def _print(document: bytes, *, compact: bool) -> None:
    """Characters that standard output cannot show are escaped, which JSON allows everywhere."""
    text = document.decode() if compact else json.dumps(json.loads(document), indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(
            json.loads(document), indent=None if compact else 2, separators=(",", ":") if compact else None
        )
    click.echo(text)


def _fetched(place: str) -> dict[str, Any]:
    """The document in a file or at a URL. Raises CogError for what cannot be read, or is no JSON object."""
    data = _asked(place) if _is_url(place) else Path(place).read_bytes()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CogError(f"{_shown(place)} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise CogError(f"{_shown(place)} is not a JSON object")
    return document


def _is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _shown(place: str) -> str:
    """The place as a message may show it: without a password."""
    if not _is_url(place):
        return place
    from cog_oci.fetch import redacted

    return redacted(place)


def _asked(url: str) -> bytes:
    import requests

    address = url if url.partition("://")[2].strip("/").count("/") else f"{url.rstrip('/')}/openapi.json"
    token = os.environ.get("COG_AUTH_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with requests.get(address, headers=headers, timeout=(10, 30), stream=True) as answer:
            data = bytes(answer.raw.read(_LIMIT + 1, decode_content=True))
    except (requests.RequestException, OSError) as error:
        raise CogError(f"{_shown(address)} cannot be asked: {type(error).__name__}", hint="is the server up?") from None
    if answer.status_code == 401:
        raise CogError(f"{_shown(address)} asks for a token", hint="set COG_AUTH_TOKEN")
    if not answer.ok:
        raise CogError(
            f"{_shown(address)} answered HTTP {answer.status_code}", hint="it has one once the model is ready"
        )
    if len(data) > _LIMIT:
        raise CogError(f"{_shown(address)} answered with more than {_LIMIT:,} bytes, which is no schema")
    return data
