"""What is missing in an image that was built, for people, with what to write into cog.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog_oci.lock import Lock
    from cog_oci.oci import Image
    from cog_oci.workshop import Workshop

__all__ = ["warn_of_gaps"]


def warn_of_gaps(image: Image, lock: Lock, shop: Workshop) -> None:
    """Say on standard error which libraries are missing that something in the image surely loads; nothing for none.

    Nor is anything said where not all layers are here: a registry may have some that this machine has never seen.
    """
    from cog_oci.closed_world.check import examine

    try:
        gaps = [gap for gap in examine(image, shop.store, shop.progress) if not gap.plugin]
    except FileNotFoundError:
        return
    if not gaps:
        return
    from cog_oci.closed_world.remedies import packages_for, remedy

    packages = packages_for(gaps, lock, image.platform, shop.store, offline=shop.offline)
    for gap in gaps:
        shop.progress.say(f"warning: {gap}\nhint: {remedy(gap, packages)}")
