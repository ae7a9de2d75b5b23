"""What the command line and the environment say, read once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Settings", "SettingsError", "read_settings"]

_NO_REFERENCE = """\
{name} environment variable is not set.
It is set in images that cog-oci builds. If running manually, set it to your model's
reference (e.g. {name}=run.py:Runner)."""


class SettingsError(Exception):
    """The server cannot start like this; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this server runs. Times are in seconds, None is no limit."""

    reference: str
    host: str
    port: int
    setup_timeout: float | None
    drain_timeout: float | None
    await_explicit_shutdown: bool
    log_level: str
    log_console: bool
    ready_file: str | None
    warnings: tuple[str, ...]


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError for what cannot be used, and SystemExit for --help, --version and unknown options."""
    options = _parser().parse_args(arguments)
    if options.x_mode == "train":
        raise SettingsError("--x-mode train is not supported by this version of cog-oci, which serves predictions only")
    name = "COG_PREDICT_TYPE_STUB"
    reference = environment.get(name, "")
    if not reference:
        raise SettingsError(_NO_REFERENCE.format(name=name))
    setup_timeout, warnings = _setup_timeout(environment.get("COG_SETUP_TIMEOUT", ""))
    return Settings(
        reference=reference,
        host=options.host,
        port=_port(environment.get("PORT") or "5000"),
        setup_timeout=setup_timeout,
        drain_timeout=_seconds(environment, "COG_DRAIN_TIMEOUT"),
        await_explicit_shutdown=options.await_explicit_shutdown,
        log_level=environment.get("COG_LOG_LEVEL", "info").lower(),
        log_console=environment.get("LOG_FORMAT", "").lower() == "console",
        warnings=warnings,
        ready_file="/var/run/cog/ready" if "KUBERNETES_SERVICE_HOST" in environment else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cog-oci-server", description="Serve a model over HTTP with Cog's API.")
    parser.add_argument("--host", default="0.0.0.0", help="address or name to listen on (default: all)")  # noqa: S104 - a container's server
    parser.add_argument("--x-mode", choices=("predict", "train"), default="predict", help="what to serve")
    parser.add_argument(
        "--await-explicit-shutdown",
        type=_boolean,
        default=False,
        metavar="BOOL",
        help="ignore SIGTERM and wait for POST /shutdown or SIGINT",
    )
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)  # Cog accepts and ignores it
    parser.add_argument("-v", "--version", action="version", version=f"cog-oci {__version__}")
    return parser


def _boolean(text: str) -> bool:
    value = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in value:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return value[text.lower()]


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise SettingsError(f"PORT={text} is not a port, use a number from 0 (any free one) to 65535")
    return int(text)


def _setup_timeout(text: str) -> tuple[float | None, tuple[str, ...]]:
    if not text:
        return None, ()
    if not text.isascii() or not text.isdecimal():
        return None, ("Invalid COG_SETUP_TIMEOUT value, ignoring (no timeout will be applied)",)
    if int(text) == 0:
        return None, ("COG_SETUP_TIMEOUT=0 would cause immediate timeout, ignoring",)
    return float(text), ()


def _seconds(environment: Mapping[str, str], name: str) -> float | None:
    """A positive whole number of seconds; anything else is no limit, as in Cog."""
    text = environment.get(name, "")
    return float(text) if text.isascii() and text.isdecimal() and int(text) > 0 else None
