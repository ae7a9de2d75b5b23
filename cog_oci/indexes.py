"""Package indexes by name: where each is on this machine, and who to be there.

A lock says `index: company`; cog.yaml says where that is, and `COG_INDEX_COMPANY` where it is on a machine that reaches
it by another way, such as a mirror. A login comes from `UV_INDEX_COMPANY_USERNAME` and `UV_INDEX_COMPANY_PASSWORD`, as
uv has it; of a user without a password the program `keyring` is asked, where there is one; else it comes from netrc:
never from cog.yaml, and never into a lock or a message.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT", "Indexes", "bare", "with_login_of", "without_logins"]

DEFAULT = "default"
"""The name of the index that uv is configured with."""
_OF_PYTORCH = ("torch", "torchaudio", "torchvision")


@dataclass(frozen=True, slots=True)
class Indexes:
    """The named ones, the preferred first: `configured` as cog.yaml has them, `written` as a requirements file has.

    `direct` are addresses of single files and repositories as a requirements file has them, each by what a lock keeps
    of it. A requirements file may have logins in its addresses; they go no further than a request.

    `unread` are names of written ones that uv has to be told like the configured ones. `default_name` is what a
    pyproject.toml calls the written one `index-url`: its login has that name. `trusted` are hosts whose certificates
    are not checked, as `Fetcher.trust` has them.

    With `best_match` the best version of a package counts, wherever it is, and not the first index that has any.
    """

    configured: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    direct: Mapping[str, str] = field(default_factory=dict)
    best_match: bool = False
    unread: tuple[str, ...] = ()
    default_name: str = ""
    trusted: tuple[str, ...] = ()

    def address(self, name: str) -> str:
        """Where it is, without a login; a CogError for a name that nothing here knows."""
        if found := self._found(name):
            return _bare(found).rstrip("/")
        raise CogError(
            f"the lock has packages from the index {name!r}, which is not known on this machine",
            hint=f"add it to `indexes:` in cog.yaml, or set COG_INDEX_{_variable(name)} to its address",
        )

    def with_login(self, name: str) -> str:
        """Where it is, with what the environment has for it: for a request, not for people."""
        address = self.address(name)
        parts, said = urlsplit(address), urlsplit(self._found(name))
        variable = f"UV_INDEX_{_variable((name == 'index-url' and self.default_name) or name)}"
        user = unquote(said.username or "") or os.environ.get(f"{variable}_USERNAME", "")
        password = unquote(said.password or "") or os.environ.get(f"{variable}_PASSWORD", "")
        if user and not password:
            password = _from_keyring(address, user)
        if not (user or password):
            return address
        return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}").geturl()

    def name_of(self, address: str) -> str:
        """The name of the index at this address, `default` for any other. Those of PyTorch have a name everywhere."""
        wanted = _bare(address).rstrip("/")
        names = (*self.configured, *self.written)
        pytorch = f"pytorch-{wanted.rpartition('/')[2]}"
        known = DEFAULT if _pytorch(pytorch) != wanted else pytorch
        return next((name for name in names if self.address(name) == wanted), known)

    def _found(self, name: str) -> str:
        named = os.environ.get(f"COG_INDEX_{_variable(name)}") or self.configured.get(name)
        return named or self.written.get(name) or _pytorch(name)

    def arguments(self) -> list[str]:
        """What uv is told of those that it does not read itself, in order; it knows the logins by their names."""
        names = (*self.configured, *self.unread)
        places = [word for name in names for word in ("--index", f"{name}={self.address(name)}")]
        if _keyring() and "UV_KEYRING_PROVIDER" not in os.environ:
            places += ["--keyring-provider", "subprocess"]
        if not self.best_match:
            return places
        # PyTorch's pages have no times of upload, without which uv would pass over what is on them.
        undated = (word for name in _OF_PYTORCH for word in ("--exclude-newer-package", f"{name}=false"))
        return [*places, "--index-strategy", "unsafe-best-match", *undated]

    def searched(self) -> list[str]:
        """The names of those that any package may come from, in order, but for the default one.

        An explicit one of a pyproject.toml has only what that says of it.
        """
        options = ("index-url-", "extra-index-url")
        written = (one for one in self.written if one.startswith(options) or one in self.unread)
        return [*self.configured, *written]

    def is_pytorch(self, name: str) -> bool:
        """Whether it is one of PyTorch's own, which answer 403 where they have no such page; uv knows that, too."""
        from cog_oci.cuda_index import cuda_index  # noqa: PLC0415 - asked where a page has been refused

        return bool(_pytorch(name)) or self.address(name).startswith(f"{cuda_index().pytorch}/")

    def logins(self) -> dict[str, str]:
        """Variables by which uv knows the logins that stand in the addresses of what is `unread`."""
        found: dict[str, str] = {}
        for name in self.unread:
            said = urlsplit(self._found(name))
            if said.username or said.password:
                found[f"UV_INDEX_{_variable(name)}_USERNAME"] = unquote(said.username or "")
                found[f"UV_INDEX_{_variable(name)}_PASSWORD"] = unquote(said.password or "")
        return found

    def with_pytorch(self, variant: str) -> Indexes:
        """These and PyTorch's own index for one CUDA (`cu126`) or for the CPU (`cpu`), as `pytorch-cu126`.

        It has copies of other packages, too, not all and not the newest: of every package the best version counts,
        wherever it is, and `2.9.1+cu126` is better than `2.9.1` (PEP 440).
        """
        name = f"pytorch-{variant}"
        return replace(self, configured={**self.configured, name: self.address(name)}, best_match=True)


def bare(address: str) -> str:
    """An address as a lock has it: without login, query and fragment; ssh keeps its user, for it does not work without.

    Fit for a message.
    """
    parts = urlsplit(address)
    login, at, host = parts.netloc.rpartition("@")
    keep = f"{login.partition(':')[0]}{at}{host}" if parts.scheme == "ssh" else host
    return parts._replace(netloc=keep, query="", fragment="").geturl()


def without_logins(text: str) -> str:
    """A text with every login taken out of the addresses in it: fit for a message."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)


def with_login_of(address: str, page: str) -> str:
    """The address with the login of the page that links to it, where both are on the same server."""
    parts, base = urlsplit(address), urlsplit(page)
    same = (parts.scheme, parts.hostname, parts.port) == (base.scheme, base.hostname, base.port)
    return parts._replace(netloc=base.netloc).geturl() if same and "@" not in parts.netloc else address


def _keyring() -> str | None:
    return shutil.which("keyring")


@cache
def _from_keyring(address: str, user: str) -> str:
    """The password that the program `keyring` has for an index, or for its server, as uv asks it; else empty."""
    program = _keyring()
    if program is None or os.environ.get("UV_KEYRING_PROVIDER") == "disabled":
        return ""
    for service in (address, urlsplit(address).netloc):
        done = subprocess.run(
            [program, "get", service, user], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode == 0 and (found := done.stdout.strip("\r\n")):
            return found
    return ""


def _bare(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _pytorch(name: str) -> str:
    """Where PyTorch's own index of this name is; empty for another name."""
    match = re.fullmatch(r"pytorch-(cpu|cu\d+)", name)
    if match is None:
        return ""
    from cog_oci.cuda_index import cuda_index  # noqa: PLC0415 - few locks have packages from there

    return f"{cuda_index().pytorch}/{match[1]}"


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
