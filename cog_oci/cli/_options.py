"""Options that several commands share, and how they become values."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._progress import watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from cog_oci.build import Workshop
    from cog_oci.config import Project
    from cog_oci.layers import Compression
    from cog_oci.oci import Platform
    from cog_oci.plan import Options

    Decorated = Callable[..., Any]

__all__ = [
    "file_option",
    "image_options",
    "platform_option",
    "platforms",
    "project",
    "schema_option",
    "weights_option",
    "workshop",
]

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


def weights_option(command: Decorated) -> Decorated:
    """`--separate-weights`, as in Cog."""
    return click.option(
        "--separate-weights",
        is_flag=True,
        help="Give each large file that is neither code nor media a layer of its own, never compressed.",
    )(command)


def schema_option(command: Decorated) -> Decorated:
    """`--openapi-schema`, as in Cog."""
    return click.option(
        "--openapi-schema",
        "schema",
        metavar="FILE",
        envvar="COG_OPENAPI_SCHEMA",
        type=click.Path(path_type=Path),
        help="Take this OpenAPI document for the model's interface, and do not read its source.",
    )(command)


def image_options(
    found: Project,
    *,
    compression: Compression | None = None,
    leave_out: frozenset[Path] = frozenset(),
    separate_weights: bool = False,
    schema: Path | None = None,
) -> Options:
    """How an image is made, from the command line, cog.yaml and the environment (COG_CA_CERT, git, GITHUB_SHA, …)."""
    from cog_oci import git
    from cog_oci.plan import Options

    certificates: tuple[bytes, ...] = ()
    if given := os.environ.get("COG_CA_CERT"):
        from cog_oci.layers.ca import read_certificates

        certificates = read_certificates(given)
    return Options(
        compression=compression or found.config.compression,
        leave_out=leave_out,
        separate_weights=separate_weights,
        certificates=certificates,
        labels=git.labels(found.folder, os.environ),
        schema=schema,
    )


@contextmanager
def workshop() -> Iterator[Workshop]:
    """The store of this machine, and progress for whoever watches standard error."""
    from cog_oci.build import Workshop
    from cog_oci.store import Store, default_root

    with watching() as progress:
        yield Workshop(Store(default_root()), progress)
