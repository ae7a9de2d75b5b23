"""Compiled Python as layers of their own: a `.pyc` beside every module of other layers, so that no start compiles.

Bytecode belongs to one interpreter, so the image's own makes it: where that runs is for whoever gives the compiler. The
layers that the modules are in do not change, RECORD files included: pip finds bytecode that RECORD does not list, and
an image has the same wheels' layers with bytecode and without.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from cog_oci.layers import realise, recipe, remembered
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from cog_oci.layers import Layer
    from cog_oci.layers._tar import Content
    from cog_oci.lock import Artifact, Deb
    from cog_oci.oci import LayerBlob
    from cog_oci.store import Store

    Compile = Callable[[Sequence[tuple[str, Content]]], Iterable[bytes | None]]

__all__ = ["BytecodeLayer", "Compiler", "Library"]

_VERSION = 1


class Compiler(Protocol):
    """The image's interpreter, wherever it can be run."""

    @property
    def python_version(self) -> str:
        """X.Y."""

    @property
    def recipe(self) -> str:
        """64 hex digits over everything that decides the bytecode of a source."""

    @property
    def artifacts(self) -> Sequence[Artifact]:
        """What must be in the store before `open`."""

    def check(self) -> None:
        """Raise CogError when it cannot be run on this host."""

    def open(self, store: Store) -> AbstractContextManager[Compile]:
        """A function from sources, each by its path in the image, to their `.pyc` (PEP 552, hash-based, unchecked).

        None stands for a source that does not compile. A function of its argument as a whole: the order counts.
        """


@dataclass(frozen=True)
class BytecodeLayer:
    """The bytecode of the modules that the layers `of` have below the folders `under` (which end with a slash).

    What each of those layers gave is kept in the store by itself: when one of many changes, only that is compiled.
    """

    name: str
    of: tuple[Layer, ...]
    under: tuple[str, ...]
    compiler: Compiler

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "compiled Python, so that no start compiles; changes with the layer below"

    @property
    def artifacts(self) -> list[Artifact]:
        """The modules', and the interpreter's."""
        return [*self.compiler.artifacts, *(artifact for layer in self.of for artifact in layer.artifacts)]

    @cached_property
    def recipe(self) -> str:
        """By the layers' recipes, and the interpreter."""
        return recipe("bytecode", _VERSION, of=[part.recipe for part in self._parts])

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """One entry for each module that compiles; two layers may have the same module."""
        with ExitStack() as stack:
            compile_: Compile | None = None
            if any(remembered(part, store, "none") is None for part in self._parts):
                compile_ = stack.enter_context(self.compiler.open(store))
            parts = [realise(replace(part, compile=compile_), store, compression="none") for part in self._parts]
            found = [entry for part in parts for entry in stack.enter_context(_files(part, store))]
            yield {entry.path: entry for entry in found}.values()

    @property
    def _parts(self) -> list[_Part]:
        return [_Part(layer, self.under, self.compiler) for layer in self.of]


@dataclass(frozen=True)
class Library:
    """The standard library as its packages have it: what is compiled of a base, whatever else changes there."""

    debs: tuple[Deb, ...]

    @property
    def name(self) -> str:
        """`standard library`."""
        return "standard library"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "the interpreter's own modules; changes with it"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """The packages."""
        return self.debs

    @cached_property
    def recipe(self) -> str:
        """By the packages' hashes; not by their order."""
        return recipe("library", _VERSION, debs=sorted(deb.sha256 for deb in self.debs))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The packages' files, where they are in the image."""
        from cog_oci.layers._unpack import merge, unpack_all  # noqa: PLC0415 - a layer that is known opens nothing

        with unpack_all(self.debs, store) as unpacked:
            yield [owned.entry for owned in merge(unpacked).values()]


@dataclass(frozen=True)
class _Part:
    """The bytecode of one layer."""

    layer: Layer
    under: tuple[str, ...]
    compiler: Compiler
    compile: Compile | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        return f"bytecode of {self.layer.name}"

    @property
    def why(self) -> str:
        return f"what is kept of compiling {self.layer.name}"

    @property
    def artifacts(self) -> Sequence[Artifact]:
        return self.layer.artifacts

    @cached_property
    def recipe(self) -> str:
        return recipe("bytecode of", _VERSION, layer=self.layer.recipe, under=self.under, compiler=self.compiler.recipe)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        if self.compile is None:
            raise RuntimeError(f"{self.name} is opened without a compiler")
        with self.layer.open(store) as entries:
            modules = sorted(
                (entry.path, entry.content)
                for entry in entries
                if entry.content is not None and entry.path.endswith(".py") and entry.path.startswith(self.under)
            )
            compiled = self.compile([(f"/{path}", content) for path, content in modules])
            yield [
                Entry.file(self._beside(path), data)
                for (path, _), data in zip(modules, compiled, strict=True)
                if data is not None  # templates and test data that are not Python, or not this Python
            ]

    def _beside(self, path: str) -> str:
        """Where the import system looks (PEP 3147)."""
        folder, _, name = path.rpartition("/")
        tag = "cpython-" + self.compiler.python_version.replace(".", "")
        return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"


@contextmanager
def _files(blob: LayerBlob, store: Store) -> Iterator[list[Entry]]:
    """The files of a layer that is not compressed, read where they lie."""
    import tarfile  # noqa: PLC0415 - a layer that is known opens nothing

    from cog_oci.layers._deb import Slice  # noqa: PLC0415 - likewise

    path = store.path(blob.descriptor.digest)
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as archive:
        yield [
            Entry(path=member.name, mode=member.mode, content=Slice(file.fileno(), member.offset_data, member.size))
            for member in archive
            if member.isfile()
        ]
