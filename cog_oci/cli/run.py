"""`cog-oci run`: one prediction in the image, without an engine."""

from __future__ import annotations

import base64
import json
import mimetypes
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._options import (
    file_option,
    image_options,
    platform_option,
    project,
    schema_option,
    weights_option,
    workshop,
)
from cog_oci.errors import CogError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from cog_oci.oci import Image
    from cog_oci.store import Store

__all__ = ["run"]

_ADDRESS = "127.0.0.1"


@click.command()
@file_option
@platform_option
@click.option("-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; @FILE sends a file.")
@click.option("-e", "--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable in the container.")
@click.option("--setup-timeout", default=300, show_default=True, help="Seconds that the model may take to set up.")
@click.option("--json", "whole", is_flag=True, help="Print the whole answer as JSON.")
@weights_option
@schema_option
def run(  # noqa: PLR0913 - one argument an option
    *,
    file: str,
    platform: str,
    inputs: tuple[str, ...],
    variables: tuple[str, ...],
    setup_timeout: int,
    whole: bool,
    separate_weights: bool,
    schema: Path | None,
) -> None:
    """Build the image and run one prediction in it, in a sandbox of user namespaces (Linux).

    \b
    cog-oci run -i prompt="a red fox" -i steps=4
    cog-oci run -i image=@photo.jpg
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci import build
    from cog_oci.lock import Lock
    from cog_oci.oci import Platform

    found = project(file)
    interface = build.read_interface(found, schema)
    body = {"input": dict(_parsed(text, interface) for text in inputs)}
    env = dict(_pair(text, "NAME=VALUE") for text in variables)
    with workshop() as shop:
        locked = Lock.read(found.lock_path)
        options = image_options(found, separate_weights=separate_weights, schema=schema)
        built = build.build(found, Platform.parse(platform), locked, shop, options).image
        shop.progress.say("starting the image and running setup()")
        answer = _predict(built, shop.store, body, env, setup_timeout)
    _show(answer, whole=whole)


def _predict(
    image: Image, store: Store, body: Mapping[str, Any], env: Mapping[str, str], setup_timeout: int
) -> dict[str, Any]:
    import requests

    from cog_oci.sandbox import Sandbox

    port = _free_port()
    base = f"http://{_ADDRESS}:{port}"
    command = [*image.config.entrypoint, *image.config.command, "--host", _ADDRESS]
    with Sandbox(image, store).start(command, env={"COG_LOG_LEVEL": "error", **env, "PORT": str(port)}) as process:
        _wait_until_ready(base, process, setup_timeout)
        answer = requests.post(f"{base}/predictions", json=body, timeout=(10, None))
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        document = answer.json()
        if answer.ok:
            return dict(document)
        raise CogError(f"the model refused the input: {_refusal(document)}")
    raise CogError(f"the server answered HTTP {answer.status_code}: {answer.text}")


def _wait_until_ready(base: str, process: subprocess.Popen[bytes], timeout: int) -> None:
    import requests

    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CogError(f"the server ended with status {process.returncode} before it was ready")
        try:
            health = requests.get(f"{base}/health-check", timeout=5).json()
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.02)  # nothing tells us that a port is open; asking is cheap
            continue
        if health["status"] in {"READY", "BUSY"}:
            return
        if health["status"] in {"SETUP_FAILED", "DEFUNCT"}:
            raise CogError(f"the model's setup failed:\n{health.get('setup', {}).get('logs', '').rstrip()}")
        time.sleep(0.05)
    raise CogError(f"the model was not ready after {timeout} s", hint="give it longer with --setup-timeout")


def _refusal(document: Mapping[str, Any]) -> str:
    detail = document.get("detail")
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, item['loc'][2:]))}: {item['msg']}" for item in detail)
    return str(document.get("error", document))


def _parsed(text: str, schema: Mapping[str, Any]) -> tuple[str, Any]:
    """NAME=VALUE with the value as the schema's type; @FILE is a data URL, or the file's text for a plain string."""
    name, value = _pair(text, "name=value")
    field = schema.get(name)
    if field is None:
        raise CogError(f'unknown input "{name}"; valid inputs are: {", ".join(schema) or "none"}')
    kind = field.get("type")
    if value.startswith("@"):
        path = Path(value[1:])
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CogError(f'input "{name}": cannot read {path}: {error.strerror}') from None
        if field.get("format") == "uri":
            mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return name, f"data:{mime};base64,{base64.b64encode(data).decode()}"
        value = data.decode("utf-8", "replace")
    if kind == "string" or field.get("allOf"):
        return name, value
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        raise CogError(f'invalid input "{name}": expected {kind}, got {value!r}') from None


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"Failed to parse input '{text}', expected format is '{form}'")
    return name, value


def _show(answer: Mapping[str, Any], *, whole: bool) -> None:
    if whole:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    if answer["status"] != "succeeded":
        if logs := answer.get("logs"):
            click.echo(logs.rstrip("\n"), err=True)
        raise CogError(f'Prediction failed with status "{answer["status"]}": {answer.get("error", "")}')
    if whole:
        return
    output = answer.get("output")
    if isinstance(output, str) and output.startswith("data:"):
        path, data = _file(output)
        path.write_bytes(data)
        click.echo(f"Written output to: {path}", err=True)
    elif isinstance(output, str):
        click.echo(output)
    elif output is None:
        click.echo("No output generated", err=True)
    else:
        click.echo(json.dumps(output, indent=2, ensure_ascii=False))


def _file(url: str) -> tuple[Path, bytes]:
    head, _, encoded = url.partition(",")
    mime = head.removeprefix("data:").split(";")[0]
    return Path("output" + (mimetypes.guess_extension(mime) or "")), base64.b64decode(encoded)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        return int(probe.getsockname()[1])
