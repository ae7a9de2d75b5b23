"""Why something was not fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FetchError", "NotFoundError", "OfflineError", "redacted"]


def redacted(url: str) -> str:
    """The address without credentials and without its query, which may be signed: fit for a message or a log."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:  # it cannot be read, and somebody is about to say so
        scheme, _, rest = url.partition("?")[0].partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class FetchError(CogError):
    """A download that did not succeed: what, from where, and the last reason."""

    def __init__(self, name: str, url: str, reason: str) -> None:
        self.name, self.url, self.reason = name, redacted(url), reason
        super().__init__(f"cannot fetch {name} from {self.url}: {reason}", hint="check the network, then try again")


class NotFoundError(FetchError):
    """The server answered, and does not have it."""


class OfflineError(CogError):
    """Something has to be fetched, and the network must not be used: what it is, by its name."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        shown = ", ".join(self.names[:5]) + (f" and {len(self.names) - 5} more" if len(self.names) > 5 else "")
        super().__init__(
            f"not in the store, and offline: {shown}",
            hint="run `cog-oci fetch` where there is a network, or bring the files with `cog-oci store import`",
        )
