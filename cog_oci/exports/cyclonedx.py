"""Everything in the image as a CycloneDX bill of materials (JSON, version 1.6), for scanners and for lawyers."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cog_oci.apt import DEBIAN
from cog_oci.lock import BaseLayer, Deb, Wheel
from cog_oci.oci import Attachment, MediaType, canonical_json
from cog_oci.reasons import Kind, Reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cog_oci.exports._subject import Subject
    from cog_oci.lock import Artifact, Lock, PlatformLock
    from cog_oci.oci import Descriptor, Platform

__all__ = ["attachment", "render"]

_NAMESPACE = uuid.UUID("b5ac9f0c-6ac5-5f2f-9a86-0f5bd5cf6c5a")


def render(subject: Subject) -> str:
    """Every wheel and every deb with hash, licence, package URL, and what depends on what.

    The licences are in the files, so all are brought into the store. The serial number is a hash of the rest, and the
    time stamp that of the lock.
    """
    from cog_oci.declared import licences  # noqa: PLC0415 - the bill that travels reads no file

    subject.bring(one for one in subject.parts.artifacts() if not isinstance(one, BaseLayer))
    debs = {deb.name: deb for deb in subject.parts.debs}
    bill = _Bill(
        subject.name, subject.as_of, subject.platform, subject.parts, lambda one: licences(one, subject.store, debs)
    )
    return bill.text()


def attachment(image: Descriptor, name: str, lock: Lock, platform: Platform) -> Attachment:
    """The bill as it travels with an image: that of `render` without the licences.

    It is a function of the lock and the name alone. Licences are in files that a machine may never have had, and one
    image must not have two bills.
    """
    bill = _Bill(name, lock.as_of, platform, lock.platform(platform), lambda _: ())
    return Attachment(image, MediaType.CYCLONEDX, bill.text().encode())


@dataclass(frozen=True, slots=True)
class _Bill:
    """What the bill is of; `licences` gives those of an artifact."""

    name: str
    as_of: str
    platform: Platform
    parts: PlatformLock
    licences: Callable[[Artifact], tuple[str, ...]]

    def text(self) -> str:
        root = f"{self.name}@{self.platform}"
        body = {
            "metadata": {
                "timestamp": self.as_of,
                "tools": {"components": [{"type": "application", "name": "cog-oci"}]},
                "component": {"type": "container", "bom-ref": root, "name": self.name},
            },
            "components": [*self._base_image(), *map(self._component, self._packages())],
            "dependencies": list(self._dependencies(root)),
        }
        serial = uuid.uuid5(_NAMESPACE, canonical_json(body).decode()).urn
        head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial, "version": 1}
        return json.dumps({**head, **body}, indent=2, ensure_ascii=False) + "\n"

    def _packages(self) -> Iterator[Artifact]:
        return (one for one in self.parts.artifacts() if not isinstance(one, BaseLayer))

    def _base_image(self) -> Iterator[dict[str, Any]]:
        """The image below, where there is one: what is in it is for its own bill to say."""
        if (base := self.parts.base_image) is not None:
            name, version = base.reference.rpartition("/")[2], quote(base.manifest, safe="")
            where = quote(base.reference.rpartition("://")[2], safe="")
            purl = f"pkg:oci/{name}@{version}?arch={base.architecture}&repository_url={where}"
            yield {
                "type": "container",
                "bom-ref": purl,
                "name": base.reference,
                "version": base.manifest,
                "hashes": [{"alg": "SHA-256", "content": base.manifest.removeprefix("sha256:")}],
                "purl": purl,
            }

    def _component(self, artifact: Artifact) -> dict[str, Any]:
        found = {
            "type": "library",
            "bom-ref": self._reference(artifact),
            "name": artifact.name,
            "version": artifact.version,
            "hashes": [{"alg": "SHA-256", "content": artifact.sha256}],
            "purl": self._purl(artifact),
        }
        if said := _licences(self.licences(artifact)):
            found["licenses"] = said
        return found

    def _purl(self, artifact: Artifact) -> str:
        """A package URL (ECMA-427): type, name, version, and for a deb the architecture and the release."""
        version = quote(artifact.version, safe="")
        if isinstance(artifact, Deb):
            suite = self.parts.interpreter.suite
            name = quote(artifact.name, safe="")
            if artifact.archive not in DEBIAN:  # what Debian's advisories say is not about these
                return f"pkg:deb/{artifact.archive}/{name}@{version}?arch={artifact.architecture}"
            return f"pkg:deb/debian/{name}@{version}?arch={artifact.architecture}&distro={suite}"
        kind = "pypi" if isinstance(artifact, Wheel) else "generic"
        return f"pkg:{kind}/{artifact.name}@{version}{_whence(artifact)}"

    def _reference(self, artifact: Artifact) -> str:
        """Unlike its package URL, there is one for each file: the server may have a wheel of another version."""
        return f"{self._purl(artifact)}#{artifact.sha256[:16]}"

    def _dependencies(self, root: str) -> Iterator[dict[str, Any]]:
        reasons = Reasons(self.parts)
        kinds: tuple[tuple[Kind, tuple[Artifact, ...]], ...] = (
            ("python", self.parts.wheels),
            ("debian", self.parts.debs),
            ("server", self.parts.server),
            ("interpreter", (self.parts.interpreter.archive,) if self.parts.interpreter.archive else ()),
        )
        below: dict[str, set[str]] = {root: set()}
        for kind, artifacts in kinds:
            here = {one.name: self._reference(one) for one in artifacts}
            for locked in (found for one in artifacts for found in reasons.find(one.name) if found.kind == kind):
                below.setdefault(here[locked.artifact.name], set())
                for asker in reasons.askers(locked) or ("",):
                    below.setdefault(here.get(asker, root), set()).add(here[locked.artifact.name])
        for reference, on in sorted(below.items()):
            yield {"ref": reference, "dependsOn": sorted(on)}


def _licences(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """One SPDX expression, or names as they are written."""
    if len(names) == 1:
        from packaging.licenses import (  # noqa: PLC0415 - the bill that travels has none
            InvalidLicenseExpression,
            canonicalize_license_expression,
        )

        try:
            return [{"expression": str(canonicalize_license_expression(names[0]))}]
        except InvalidLicenseExpression:
            pass
    return [{"license": {"name": name}} for name in names]


def _whence(artifact: Artifact) -> str:
    """The qualifiers of a package URL that say where a wheel comes from that no index has."""
    source = artifact.source if isinstance(artifact, Wheel) else None
    if source is None or not source.url:
        return ""
    if source.commit:
        return f"?vcs_url={quote(f'git+{source.url}@{source.commit}', safe='/')}"
    return f"?download_url={quote(source.url, safe='/')}"
