"""The build cache of a command that builds."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.config import Project
    from cog_oci.workshop import Workshop

__all__ = ["caching"]


@contextmanager
def caching(shop: Workshop, found: Project) -> Iterator[Workshop]:
    """The workshop with the cache that the environment, the user or the project names; as it is where nobody does.

    Who is offline has none.
    """
    from cog_oci.cache_settings import cache_settings
    from cog_oci.cli._options import memory

    settings = None if shop.offline else cache_settings(found.config.cache, os.environ, memory())
    if settings is None:
        yield shop
        return
    from cog_oci.cache import Cache

    with Cache(settings, shop.store, shop.progress) as cache:
        yield replace(shop, cache=cache)
