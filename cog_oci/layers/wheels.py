"""Python packages as layers: each large wheel alone, the rest with the virtual environment that they are in."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from cog_oci.layers import recipe
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.lock import Wheel
    from cog_oci.store import Store

__all__ = ["WheelLayer", "group"]

_VERSION = 2
_ALONE = 8 << 20  # a wheel of this many bytes has a layer to itself
_MOST_ALONE = 12
_LARGEST = 1 << 30  # bytes of a wheel that are one blob: registries and clients move several blobs at once
_TOGETHER = 32 << 20  # bytes of small wheels that are one layer
_MOST_GROUPS = 3


@dataclass(frozen=True)
class WheelLayer:
    """Some of the wheels of an image, installed in its virtual environment.

    The layer with `skeleton` also has the environment itself, and is the one that checks that no two wheels of
    `everything` want the same path. A wheel too large for one blob is in several layers: `part` is (this, of how many).
    One that is `early` is what commands need that come before all others.
    """

    python_version: str
    base_python: str
    wheels: tuple[Wheel, ...]
    everything: tuple[Wheel, ...] = ()
    skeleton: bool = False
    part: tuple[int, int] = (1, 1)
    number: int = 0
    early: bool = False

    @property
    def name(self) -> str:
        """`python`, `python 2`, `python torch`, `python torch 1/2` or `python pre_install`."""
        if self.early:
            return "python pre_install"
        if self.skeleton:
            return "python"
        if self.number:
            return f"python {self.number}"
        this, count = self.part
        return f"python {self.wheels[0].name}" + (f" {this}/{count}" if count > 1 else "")

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        if self.early:
            return "the virtual environment, and what build.pre_install calls of pip and uv; changes when that does"
        if self.skeleton:
            return "the virtual environment and small wheels; changes when any wheel does"
        if self.number:
            return f"{len(self.wheels)} small wheels, put together by their names; changes when one of them does"
        if self.part[1] > 1:
            return "a part of one very large wheel; changes when it does"
        return "one large wheel; changes when it does"

    @property
    def artifacts(self) -> tuple[Wheel, ...]:
        """The wheels, and those that are checked against one another."""
        return self.everything or self.wheels

    @cached_property
    def recipe(self) -> str:
        """By the wheels' hashes, never their names."""
        return recipe(
            "wheels",
            _VERSION,
            python=self.python_version,
            base_python=self.base_python,
            wheels=[wheel.sha256 for wheel in self.wheels],
            checked=[wheel.sha256 for wheel in self.everything],
            skeleton=self.skeleton,
            part=self.part,
        )

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The installed files."""
        from cog_oci.layers._install import install_wheels, venv  # noqa: PLC0415 - a layer that is known opens nothing

        prefix = venv(self.python_version)
        if self.everything:
            with install_wheels(self.everything, prefix, store):
                pass  # a conflict raises; layers hide one another's files without a word
        with install_wheels(self.wheels, prefix, store) as entries:
            yield [*_part(entries, *self.part), *(self._skeleton() if self.skeleton else ())]

    def _skeleton(self) -> Iterator[Entry]:
        """What `python -m venv` would make (PEP 405), without pip, and with the SDK on the path."""
        binary, site = "opt/venv/bin", f"opt/venv/lib/python{self.python_version}/site-packages"
        yield Entry.symlink(f"{binary}/python", self.base_python)
        yield Entry.symlink(f"{binary}/python3", "python")
        yield Entry.symlink(f"{binary}/python{self.python_version}", "python")
        yield Entry.symlink("opt/venv/lib64", "lib")
        home = self.base_python.rpartition("/")[0]
        yield Entry.file(
            "opt/venv/pyvenv.cfg",
            f"home = {home}\ninclude-system-site-packages = false\nversion = {self.python_version}\n",
        )
        yield Entry.file(f"{site}/cog-oci.pth", "/opt/cog/sdk\n")


def group(
    python_version: str, base_python: str, wheels: tuple[Wheel, ...], early: tuple[str, ...] | None = None
) -> list[WheelLayer]:
    """The layers of an environment: each large wheel alone, the largest first, groups of small ones, the skeleton.

    With `early`, the names of wheels, these come first, and the skeleton with them.
    """
    if early is not None:
        tools = tuple(wheel for wheel in wheels if wheel.name in early)
        below = WheelLayer(python_version, base_python, tools, skeleton=True, early=True)
        *rest, last = group(python_version, base_python, tuple(wheel for wheel in wheels if wheel not in tools))
        return [below, *rest, replace(last, everything=wheels)]
    ordered = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    alone: list[Wheel] = []
    layers: list[WheelLayer] = []
    for wheel in ordered:
        count = -(-wheel.size // _LARGEST)
        if wheel.size < _ALONE or len(layers) + count > _MOST_ALONE:
            break
        alone.append(wheel)
        layers += (WheelLayer(python_version, base_python, (wheel,), part=(one, count)) for one in range(1, count + 1))
    first, *others = _groups(tuple(wheel for wheel in wheels if wheel not in alone))
    layers += (WheelLayer(python_version, base_python, some, number=number) for number, some in enumerate(others, 2))
    return [*layers, WheelLayer(python_version, base_python, first, everything=wheels, skeleton=True)]


def _groups(wheels: tuple[Wheel, ...]) -> list[tuple[Wheel, ...]]:
    """Small wheels in as few groups as their size asks for; at least one.

    Each wheel chooses its group by its name alone (highest random weight), so that one that comes, goes or changes
    moves no other: what has to be sent anew is its own group.
    """
    count = min(_MOST_GROUPS, max(1, -(-sum(wheel.size for wheel in wheels) // _TOGETHER)))

    def choice(wheel: Wheel) -> int:
        weights = [hashlib.sha256(f"{number}:{wheel.name}".encode()).digest() for number in range(count)]
        return weights.index(max(weights))

    return [tuple(wheel for wheel in wheels if choice(wheel) == number) for number in range(count)]


def _part(entries: list[Entry], this: int, count: int) -> list[Entry]:
    """One of `count` parts of these files, in the order of their paths, about equal as they are compressed."""
    if count == 1:
        return entries
    ordered = sorted(entries, key=lambda entry: entry.path)
    sizes = [_stored(entry) for entry in ordered]
    total = sum(sizes)
    ends = accumulate(sizes)
    return [
        entry for entry, end, size in zip(ordered, ends, sizes, strict=True) if _piece(end - size, total, count) == this
    ]


def _piece(start: int, total: int, count: int) -> int:
    return min(count, start * count // max(total, 1) + 1)


def _stored(entry: Entry) -> int:
    deflated = entry.content.deflated() if entry.content else None
    return deflated.size if deflated else entry.size
