"""The check of the registry that `image:` names: whether this machine is logged in there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Finding
from cog_oci.errors import CogError, SourceError
from cog_oci.reference import Reference
from cog_oci.transports._credentials import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._subject import Subject

__all__ = ["registry_login"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def registry_login(subject: Subject) -> Iterator[Finding]:
    """Nothing is sent: what is asked is what `cog-oci login`, `docker login` and `podman login` left here.

    A name without an owner is one for this machine, and a registry on this machine asks for no login as a rule.
    """
    if isinstance(subject.project, SourceError) or not (name := subject.project.config.image_name):
        return
    in_mapping = isinstance(subject.values.get("image"), dict)
    place = subject.place("image", "name") if in_mapping else subject.place("image")
    try:
        reference = Reference.parse(name)
        if "/" not in reference.full.removeprefix("docker.io/library/") or reference.host.startswith(_LOOPBACK):
            return
        found = credentials(reference.host, reference.path)
    except CogError as error:
        remedy = error.hint or "Correct it"
        yield Finding(level="error", message=str(error), remedy=remedy[:1].upper() + remedy[1:], place=place)
        return
    if found is None:
        yield Finding(
            level="warning",
            message=f"there is no login for {reference.host}, where image: {name} belongs",
            remedy=f"Run `cog-oci login {reference.host}`",
            place=place,
        )
