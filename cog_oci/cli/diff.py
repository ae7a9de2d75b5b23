"""`cog-oci diff`: what differs between two locks, two images, or a lock and an image."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from cog_oci.cli._diff_words import image_lines, lock_lines
from cog_oci.cli._progress import watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.contents import Member
    from cog_oci.difference import ImageDifference, ImagesDifference, LockDifference
    from cog_oci.lock import Lock
    from cog_oci.oci import StoredImage
    from cog_oci.progress import Progress
    from cog_oci.transports.sources import Source

__all__ = ["diff"]

_MOST = 15


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--no-files", is_flag=True, help="Do not read the layers of images: all but their files is compared.")
@click.option("--all", "everything", is_flag=True, help=f"Show whole lists, not the first {_MOST} of each.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, sizes in bytes.")
@click.option("--exit-code", is_flag=True, help="End with status 1 when A and B differ, as `git diff` does.")
@click.pass_context
def diff(
    context: click.Context,
    *,
    before: str,
    after: str,
    no_files: bool,
    everything: bool,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Show how B differs from A.

    \b
    cog-oci diff old.lock cog.lock
    cog-oci diff old.tar registry.example.com/me/model:v1
    cog-oci diff . image.tar           does the image have what cog.lock says?

    Each is a lock, a project's folder (its cog.lock), or an image: an archive, a folder with an OCI layout, or a name
    in a registry. Two locks are compared by packages and inputs; two images by packages, configuration, files as a
    container sees them, and layers, with the bytes that have to move when B goes where A is; a lock and an image by the
    lock that the image carries. Images are equal when their content is, whatever envelopes it travels in.

    The exit status is 0 when the comparison could be made, whatever it says, unless --exit-code asks for 1 when A and B
    differ; an error is 1 too, and begins with `error:` on standard error.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    with watching() as progress, _opened(before) as one, _opened(after) as other:
        found = _compared(one, other, files=not no_files, progress=progress)
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
    else:
        for line in _lines(found, None if everything else _MOST):
            click.echo(line)
    context.exit(1 if exit_code and not found.equal else 0)


@contextmanager
def _opened(text: str) -> Iterator[Lock | Source]:
    """What the user means, a lock or an image."""
    from cog_oci.lock import Lock
    from cog_oci.transports.sources import open_source

    path = Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib raises for a user who is not known
    if path.is_dir() and not (path / "oci-layout").exists():
        yield Lock.read(path / "cog.lock")
    elif path.is_file() and _is_lock(path):
        yield Lock.from_bytes(path.read_bytes(), text)
    else:
        with open_source(text) as source:
            yield source


def _is_lock(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".lock" or file.read(1) == b"{"


def _compared(
    before: Lock | Source, after: Lock | Source, *, files: bool, progress: Progress
) -> LockDifference | ImagesDifference:
    from cog_oci.difference import carried_locks, compare_locks, compare_sources
    from cog_oci.lock import Lock

    if isinstance(before, Lock) and isinstance(after, Lock):
        return compare_locks(before, after)
    if isinstance(before, Lock):
        carried = carried_locks(cast("Source", after))
        return compare_locks(_narrowed(before, carried), carried)
    if isinstance(after, Lock):
        carried = carried_locks(before)
        return compare_locks(carried, _narrowed(after, carried))
    return compare_sources(before, after, files=files, progress=progress)


def _narrowed(lock: Lock, carried: Lock) -> Lock:
    """The lock for the platforms of an image: one that was not built is no difference."""
    platforms = {name: parts for name, parts in lock.platforms.items() if name in carried.platforms}
    return replace(lock, platforms=platforms)


def _lines(found: LockDifference | ImagesDifference, most: int | None) -> Iterator[str]:
    from cog_oci.difference import LockDifference

    return lock_lines(found, most) if isinstance(found, LockDifference) else image_lines(found, most)


def _document(found: LockDifference | ImagesDifference) -> dict[str, Any]:
    from cog_oci.difference import LockDifference

    if isinstance(found, LockDifference):
        return {"equal": found.equal, **asdict(found)}
    platforms = {name: _image_document(one) for name, one in found.platforms.items()}
    return {"equal": found.equal, "added": found.added, "removed": found.removed, "platforms": platforms}


def _image_document(one: ImageDifference) -> dict[str, Any]:
    return {
        "equal": one.equal,
        "before": _identity(one.before),
        "after": _identity(one.after),
        "layers": asdict(one.layers),
        "config": [asdict(change) for change in one.config],
        "packages": [asdict(change) for change in one.packages],
        "lock": asdict(one.lock) if one.lock else None,
        "files": one.files
        and {
            "touched": one.files.touched,
            "changes": [
                {
                    "path": f"/{change.path}",
                    "what": change.what,
                    "package": change.package or None,
                    "before": _member(change.before),
                    "after": _member(change.after),
                }
                for change in one.files.changes
            ],
        },
    }


def _identity(image: StoredImage) -> dict[str, str]:
    return {"platform": str(image.platform), "digest": image.descriptor.digest, "content_id": image.content_id}


def _member(member: Member | None) -> dict[str, Any] | None:
    if member is None:
        return None
    return {**asdict(member), "path": f"/{member.path}", "mode": f"{member.mode:04o}"}
