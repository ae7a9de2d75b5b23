"""Keys of archives that others run: a file of the project, or fetched and known by its fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci import shipped
from cog_oci.apt import DEBIAN
from cog_oci.errors import CogError
from cog_oci.resolver._debian_signature import certificates
from cog_oci.resolver._debian_suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.apt import AptArchive
    from cog_oci.fetch import Fetcher
    from cog_oci.store import Store

__all__ = ["suite_of"]

_KEY_LIMIT = 1 << 20


def suite_of(archive: AptArchive, folder: Path, fetcher: Fetcher, store: Store) -> Suite:
    """What `build.apt` says, with its key at hand: from the project's `folder`, fetched into the store, or the tool's.

    Raises CogError when the key is none, or has another fingerprint, and what `Fetcher.get` raises.
    """
    if archive.name in DEBIAN:
        keyring = shipped.lockfile(f"keyrings/{archive.name}-{archive.suite.partition('-')[0]}.asc")
        if not keyring.is_file():
            raise CogError(
                f"no keys for {archive.name} {archive.suite} ship with the tool", hint="use bookworm or trixie"
            )
    elif archive.key_file is not None:
        keyring = folder / archive.key_file
    else:
        data = fetcher.get(archive.key, limit=_KEY_LIMIT, name=f"the key of {archive.name}")
        keyring = store.path(store.add(data))
    suite = Suite(
        archive=archive.name,
        suite=archive.suite,
        keyring=keyring,
        components=archive.components,
        fingerprint=archive.fingerprint,
        priority=archive.priority,
    )
    certificates(suite)  # a wrong key is better known before the archive is asked
    return suite
