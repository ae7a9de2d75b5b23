"""`cog-oci copy`: an image from a registry, an archive or a folder to another place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._delivery_words import delivered
from cog_oci.cli._options import insecure_option, workshop

if TYPE_CHECKING:
    from cog_oci.oci import StoredImage
    from cog_oci.transports.sources import Source
    from cog_oci.workshop import Workshop

__all__ = ["copy"]


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option(
    "-t", "--tag", metavar="NAME[:TAG]", help="What to call it in an archive or a folder.  [default: as in SRC]"
)
@click.option("--platform", help="For which of its platforms; several, with commas between.  [default: all]")
@insecure_option
def copy(*, source: str, target: str, tag: str | None, platform: str | None, insecure: bool) -> None:
    """Copy an image with its lock and its bill of materials.

    \b
    cog-oci copy image.tar registry.example.com/me/model:v1
    cog-oci copy registry.example.com/me/model:v1 registry.example.com/me/model:stable
    cog-oci copy registry.example.com/me/model:v1 model.tar --platform linux/arm64

    SRC and DST are an archive, a folder with an OCI layout, or an image in a registry. DST is an archive when it ends
    with .tar, and a folder when it ends with a slash or is there as one. What DST has is not read from SRC.

    Prints the image's digest, and nothing else, on standard output.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.transports.sources import open_source

    with workshop() as shop, open_source(source) as found:
        images = _wanted(found, platform)
        if target.endswith(("/", ".tar")) or Path(target).is_dir():
            digest = _to_disk(found, images, target, tag, shop)
        else:
            digest = _to_registry(found, images, target, shop, insecure=insecure)
    click.echo(digest)


def _wanted(source: Source, platform: str | None) -> list[StoredImage]:
    """Those for these platforms, in the order of the source; a CogError for one that it does not have."""
    from cog_oci.errors import CogError

    images = source.images()
    if platform is None:
        return images
    asked = {text.strip() for text in platform.split(",")}
    # `linux/arm64` is what most people call `linux/arm64/v8`.
    names = [{str(one.platform), f"{one.platform.os}/{one.platform.architecture}"} for one in images]
    if missing := sorted(asked - set().union(*names)):
        there = ", ".join(str(image.platform) for image in images)
        raise CogError(f"{source.name} has nothing for {', '.join(missing)}, only for {there}")
    return [image for image, called in zip(images, names, strict=True) if called & asked]


def _to_disk(source: Source, images: list[StoredImage], target: str, tag: str | None, shop: Workshop) -> str:
    from cog_oci.errors import CogError
    from cog_oci.image_config import LOCK_LABEL
    from cog_oci.reference import Reference
    from cog_oci.transports import archive, layout
    from cog_oci.transports.carrying import attachments, bring

    reference = Reference.parse(tag) if tag else source.reference
    if reference is None:
        raise CogError(f"{source.name} does not say what the image is called", hint="name it, with -t NAME:TAG")
    attached = [blob for one in attachments(source, images, LOCK_LABEL) for blob in one.blobs]
    whole = archive.Archive(images, reference, attached)
    for blob in whole.blobs:
        bring(source, blob, shop.store)
    path = Path(target).absolute()
    write = layout.write_folder if target.endswith("/") or path.is_dir() else archive.write_file
    write(path, whole, shop.store, shop.progress)
    shop.progress.say(f"wrote {target} ({reference.familiar})")
    return whole.descriptor.digest


def _to_registry(source: Source, images: list[StoredImage], target: str, shop: Workshop, *, insecure: bool) -> str:
    from cog_oci.image_config import LOCK_LABEL
    from cog_oci.transports._place import Place
    from cog_oci.transports.archive import Archive
    from cog_oci.transports.carrying import attachments, bring, note
    from cog_oci.transports.registry import Limits, Registry

    place = Place.parse(target).tagged()
    with place.open(insecure=insecure) as repository:
        note(source, images, shop.store)
        with Registry(
            *(repository, shop.store, Limits.of(os.environ), shop.progress),
            provide=lambda blob: bring(source, blob, shop.store),
        ) as registry:
            delivery = registry.push(Archive(images, place.reference), attachments(source, images, LOCK_LABEL))
    shop.progress.say(f"pushed {place.reference.full}: {delivered(delivery)}")
    return delivery.descriptor.digest
