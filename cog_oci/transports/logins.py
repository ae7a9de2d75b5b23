"""Logging in to a registry and out of it: where other tools of this machine look, too.

Credentials are tried before they are kept. They are kept by the helper that Docker's configuration names, else in the
file itself, which only the user can read; everything else in the file stays.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.documents import parse
from cog_oci.errors import CogError
from cog_oci.transports._authorization import LoginError
from cog_oci.transports._credentials import Credentials, SettingsFile
from cog_oci.transports._distribution import Repository
from cog_oci.transports._helper import key_of, plain, run_helper

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["log_in", "log_out"]


def log_in(host: str, username: str, password: str, *, plain_http: bool | None = None) -> str:
    """Keep these for the registry, if it takes them; where they are kept: a file, or a helper.

    `plain_http` is as for Repository. Raises CogError when it does not take them, RegistryError when it cannot be
    asked.
    """
    found = Credentials(username, password)
    try:
        with Repository(host, "", plain_http=plain_http, find=lambda: found) as registry:
            registry.get("").close()
    except LoginError:
        raise CogError(
            f"{host} does not take this name and password", hint="many registries want a token in place of a password"
        ) from None
    file = _file()
    if helper := _helper(file, host):
        given = {"ServerURL": key_of(host), "Username": username, "Secret": password}
        run_helper(helper, "store", json.dumps(given).encode(), host, file)
        return f"docker-credential-{helper}"
    document = _read(file)
    _forget(document, host)
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    document.setdefault("auths", {})[key_of(host)] = {"auth": auth}
    _write(file, document)
    return str(file)


def log_out(host: str) -> bool:
    """Have nothing for the registry any more where `log_in` keeps it; whether there was something."""
    file = _file()
    erased = False
    if helper := _helper(file, host):
        erased = run_helper(helper, "get", key_of(host).encode(), host, file) is not None
        if erased:
            run_helper(helper, "erase", key_of(host).encode(), host, file)
    document = _read(file)
    if _forget(document, host):
        _write(file, document)
        return True
    return erased


def _file() -> Path:
    """The one that is looked at first (see `credentials`)."""
    if chosen := os.environ.get("REGISTRY_AUTH_FILE"):
        return Path(chosen)
    if chosen := os.environ.get("DOCKER_CONFIG"):
        return Path(chosen) / "config.json"
    try:
        return Path.home() / ".docker" / "config.json"
    except RuntimeError:
        raise CogError("this user has no home folder to keep a login in", hint="set HOME, or DOCKER_CONFIG") from None


def _helper(file: Path, host: str) -> str:
    if not file.is_file():
        return ""
    settings = parse(SettingsFile, file.read_bytes(), str(file))
    return {plain(key): name for key, name in settings.cred_helpers.items()}.get(host) or settings.creds_store


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    data = file.read_bytes()
    parse(SettingsFile, data, str(file))
    document: dict[str, Any] = json.loads(data)
    return document


def _forget(document: MutableMapping[str, Any], host: str) -> bool:
    """Whether there was an entry for the host, by whichever of its names."""
    entries = document.get("auths") or {}
    names = [name for name in entries if plain(name) == host]
    for name in names:
        del entries[name]
    return bool(names)


def _write(file: Path, document: object) -> None:
    """In one step, and from its first byte on for the user's eyes only."""
    file = file.resolve()  # the file may be a link into somebody's collection of settings
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}-{os.urandom(8).hex()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            json.dump(document, out, indent="\t")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
