"""The file that tells Kubernetes' probes whether this server is ready."""

from __future__ import annotations

import logging
from pathlib import Path

__all__ = ["ReadyFile"]

log = logging.getLogger("cog_oci")


class ReadyFile:
    """A file that is there exactly while the server can take predictions; None is no file."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)

    def update(self, *, ready: bool) -> None:
        """Create the file or remove it. A folder that cannot be written is logged, not fatal."""
        if self._path is None:
            return
        try:
            if ready:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("cannot update the ready file %s: %s", self._path, error)
