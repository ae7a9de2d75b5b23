"""The model's wheels as a pylock.toml (PEP 751), which pip and uv install."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from cog_oci.lock import Source

if TYPE_CHECKING:
    from cog_oci.exports._subject import Subject
    from cog_oci.lock import Wheel

__all__ = ["render"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def render(subject: Subject) -> str:
    """One package a wheel, each with the address of the file: that is asked of the index, as PEP 751 wants one.

    What was built is what it was built from. Paths are from the project's folder, where the file belongs.

    Raises what fetching an index page raises.
    """
    machine = _MACHINES[subject.platform.architecture]
    with ThreadPoolExecutor(8, thread_name_prefix="locate") as pool:
        addresses = list(pool.map(lambda wheel: _address(subject, wheel), subject.parts.wheels))
    where = f"sys_platform == 'linux' and platform_machine == '{machine}'"
    head = [
        'lock-version = "1.0"',
        f"environments = [{_text(where)}]",
        f"requires-python = {_text(f'=={subject.parts.interpreter.version}.*')}",
        'created-by = "cog-oci"',
    ]
    packages = [_package(wheel, url) for wheel, url in zip(subject.parts.wheels, addresses, strict=True)]
    return "\n".join([*head, *packages])


def _package(wheel: Wheel, url: str) -> str:
    return f"\n[[packages]]\nname = {_text(wheel.name)}\nversion = {_text(wheel.version)}\n{_place(wheel, url)}\n"


def _place(wheel: Wheel, url: str) -> str:
    """What a package is installed from: a wheel or a source archive of an index, a file, or a commit."""
    source = wheel.source
    if source is None:
        return f"wheels = [{_table(name=wheel.file, url=url, size=wheel.size, hashes=wheel.sha256)}]"
    if source.commit:
        more = {"requested-revision": source.revision, "commit-id": source.commit, "subdirectory": source.subdirectory}
        return f"vcs = {_table(type='git', url=source.url, **more)}"
    hashes, size = source.sha256 or wheel.sha256, source.size or wheel.size
    if source.index:
        return f"sdist = {_table(name=source.file, url=url, size=size, hashes=hashes)}"
    place = {"path": source.path} if source.path else {"url": url}
    return f"archive = {_table(**place, size=size, hashes=hashes, subdirectory=source.subdirectory)}"


def _table(**values: str | int) -> str:
    """An inline table of what is said; `hashes` is a sha256."""
    rows = (
        f"{name} = {{sha256 = {_text(str(value))}}}"
        if name == "hashes"
        else f"{name} = {_text(value) if isinstance(value, str) else value}"
        for name, value in values.items()
        if value
    )
    return f"{{{', '.join(rows)}}}"


def _address(subject: Subject, wheel: Wheel) -> str:
    """Where the file is, without a password: whoever installs from the export has their own."""
    source = wheel.source
    if source is not None and (source.path or source.commit):
        return ""
    if source is not None and source.index:
        wheel = replace(
            wheel, file=source.file, sha256=source.sha256, size=source.size, index=source.index, source=None
        )
    elif source is not None:
        wheel = replace(wheel, source=Source(url=source.url))
    parts = urlsplit(next(iter(subject.locate(wheel))))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _text(value: str) -> str:
    """A basic string of TOML, which a JSON string is as long as nothing outside of Unicode's first plane is escaped."""
    return json.dumps(value, ensure_ascii=False)
