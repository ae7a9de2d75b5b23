"""What makes an image no base."""

from __future__ import annotations

from cog_oci.errors import RequestError

__all__ = ["UnfitBaseError"]


class UnfitBaseError(RequestError):
    """An image that cannot be a base: `image` is its name as it was written, `reason` what it lacks or has."""

    def __init__(self, image: str, reason: str, *, hint: str | None = None) -> None:
        self.image, self.reason = image, reason
        super().__init__(f"{image} cannot be a base image: {reason}", asked=image, hint=hint)
