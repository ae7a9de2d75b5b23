"""What is in an image that exists: every file of every layer, the root that they make, and whose files those are."""

from __future__ import annotations

from cog_oci.contents._contents import Contents, read_contents
from cog_oci.contents._members import DamagedLayerError, LayerContents, Member, read_layer
from cog_oci.contents._packages import Package
from cog_oci.contents._root import Hidden, Root, Seen
from cog_oci.contents._usage import Copies, FileUsage, LayerUsage, OwnerUsage, Usage, usage

__all__ = [
    "Contents",
    "Copies",
    "DamagedLayerError",
    "FileUsage",
    "Hidden",
    "LayerContents",
    "LayerUsage",
    "Member",
    "OwnerUsage",
    "Package",
    "Root",
    "Seen",
    "Usage",
    "read_contents",
    "read_layer",
    "usage",
]
