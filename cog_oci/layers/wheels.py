"""Python packages as layers: each large wheel alone, the rest with the virtual environment that they are in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.layers import recipe
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.lock import Wheel
    from cog_oci.store import Store

__all__ = ["WheelLayer", "group"]

_VERSION = 1
_ALONE = 8 << 20  # a wheel of this many bytes has a layer to itself
_MOST_ALONE = 24


@dataclass(frozen=True)
class WheelLayer:
    """Some of the wheels of an image, installed in its virtual environment.

    The layer with `skeleton` also has the environment itself, and is the one that checks that no two wheels of `all`
    want the same path: it holds the small ones, so it is the cheapest to make anew.
    """

    python_version: str
    base_python: str
    wheels: tuple[Wheel, ...]
    everything: tuple[Wheel, ...] = ()
    skeleton: bool = False

    @property
    def name(self) -> str:
        """`python` or `python torch`."""
        return "python" if self.skeleton else f"python {self.wheels[0].name}"

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
            yield [*entries, *(self._skeleton() if self.skeleton else ())]

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


def group(python_version: str, base_python: str, wheels: tuple[Wheel, ...]) -> list[WheelLayer]:
    """The layers of an environment: each large wheel alone, the largest first, then the rest with the skeleton."""
    ordered = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    alone = [wheel for wheel in ordered if wheel.size >= _ALONE][:_MOST_ALONE]
    rest = tuple(wheel for wheel in wheels if wheel not in alone)
    layers = [WheelLayer(python_version, base_python, (wheel,)) for wheel in alone]
    return [*layers, WheelLayer(python_version, base_python, rest, everything=wheels, skeleton=True)]
