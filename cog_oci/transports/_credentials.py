"""Who the user is to a registry: what `docker login` and `podman login` left on this machine.

The files are Docker's config.json and podman's auth.json, which has the same `auths`; credential helpers speak the
protocol of docker/docker-credential-helpers. Nothing secret is in a representation or a message.
"""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from collections.abc import Mapping  # noqa: TC003 - pydantic reads it at run time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from cog_oci.documents import parse
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Credentials", "credentials"]

_HUB = "https://index.docker.io/v1/"  # what Docker Hub is called in these files and by helpers
_HELPER_TIMEOUT = 60.0  # seconds: a helper may ask the user to unlock a key ring


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, or in their place a token for the token server (identity) or for the registry."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


class _Auth(BaseModel):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: Annotated[str, Field(alias="identitytoken")] = ""
    registry_token: Annotated[str, Field(alias="registrytoken")] = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    auths: Mapping[str, _Auth] = {}
    cred_helpers: Annotated[Mapping[str, str], Field(alias="credHelpers")] = {}
    creds_store: Annotated[str, Field(alias="credsStore")] = ""


class _Answer(BaseModel):
    username: Annotated[str, Field(alias="Username")]
    secret: Annotated[str, Field(alias="Secret")]


def credentials(host: str, path: str) -> Credentials | None:
    """Those for the repository `path` of the registry `host`; None when the user has none.

    The first file that has some wins: `REGISTRY_AUTH_FILE`, Docker's, podman's. In a file, a helper for the host comes
    before the store for all hosts, and that before what is in the file itself. Raises CogError for a file or a helper
    that does not work.
    """
    for file in _files():
        if file.is_file():
            found = _in_file(file, host, path)
            if found is not None:
                return found
    return None


def _files() -> Iterator[Path]:
    if chosen := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(chosen)
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers" / "auth.json"


def _in_file(file: Path, host: str, path: str) -> Credentials | None:
    settings = parse(_File, file.read_bytes(), str(file))
    helpers = {_plain(key): name for key, name in settings.cred_helpers.items()}
    helper = helpers.get(host) or settings.creds_store
    if helper and (found := _ask(helper, host, file)):
        return found
    entries = {_plain(key): entry for key, entry in settings.auths.items()}
    for key in _keys(host, path):
        if key in entries and (found := _of(entries[key], f"{file}: auths.{key}")):
            return found
    return None


def _keys(host: str, path: str) -> Iterator[str]:
    """The repository, what it lies in, the host: podman's entries may be for a part of a registry."""
    parts = [host, *path.split("/")]
    return ("/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _plain(key: str) -> str:
    """The host of a key, which may be an address: `https://index.docker.io/v1/` → `docker.io`."""
    host = key.removeprefix("https://").removeprefix("http://").rstrip("/").removesuffix("/v1").removesuffix("/v2")
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def _of(entry: _Auth, name: str) -> Credentials | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise CogError(f"{name}.auth is not base64", hint="log in again") from None
    found = Credentials(username, password.rstrip("\0"), entry.identity_token, entry.registry_token)
    return None if found == Credentials() else found


def _ask(helper: str, host: str, file: Path) -> Credentials | None:
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=(_HUB if host == "docker.io" else host).encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise CogError(
            f"{file} says that {program} knows the password for {host}, and there is no such program",
            hint=f"install it, or take it out of {file.name} and log in again",
        ) from None
    except subprocess.TimeoutExpired:
        raise CogError(f"{program} did not answer within {_HELPER_TIMEOUT:.0f} seconds") from None
    if done.returncode != 0:
        if b"not found" in done.stdout + done.stderr:  # the protocol has no other sign for "none"
            return None
        raise CogError(f"{program} failed with exit status {done.returncode}", hint=f"run `{program} get` to see why")
    answer = parse(_Answer, done.stdout, f"the answer of {program}")
    if answer.username == "<token>":
        return Credentials(identity_token=answer.secret)
    return Credentials(answer.username, answer.secret)
