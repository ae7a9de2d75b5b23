"""Who the user is to a registry: what `cog-oci login`, `docker login` and `podman login` left here.

The files are Docker's config.json and podman's auth.json, which has the same `auths`; credential helpers speak the
protocol of docker/docker-credential-helpers. Nothing secret is in a representation or a message.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from cog_oci.documents import parse
from cog_oci.errors import CogError
from cog_oci.transports._helper import key_of, plain, run_helper

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Credentials", "SettingsFile", "credentials"]


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


class SettingsFile(BaseModel):
    """What of such a file says who the user is."""

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
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib raises for a user who is not known
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def _in_file(file: Path, host: str, path: str) -> Credentials | None:
    settings = parse(SettingsFile, file.read_bytes(), str(file))
    helpers = {plain(key): name for key, name in settings.cred_helpers.items()}
    helper = helpers.get(host) or settings.creds_store
    if helper and (found := _ask(helper, host, file)):
        return found
    entries = {plain(key): entry for key, entry in settings.auths.items()}
    for key in _keys(host, path):
        if key in entries and (found := _of(entries[key], f"{file}: auths.{key}")):
            return found
    return None


def _keys(host: str, path: str) -> Iterator[str]:
    """The repository, what it lies in, the host: podman's entries may be for a part of a registry."""
    parts = [host, *path.split("/")]
    return ("/".join(parts[:count]) for count in range(len(parts), 0, -1))


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
    given = run_helper(helper, "get", key_of(host).encode(), host, file)
    if given is None:
        return None
    answer = parse(_Answer, given, f"the answer of docker-credential-{helper}")
    if answer.username == "<token>":
        return Credentials(identity_token=answer.secret)
    return Credentials(answer.username, answer.secret)
