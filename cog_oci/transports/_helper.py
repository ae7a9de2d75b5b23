"""Programs that keep passwords, `docker-credential-NAME` (the protocol of docker/docker-credential-helpers)."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Literal

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["key_of", "plain", "run_helper"]

_HUB = "https://index.docker.io/v1/"  # what Docker Hub is called by helpers and in files
_TIMEOUT = 60.0  # seconds: a helper may ask the user to unlock a key ring


def key_of(host: str) -> str:
    """What a registry is called by helpers and in files."""
    return _HUB if host == "docker.io" else host


def plain(key: str) -> str:
    """The host of a key, which may be an address: `https://index.docker.io/v1/` → `docker.io`."""
    host = key.removeprefix("https://").removeprefix("http://").rstrip("/").removesuffix("/v1").removesuffix("/v2")
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def run_helper(
    helper: str, action: Literal["get", "store", "erase"], given: bytes, host: str, file: Path
) -> bytes | None:
    """The helper's answer; None when it knows nothing of the host. `file` is the one that names the helper.

    Raises CogError for a helper that is not there or does not work; what it says is not shown, as it may be a secret.
    """
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, action], input=given, capture_output=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError:
        raise CogError(
            f"{file} says that {program} knows the password for {host}, and there is no such program",
            hint=f"install it, or take it out of {file.name} and log in again",
        ) from None
    except subprocess.TimeoutExpired:
        raise CogError(f"{program} did not answer within {_TIMEOUT:.0f} seconds") from None
    if done.returncode != 0:
        if b"not found" in done.stdout + done.stderr:  # the protocol has no other sign for "none"
            return None
        raise CogError(
            f"{program} failed with exit status {done.returncode}", hint=f"run `{program} {action}` to see why"
        )
    return done.stdout
