"""What belongs to an image in a registry (distribution-spec v1.1, "listing referrers" and "referrers tag schema")."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cog_oci.errors import CogError
from cog_oci.oci import Digest, MediaType, canonical_json, sha256
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._sizes import MANIFEST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cog_oci.oci import Attachment
    from cog_oci.transports._distribution import Repository

__all__ = ["Referrers"]

_TRIES = 5  # at a tag that others change at the same time


class Referrers:
    """The lists of one repository: the registry's own, or a tag in its place where the registry keeps none."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def add(self, attachments: Iterable[Attachment]) -> None:
        """Have the attachments listed, which were pushed without the registry saying that it does.

        Where a tag takes the place of the list, it is read, added to and read again: another one may have written in
        between. Raises RegistryError.
        """
        entries: dict[Digest, dict[Digest, dict[str, Any]]] = {}
        for attachment in attachments:
            document = attachment.manifest_document
            entry = {
                "mediaType": MediaType.MANIFEST,
                "digest": sha256(document),
                "size": len(document),
                "artifactType": attachment.artifact_type,
            }
            entries.setdefault(attachment.subject.digest, {})[sha256(document)] = entry
        for subject, wanted in entries.items():
            listed = _digests(self._index(f"referrers/{subject}")[0])
            if missing := {digest: entry for digest, entry in wanted.items() if digest not in listed}:
                self._add_to_tag(subject, missing)

    def _add_to_tag(self, subject: Digest, entries: Mapping[Digest, dict[str, Any]]) -> None:
        tag = subject.replace(":", "-")
        written = b""
        for _ in range(_TRIES):
            index, etag = self._index(f"manifests/{tag}", known=written)
            listed = _digests(index)
            missing = [entry for digest, entry in entries.items() if digest not in listed]
            if not missing:
                return
            rows = sorted([*index.get("manifests", []), *missing], key=lambda each: str(each["digest"]))
            written = canonical_json({**index, "schemaVersion": 2, "mediaType": MediaType.INDEX, "manifests": rows})
            try:
                self._repository.put_manifest(tag, written, MediaType.INDEX, new=True, in_place_of=etag)
            except RegistryError as error:
                if error.status != HTTPStatus.PRECONDITION_FAILED:
                    raise
        raise CogError(
            f"{self._repository.host}/{self._repository.path}: others change the list of what belongs to {subject} "
            "all the time",
            hint="push again",
        )

    def of(self, subject: Digest, artifact_type: str) -> list[Digest]:
        """The artifacts of this type that are listed for the image, or may be: not every list says of which type."""
        filtered = f"referrers/{subject}?artifactType={quote(artifact_type, safe='')}"
        listed = [*self._entries(filtered), *self._entries(f"manifests/{subject.replace(':', '-')}")]
        found = {Digest(one["digest"]) for one in listed if one.get("artifactType") in {artifact_type, None}}
        return sorted(found)

    def _entries(self, name: str) -> list[dict[str, Any]]:
        return list(self._index(name)[0].get("manifests") or ())

    def _index(self, name: str, known: bytes = b"") -> tuple[dict[str, Any], str]:
        """The list and its ETag; an empty one where there is none. `known` is what we have written ourselves."""
        try:
            with self._repository.get(name, {"Accept": MediaType.INDEX}) as response:
                data = response.raw.read(MANIFEST_LIMIT, decode_content=True)
                etag = response.headers.get("ETag", "")
        except RegistryError as error:
            # Some registries answer with 400 or 405 to paths that they do not know.
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED}:
                raise
            return {}, ""
        if data != known:
            from cog_oci.documents import Index, parse  # noqa: PLC0415 - most often there is none, or our own

            parse(Index, data, f"{self._repository.host}/{self._repository.path}/{name}")
        document: dict[str, Any] = json.loads(data)
        return document, etag


def _digests(index: dict[str, Any]) -> set[Digest]:
    return {entry["digest"] for entry in index.get("manifests") or ()}
