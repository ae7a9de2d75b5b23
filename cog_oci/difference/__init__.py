"""What differs between two locks, and between two images that exist."""

from __future__ import annotations

from cog_oci.difference._config import compare_configs
from cog_oci.difference._files import FileChange, FilesDifference, compare_files
from cog_oci.difference._images import (
    ImageDifference,
    ImagesDifference,
    Placed,
    carried_locks,
    compare_images,
    compare_sources,
)
from cog_oci.difference._layers import LayerChange, LayersDifference, compare_image_layers
from cog_oci.difference._locks import LockDifference, PlatformDifference, compare_locks
from cog_oci.difference._packages import Installed, PackageChange, compare_packages
from cog_oci.difference._values import ValueChange

__all__ = [
    "FileChange",
    "FilesDifference",
    "ImageDifference",
    "ImagesDifference",
    "Installed",
    "LayerChange",
    "LayersDifference",
    "LockDifference",
    "PackageChange",
    "Placed",
    "PlatformDifference",
    "ValueChange",
    "carried_locks",
    "compare_configs",
    "compare_files",
    "compare_image_layers",
    "compare_images",
    "compare_locks",
    "compare_packages",
    "compare_sources",
]
