"""Commands that build an image, run again where that tells something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers.steps import StepLayer
from cog_oci.steps import Allowance, StepRunner, cannot_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress

__all__ = ["prepared"]


def prepared(
    layer: Layer, platform: Platform, parts: PlatformLock, progress: Progress, compression: Compression
) -> Layer | str:
    """A step with what runs it, without network and secrets, or why it is not run; any other layer as it is."""
    if not isinstance(layer, StepLayer):
        return layer
    if reason := _why_not(layer, platform):
        return f"taken as recorded: {reason}"
    return layer.run_by(StepRunner(platform, parts, Allowance(offline=True), _no_archive, progress, compression))


def _why_not(layer: StepLayer, platform: Platform) -> str | None:
    """Why a step is not run again; None when it is to be.

    What comes over the network may be something else today, and secrets are not for those who verify.
    """
    steps = [*(below for below in layer.below if isinstance(below, StepLayer)), layer]
    for one in steps:
        who = "it" if one is layer else f"{one.name}, which it stands on,"
        if one.step.network:
            return f"{who} uses the network"
        if one.step.secrets:
            return f"{who} needs secrets"
    reason = cannot_run(platform)
    return f"it has to be run, and cannot be here: {reason}" if reason else None


def _no_archive(_: str) -> Sequence[str]:
    return ()
