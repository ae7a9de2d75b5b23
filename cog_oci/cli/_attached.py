"""What goes along with an image that was built: its lock and its bill of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from cog_oci.build import Built
    from cog_oci.config import Project
    from cog_oci.lock import Lock
    from cog_oci.oci import Attachment

__all__ = ["attached"]

_UNNAMED = "model"  # in place of a name that would be that of somebody's folder


def attached(found: Project, lock: Lock, built: Collection[Built]) -> list[Attachment]:
    """The lock and the bill of each image, for the places that keep documents about images."""
    from cog_oci.exports.cyclonedx import attachment

    name = found.config.image_name or _UNNAMED
    bills = [attachment(one.image.descriptor, name, lock, one.image.platform) for one in built]
    return [*(one.lock for one in built), *bills]
