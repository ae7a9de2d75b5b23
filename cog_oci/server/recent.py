"""Predictions that have ended lately, for clients that ask later."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog_oci.server.prediction import Prediction

__all__ = ["Recent"]

_COUNT = 1000
_SECONDS = 3600.0
_BYTES = 32 << 20


class Recent:
    """The last thousand, an hour long, as far as they fit into 32 MiB; a newer one of the same id takes the place."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Prediction, float, int]] = OrderedDict()
        self._bytes = 0

    def add(self, prediction: Prediction) -> None:
        """Keep a prediction that has ended."""
        kept, identity, size = self._kept, prediction.id, prediction.size
        if identity in kept:
            self.forget(identity)
        if size > _BYTES:
            return
        kept[identity] = (prediction, time.monotonic(), size)
        self._bytes += size
        while len(kept) > _COUNT or self._bytes > _BYTES:
            self._bytes -= kept.popitem(last=False)[1][2]

    def get(self, identity: str) -> Prediction | None:
        """The prediction of this id, if it is still kept."""
        self._expire()
        kept = self._kept.get(identity)
        return None if kept is None else kept[0]

    def forget(self, identity: str) -> None:
        """Keep nothing under this id."""
        kept = self._kept.pop(identity, None)
        if kept is not None:
            self._bytes -= kept[2]

    def _expire(self) -> None:
        limit = time.monotonic() - _SECONDS
        while self._kept:
            identity, (_, ended, _) = next(iter(self._kept.items()))
            if ended > limit:
                return
            self.forget(identity)
