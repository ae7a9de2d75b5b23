"""The server and the SDK as a layer: two folders of /opt/cog that share nothing with the model's packages.

`/opt/cog/server` is the HTTP process, whole: its wheels, and this package's `server/` with the part of `sdk/` that it
speaks to the worker in. `/opt/cog/sdk` is what the model imports, and the worker.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci import __version__, shipped
from cog_oci.layers import recipe
from cog_oci.layers._tar import Entry
from cog_oci.oci import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.lock import Wheel
    from cog_oci.store import Store

__all__ = ["ServerLayer"]

_VERSION = 1
_MAIN = """import sys

from cog_oci.server.__main__ import main

sys.exit(main())
"""


@dataclass(frozen=True)
class ServerLayer:
    """The HTTP process for one interpreter, and the SDK."""

    base_python: str
    wheels: tuple[Wheel, ...]

    @property
    def name(self) -> str:
        """`server`."""
        return "server"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "the HTTP server and the SDK; changes with cog-oci"

    @property
    def artifacts(self) -> tuple[Wheel, ...]:
        """The server's wheels."""
        return self.wheels

    @cached_property
    def recipe(self) -> str:
        """By the wheels' hashes and our own files."""
        return recipe(
            "server",
            _VERSION,
            base_python=self.base_python,
            wheels=[wheel.sha256 for wheel in self.wheels],
            files={path: sha256(data) for path, data in self._files},
        )

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """Both folders."""
        from cog_oci.layers._install import flat, install_wheels  # noqa: PLC0415 - a layer that is known opens nothing

        prefix = flat("opt/cog/server", self.base_python)
        with install_wheels(self.wheels, prefix, store) as entries:
            yield [*entries, *(Entry.file(path, data) for path, data in self._files)]

    @cached_property
    def _files(self) -> list[tuple[str, bytes]]:
        root = "opt/cog/server"
        sdk = shipped.sources("sdk")
        return [
            (f"{root}/__main__.py", _MAIN.encode()),
            (f"{root}/cog_oci/__init__.py", f'__version__ = "{__version__}"\n'.encode()),
            *((f"{root}/cog_oci/server/{path}", data) for path, data in shipped.sources("server")),
            *((f"{root}/cog_oci/sdk/{path}", data) for path, data in sdk),
            *((f"opt/cog/sdk/{path}", data) for path, data in sdk if path.startswith("cog/")),
        ]
