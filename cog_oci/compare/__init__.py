"""Differences between layers, blobs and configurations: each one located, and named."""

from cog_oci.compare._blobs import compare_blobs, path_at, walk
from cog_oci.compare._configs import compare_configs
from cog_oci.compare._difference import Difference
from cog_oci.compare._layers import compare_layers

__all__ = ["Difference", "compare_blobs", "compare_configs", "compare_layers", "path_at", "walk"]
