"""A lock in the words of others: one file a format, and a row in the table here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.exports import cyclonedx, pylock, requirements
from cog_oci.exports._subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORMATS", "Subject"]

FORMATS: Mapping[str, Callable[[Subject], str]] = {
    "pylock": pylock.render,
    "requirements": requirements.render,
    "cyclonedx": cyclonedx.render,
}
"""Each renders the same subject as the same text, on any machine."""
