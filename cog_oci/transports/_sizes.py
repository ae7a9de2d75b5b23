"""How large documents may be."""

from __future__ import annotations

__all__ = ["CONFIG_LIMIT", "MANIFEST_LIMIT"]

MANIFEST_LIMIT = 4 << 20
"""Bytes of a manifest or an index at most: what registries take (distribution-spec, "pushing manifests")."""
CONFIG_LIMIT = 16 << 20
"""Bytes of a configuration at most; its labels can be long."""
