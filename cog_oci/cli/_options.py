"""Options that several commands share, and how they become values."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._progress import watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.build import Workshop
    from cog_oci.config import Project
    from cog_oci.oci import Platform

__all__ = ["file_option", "platform_option", "platforms", "project", "workshop"]

file_option = click.option(
    "-f", "--file", "file", default="cog.yaml", show_default=True, help="The name of the configuration file."
)
platform_option = click.option(
    "--platform",
    "platform",
    default="linux/amd64",
    show_default=True,
    help="What the image runs on; several, with commas between.",
)


def project(file: str) -> Project:
    """The project of the working folder or of one above; a path to a file names it directly."""
    from cog_oci.config import Project

    path = Path(file)
    return Project.find(Path.cwd() / path.parent, path.name)


def platforms(text: str) -> list[Platform]:
    """`linux/amd64,linux/arm64` as values, each once, in the order given."""
    from cog_oci.oci import Platform

    return [Platform.parse(part.strip()) for part in dict.fromkeys(text.split(","))]


@contextmanager
def workshop() -> Iterator[Workshop]:
    """The store of this machine, and progress for whoever watches standard error."""
    from cog_oci.build import Workshop
    from cog_oci.store import Store, default_root

    with watching() as progress:
        yield Workshop(Store(default_root()), progress)
