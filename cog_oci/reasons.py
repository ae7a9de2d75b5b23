"""Why a package is in an image: who asked for it, all the way from cog.yaml or the base; from the lock alone."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from cog_oci.lock import Artifact, PlatformLock

__all__ = ["Kind", "Locked", "Reasons"]

Kind = Literal["python", "debian", "server", "interpreter", "builder"]

_ROOTS: dict[Kind, tuple[str, ...]] = {
    "python": ("cog.yaml",),
    "debian": ("base", "cog.yaml"),
    "server": ("the server",),
    "interpreter": ("cog.yaml",),
}
"""Who may ask for packages without being one."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A package in the lock: a wheel of the model (`python`), of the server, a Debian package, or an interpreter.

    A `builder` is a wheel that wheels of the model are built with, and is in no image.
    """

    kind: Kind
    artifact: Artifact

    def __str__(self) -> str:
        return f"{self.artifact.name} {self.artifact.version}"


class Reasons:
    """Who needs whom on one platform. The kinds are worlds of their own: none asks for packages of another.

    Builders alone are asked for by packages of another kind, `python`, and may be there in several versions.
    """

    def __init__(self, parts: PlatformLock) -> None:
        worlds: dict[Kind, tuple[Artifact, ...]] = {
            "python": parts.wheels,
            "debian": parts.debs,
            "server": parts.server,
            "interpreter": (parts.interpreter.archive,) if parts.interpreter.archive else (),
        }
        self._worlds = {
            kind: {artifact.name: Locked(kind, artifact) for artifact in artifacts}
            for kind, artifacts in worlds.items()
        }
        self._builders = tuple(Locked("builder", artifact) for artifact in parts.builders)

    def find(self, name: str) -> list[Locked]:
        """The packages of this name; Python's names in any spelling (PEP 503)."""
        normal = re.sub(r"[-_.]+", "-", name).lower()
        packages = [
            world[spelling]
            for kind, world in self._worlds.items()
            if (spelling := name if kind == "debian" else normal) in world
        ]
        return [*packages, *(one for one in self._builders if one.artifact.name == normal)]

    def names(self) -> list[str]:
        """Every name, sorted."""
        builders = {one.artifact.name for one in self._builders}
        return sorted({name for world in self._worlds.values() for name in world} | builders)

    def askers(self, locked: Locked) -> tuple[str, ...]:
        """Who asked for it: names of packages of its kind, and roots; of a builder, the packages that it builds."""
        # The pins of the server's wheels do not say which of them needs which.
        return locked.artifact.needed_by or (_ROOTS[locked.kind][:1] if locked.kind == "server" else ())

    def chains(self, locked: Locked) -> list[tuple[str, ...]]:
        """For each that asked: the shortest way from it to a root, which is its last name. Roots come first."""
        builds = locked.kind == "builder"
        world = self._worlds["python" if builds else locked.kind]
        # A builder may be called as a package is that is on the way.
        seen = set[str]() if builds else {locked.artifact.name}
        ways = [self._up(asker, world, seen) for asker in self.askers(locked)]
        return sorted(ways, key=lambda way: (way[0] in world, len(way), way))

    def _up(self, name: str, world: Mapping[str, Locked], avoided: AbstractSet[str]) -> tuple[str, ...]:
        seen = {name, *avoided}
        waiting: deque[tuple[str, ...]] = deque([(name,)])
        while waiting:
            way = waiting.popleft()
            if way[-1] not in world:
                return way
            for asker in self.askers(world[way[-1]]):
                if asker not in seen:
                    seen.add(asker)
                    waiting.append((*way, asker))
        return (name,)  # it leads back to itself: nothing outside asks for these

    def tree(self, kind: Kind) -> Iterator[tuple[int, str, Locked | None, bool]]:
        """(depth, name, package, whether it was opened before) from the roots down, depth first, by name.

        A root has no package. What was opened before is not opened again. The roots of builders are what they build.
        """
        if kind == "builder":
            yield from self._built()
            return
        world, opened = self._worlds[kind], set[str]()
        for root in _ROOTS[kind]:
            waiting = [(1, name) for name in reversed(self._below[kind].get(root, []))]
            if not waiting:
                continue
            yield 0, root, None, False
            while waiting:
                depth, name = waiting.pop()
                known = name in opened and name in self._below[kind]
                yield depth, name, world[name], known
                if name not in opened:
                    opened.add(name)
                    waiting += [(depth + 1, below) for below in reversed(self._below[kind].get(name, []))]

    def _built(self) -> Iterator[tuple[int, str, Locked | None, bool]]:
        for name in sorted({name for one in self._builders for name in self.askers(one)}):
            yield 0, name, None, False
            yield from ((1, one.artifact.name, one, False) for one in self._builders if name in self.askers(one))

    @cached_property
    def _below(self) -> dict[Kind, dict[str, list[str]]]:
        """For each name, sorted, what it asked for."""
        found: dict[Kind, dict[str, list[str]]] = {kind: {} for kind in self._worlds}
        for kind, world in self._worlds.items():
            for name in sorted(world):
                for asker in self.askers(world[name]):
                    found[kind].setdefault(asker, []).append(name)
        return found
