"""Options that several commands share, and how they become values."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._progress import watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from cog_oci.build import Built
    from cog_oci.config import Project
    from cog_oci.layers import Compression
    from cog_oci.lock import Lock
    from cog_oci.memory import Memory
    from cog_oci.oci import Platform
    from cog_oci.options import Options
    from cog_oci.workshop import Workshop

    Decorated = Callable[..., Any]

__all__ = [
    "compression_option",
    "file_option",
    "image_options",
    "insecure_option",
    "locked",
    "memory",
    "offline_option",
    "platform_option",
    "platforms",
    "project",
    "schema_option",
    "weights_option",
    "workshop",
]

_WARNED = "cog_oci.cli.warned"
_WHEELS_OF_COG = ("COG_SDK_WHEEL", "COGLET_WHEEL")

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

compression_option = click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd", "none"]),
    help="How layers travel: gzip loads everywhere, zstd is the smallest, none the fastest to load.  "
    "[default: image.compression of cog.yaml, else gzip]",
)

insecure_option = click.option(
    "--insecure-registry",
    "insecure",
    is_flag=True,
    help="Speak plain HTTP with the registry, without TLS; on this machine that is the default.",
)


def project(file: str) -> Project:
    """The project of the working folder or of one above; a path to a file names it directly."""
    from cog_oci.config import Project

    path = Path(file)
    found = Project.find(Path.cwd() / path.parent, path.name, memory())
    _warn(found)
    return found


def _warn(found: Project) -> None:
    """Of keys that are on their way out, as Cog does with every command, and of variables of Cog's; once."""
    from cog_oci.outdated import outdated

    context = click.get_current_context(silent=True)
    if context is None or context.resilient_parsing or _WARNED in context.meta:
        return
    context.meta[_WARNED] = True
    for _, message in outdated(found.config.said):
        click.echo(f"warning: {message}", err=True)
    if given := [name for name in _WHEELS_OF_COG if os.environ.get(name)]:
        which = f"{given[0]} is" if len(given) == 1 else f"{' and '.join(given)} are"
        click.echo(
            f"warning: {which} not used here: with Cog that says where its SDK and its server come from; cog-oci puts"
            " its own into every image",
            err=True,
        )


def locked(found: Project) -> Lock:
    """The project's lock."""
    from cog_oci.lock import Lock

    return Lock.read(found.lock_path, memory())


def record(found: Project, lock: Lock, built: Iterable[Built]) -> Lock:
    """The lock with what its layers have turned out to be; the file has it, too, from now on."""
    recorded = lock.recording({str(one.image.platform): one.layers for one in built})
    if recorded != lock:
        recorded.write(found.lock_path)
    return recorded


def memory() -> Memory:
    """What was checked once on this machine."""
    from cog_oci.memory import Memory
    from cog_oci.store import default_root

    return Memory(default_root() / "checked")


def platforms(text: str) -> list[Platform]:
    """`linux/amd64,linux/arm64` as values, each once, in the order given."""
    from cog_oci.oci import Platform

    return list(dict.fromkeys(Platform.parse(part.strip()) for part in text.split(",")))


def weights_option(command: Decorated) -> Decorated:
    """`--separate-weights`, as in Cog."""
    return click.option(
        "--separate-weights",
        is_flag=True,
        help="Give each large file that is neither code nor media a layer of its own, never compressed.",
    )(command)


def offline_option(command: Decorated) -> Decorated:
    """`--offline`."""
    return click.option(
        "--offline",
        is_flag=True,
        help="Use no network: build from what the store has, as `cog-oci fetch` brought it; as COG_OFFLINE=1 does.",
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
    mounted: bool = False,
) -> Options:
    """How an image is made, from the command line, cog.yaml and the environment (COG_CA_CERT, git, GITHUB_SHA, …)."""
    from cog_oci.options import Options

    certificates: tuple[bytes, ...] = ()
    if given := os.environ.get("COG_CA_CERT"):
        from cog_oci.layers.ca import read_certificates

        certificates = read_certificates(given)
    labels: Mapping[str, str] = {}
    if not mounted:
        from cog_oci import git

        labels = git.labels(found.folder, os.environ)
    return Options(
        compression=compression or found.config.compression,
        leave_out=leave_out,
        separate_weights=separate_weights,
        certificates=certificates,
        labels=labels,
        schema=schema,
        mounted=mounted,
    )


@contextmanager
def workshop(*, offline: bool = False) -> Iterator[Workshop]:
    """The store of this machine, and progress for whoever watches standard error; COG_OFFLINE=1 counts as `offline`."""
    from cog_oci.store import Store, default_root
    from cog_oci.workshop import Workshop

    with watching() as progress:
        silent = offline or os.environ.get("COG_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
        yield Workshop(Store(default_root()), progress, silent)
