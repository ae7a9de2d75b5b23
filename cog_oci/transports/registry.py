"""An image into a registry (distribution-spec v1.1): what is there is not sent, and what is near is mounted.

Blobs first, a few at once; then the manifests, the documents about them, and last the tag. Whoever looks at the tag
meanwhile sees the old image whole, or the new one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cog_oci.oci import Descriptor, MediaType, sha256
from cog_oci.progress import SILENT
from cog_oci.transports._referrers import Referrers
from cog_oci.transports._sender import Sender
from cog_oci.transports._upload import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from types import TracebackType

    from cog_oci.oci import Attachment, Digest, LayerBlob
    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports._distribution import Outcome, Repository
    from cog_oci.transports._sender import Fate
    from cog_oci.transports.archive import Archive

__all__ = ["Delivery", "Limits", "Registry"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a push did with each blob, configurations and the like included, and how many bytes of them it sent.

    `wire` counts what was sent again after a failure, too. `descriptor` is of the whole, as the registry names it.
    """

    descriptor: Descriptor
    sent: tuple[Descriptor, ...]
    mounted: tuple[Descriptor, ...]
    there: tuple[Descriptor, ...]
    wire: int


class Registry:
    """One repository to push to, as a context that ends what is on its way when there is an error.

    Blobs come from the store; `provide` brings one there that must be sent and is not. A registry may
    be pushed to by many at once: nothing that another one does to it is undone.
    """

    def __init__(
        self,
        repository: Repository,
        store: Store,
        limits: Limits | None = None,
        progress: Progress = SILENT,
        provide: Callable[[Descriptor], object] = lambda _: None,
    ) -> None:
        self._repository, self._store = repository, store
        self._concurrency = (limits or Limits()).concurrency
        self._sender = Sender(repository, store, limits, progress, provide)

    def __enter__(self) -> Self:
        self._sender.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As of Sender."""
        self._sender.__exit__(kind, error, trace)

    def take(self, layer: LayerBlob) -> None:
        """Begin with a layer of what will be pushed, while the rest of it is still made."""
        self._sender.begin([layer.descriptor], {layer.descriptor.digest: layer.name})

    def push(self, whole: Archive, attachments: Sequence[Attachment] = ()) -> Delivery:
        """The image under its tag, and the documents that belong to it as its referrers.

        Raises RegistryError, LoginError, and CogError for a blob that the store does not have.
        """
        names = {layer.descriptor.digest: layer.name for image in whole.images for layer in image.layers}
        blobs = [*whole.blobs, *self._documents(whole, attachments)]
        fates = self._sender.send(list({blob.digest: blob for blob in blobs}.values()), names)
        self._manifests(whole, attachments, {blob.digest for blob, fate in fates if fate == "sent"})

        def having(fate: Fate) -> tuple[Descriptor, ...]:
            return tuple(blob for blob, its in fates if its == fate)

        return Delivery(whole.descriptor, having("sent"), having("mounted"), having("there"), self._sender.wire)

    def _manifests(self, whole: Archive, attachments: Sequence[Attachment], sent: AbstractSet[Digest]) -> None:
        """From what names nothing but blobs to the tag. What names something new is new, and not asked for."""
        put = self._repository.put_manifest
        new = set()
        for image in whole.images:
            name = image.descriptor.digest
            if put(name, image.manifest, image.descriptor.media_type, new=image.content_id in sent) != "there":
                new.add(name)

        def attach(attachment: Attachment) -> Outcome:
            document = attachment.manifest_document
            return put(sha256(document), document, MediaType.MANIFEST, new=attachment.subject.digest in new)

        with ThreadPoolExecutor(self._concurrency) as pool:
            known = list(pool.map(attach, attachments))
        unlisted = [one for one, outcome in zip(attachments, known, strict=True) if outcome != "listed"]
        Referrers(self._repository).add(unlisted)
        document = whole.index or whole.images[0].manifest
        put(whole.reference.tag, document, whole.descriptor.media_type, new=bool(new))

    def _documents(self, whole: Archive, attachments: Sequence[Attachment]) -> list[Descriptor]:
        """The small blobs, which are in the store after this: configurations, and what is attached."""
        small = [(MediaType.CONFIG, image.config) for image in whole.images]
        for attachment in attachments:
            small += [(MediaType.EMPTY, attachment.EMPTY), (attachment.artifact_type, attachment.data)]
        return [Descriptor(kind, self._store.add(data), len(data)) for kind, data in small]
