"""What a push did, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cog_oci.cli._words import human, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.oci import Descriptor
    from cog_oci.reference import Reference
    from cog_oci.transports.registry import Delivery

__all__ = ["delivered", "delivery_document"]


def delivered(delivery: Delivery) -> str:
    """`sent 2 blobs (1.2 MB), mounted 1 (30.0 MB), 5 were there (120.0 MB)`."""

    def size(blobs: Sequence[Descriptor]) -> str:
        return human(sum(blob.size for blob in blobs))

    parts = [f"sent {plural(len(delivery.sent), 'blob')} ({human(delivery.wire)})"]
    if delivery.mounted:
        parts.append(f"mounted {len(delivery.mounted)} ({size(delivery.mounted)})")
    if delivery.there:
        parts.append(f"{len(delivery.there)} already there ({size(delivery.there)})")
    return ", ".join(parts)


def delivery_document(reference: Reference, delivery: Delivery) -> dict[str, Any]:
    """The same as a value for JSON: digests of blobs, and bytes that went over the wire."""

    def digests(blobs: Sequence[Descriptor]) -> list[str]:
        return [blob.digest for blob in blobs]

    return {
        "name": reference.full,
        "digest": delivery.descriptor.digest,
        "sent": digests(delivery.sent),
        "mounted": digests(delivery.mounted),
        "there": digests(delivery.there),
        "wire": delivery.wire,
    }
