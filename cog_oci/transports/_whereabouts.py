"""In which repositories blobs lie, as far as this machine has put or found them there: what can be mounted."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cog_oci.oci import Digest
    from cog_oci.store import Store

__all__ = ["Whereabouts"]

_KEPT = 8


class Whereabouts:
    """Of one registry. What is noted may be out of date: a registry that does not have the blob says so."""

    def __init__(self, store: Store, host: str) -> None:
        self._folder = store.root / "whereabouts" / hashlib.sha256(host.encode()).hexdigest()[:16]

    def of(self, digest: Digest) -> list[str]:
        """The repositories, those that were noted last first."""
        try:
            return self._file(digest).read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []

    def note(self, path: str, digests: Iterable[Digest]) -> None:
        """The repository `path` has these blobs."""
        for digest in digests:
            known = self.of(digest)
            if known[:1] != [path]:
                self._folder.mkdir(parents=True, exist_ok=True)
                file = self._file(digest)
                temporary = file.with_name(f"{file.name}.{os.urandom(8).hex()}")
                temporary.write_text("\n".join(dict.fromkeys([path, *known][:_KEPT])), encoding="utf-8")
                temporary.replace(file)

    def _file(self, digest: Digest) -> Path:
        return self._folder / digest.removeprefix("sha256:")
