"""What the command line and the environment say, read once."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci import __version__
from cog_oci.server.levels import read_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Settings", "SettingsError", "read_settings"]

_WEBHOOK_INTERVAL = 0.5
HISTORY = 16_384
"""How many server-sent events are kept for readers that come later."""

_OURS = {
    "COG_WORKERS": (1, "one worker is started"),
    "COG_MAX_QUEUE": (0, "no request waits for a slot"),
    "COG_DRAIN_TIMEOUT": (1, "what runs may take its time at the end"),
}
"""Whole numbers that Cog does not know: how small each may be, and what holds without it."""

_NO_REFERENCE = """\
{name} environment variable is not set.
It is set in images that cog-oci builds. If running manually, set it to your model's
reference (e.g. {name}={example})."""


class SettingsError(Exception):
    """The server cannot start like this; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this server runs. Times are in seconds, None is no limit."""

    reference: str
    train: bool
    """Whether the reference is that of a train function."""
    host: str
    port: int
    setup_timeout: float | None
    drain_timeout: float | None
    await_explicit_shutdown: bool
    log_level: int
    log_console: bool
    ready_file: str | None
    workers: int
    queue: int
    """How many requests may wait for a slot."""
    event_history: int
    webhook_interval: float
    webhook_token: str | None
    upload_url: str | None
    auth_token: str | None
    stock_http: bool
    """Whether Hypercorn runs as it comes."""
    warnings: tuple[str, ...]


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError for what cannot be used, and SystemExit for --help, --version and unknown options."""
    options = _parser().parse_args(arguments)
    train = options.x_mode == "train"
    name = "COG_TRAIN_TYPE_STUB" if train else "COG_PREDICT_TYPE_STUB"
    reference = environment.get(name, "")
    if not reference:
        raise SettingsError(_NO_REFERENCE.format(name=name, example="train.py:train" if train else "run.py:Runner"))
    setup_timeout, warnings = _setup_timeout(environment.get("COG_SETUP_TIMEOUT", ""))
    return Settings(
        reference=reference,
        train=train,
        host=options.host,
        port=_port(environment.get("PORT") or "5000"),
        setup_timeout=setup_timeout,
        drain_timeout=_seconds(environment, "COG_DRAIN_TIMEOUT"),
        await_explicit_shutdown=options.await_explicit_shutdown,
        log_level=read_level(environment),
        log_console=environment.get("LOG_FORMAT", "").lower() == "console",
        ready_file="/var/run/cog/ready" if "KUBERNETES_SERVICE_HOST" in environment else None,
        workers=max(1, _count(environment, "COG_WORKERS", 1)),
        queue=_count(environment, "COG_MAX_QUEUE", 0),
        event_history=_count(environment, "COG_STREAM_HISTORY_CAPACITY", HISTORY),
        webhook_interval=_interval(environment.get("COG_THROTTLE_RESPONSE_INTERVAL", "")),
        webhook_token=environment.get("WEBHOOK_AUTH_TOKEN") or None,
        upload_url=options.upload_url or None,
        auth_token=_token(environment.get("COG_AUTH_TOKEN")),
        stock_http=environment.get("COG_HTTP_STOCK", "") not in {"", "0"},
        warnings=(*warnings, *_ignored(environment)),
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
    parser.add_argument("--upload-url", metavar="URL", help="where files of outputs are put; they are data URLs else")
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


def _token(text: str | None) -> str | None:
    """What clients must send; nothing that is there by mistake may leave the server open to everybody."""
    if text is None:
        return None
    if not text:
        raise SettingsError("COG_AUTH_TOKEN is empty: give it a token, or unset it and let everybody in")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(
            "COG_AUTH_TOKEN has characters that a header cannot carry, such as a blank or the end of a line: "
            "use letters, digits and -._~+/= (RFC 6750 section 2.1)"
        )
    return text


def _ignored(environment: Mapping[str, str]) -> Iterator[str]:
    """What is said of those of our own variables that cannot be used."""
    for name, (least, instead) in _OURS.items():
        text = environment.get(name, "")
        if text and _count(environment, name, -1) < least:
            yield f"Invalid {name} value, ignoring ({instead})"


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 0 up; anything else is the default, as in Cog."""
    text = environment.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default


def _interval(text: str) -> float:
    """Seconds between webhooks that only tell of new logs; anything that is no number from 0 up is Cog's default."""
    try:
        seconds = float(text)
    except ValueError:
        return _WEBHOOK_INTERVAL
    return seconds if 0 <= seconds < math.inf else _WEBHOOK_INTERVAL


def _seconds(environment: Mapping[str, str], name: str) -> float | None:
    """A positive whole number of seconds; anything else is no limit."""
    return float(_count(environment, name, 0)) or None
