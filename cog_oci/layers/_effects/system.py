"""The system that a maintainer script sees and changes: an image's tree, or nothing yet.

`Unseen` knows no file: with it a script is looked at before its system is there. Every path that scripts give is
followed through the links of the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers._unpack import slimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._sh.expansion import Field

__all__ = ["Kind", "Missing", "System", "Unseen"]

Kind = str | None
"""`file`, `directory`, `symlink`, empty for nothing; None when that is not known."""


class Missing(Exception):  # noqa: N818 - what a command says that fails
    """A path that has to be there is not: the command fails."""


@dataclass
class Unseen:
    """Nothing is known about files; what is changed is forgotten."""

    package: Package
    offers: list[tuple[Package, list[Field]]] = field(default_factory=list)
    """The words of every `update-alternatives --install`, with the package that calls it."""

    mask: int = 0o022
    """What files and directories that are made do not get (umask)."""

    @property
    def architecture(self) -> Field:
        """Debian's name of the system's architecture."""
        return None if self.package.fields["Architecture"] == "all" else self.package.fields["Architecture"]

    def has_package(self, _name: Field) -> bool | None:
        """Whether a package is installed."""
        return None

    def kind(self, _path: Field, *, follow: bool = True) -> Kind:  # noqa: ARG002 - as System has it
        """What is at the path."""
        return None

    def read(self, _path: Field) -> Field:
        """The text of a file."""
        return None

    def target(self, _path: Field) -> Field:
        """What a link says."""
        return None

    def resolve(self, _path: Field) -> Field:
        """The path without links in it."""
        return None

    def program(self, _name: Field) -> Field:
        """The absolute path of a program; empty when there is none."""
        return None

    def paths(self, _pattern: str) -> list[str] | None:
        """The paths that match."""
        return None

    def write(self, path: Field, text: Field, append: bool = False) -> None:
        """Make a file, or add to it."""

    def copy(self, source: Field, target: Field, mode: int | None = None) -> None:
        """A file once more; with a mode of its own, else that of the source."""

    def directory(self, path: Field, mode: int, *, parents: bool) -> None:
        """Make a directory."""

    def link(self, target: Field, path: Field, *, inside: bool) -> None:
        """Make a symbolic link; in a directory that the path leads to where it is to be `inside`."""

    def change(self, path: Field, change: Callable[[Entry], Entry]) -> None:
        """Change owner or mode of what is there."""

    def remove(self, path: Field) -> bool:  # noqa: ARG002 - as System has it
        """Take away what a script has made before, if anything; False when it is not from a script."""
        return True

    def offer(self, words: list[Field]) -> None:
        """Take a call of `update-alternatives --install`."""
        self.offers.append((self.package, words))

    def withdraw(self, name: Field, path: Field) -> None:
        """Take back what was offered under a name: this path, or all of them for none."""
        kept = [(one, words) for one, words in self.offers if words[2] != name or path not in {None, words[3]}]
        self.offers[:] = kept


@dataclass
class System(Unseen):
    """The tree of an image; what was `changed` in it, by path, and the paths that were not there before."""

    tree: Tree = field(kw_only=True)
    changed: dict[str, Entry] = field(default_factory=dict, kw_only=True)
    made: set[str] = field(default_factory=set, kw_only=True)
    native: str = field(default="", kw_only=True)
    installed: Collection[str] = field(default=(), kw_only=True)

    def has_package(self, name: Field) -> bool | None:
        """Whether a package is installed."""
        return (name or "").partition(":")[0] in self.installed

    @property
    def architecture(self) -> Field:
        """Debian's name of the system's architecture."""
        return self.native

    def kind(self, path: Field, *, follow: bool = True) -> Kind:
        """What is at the path; nothing at an empty one."""
        if not path:
            return ""
        here = self._place(path)
        entry = self.tree.at(here)
        if entry is not None and entry.kind == "symlink" and not follow:
            return "symlink"
        resolved = self.tree.resolve(here)
        entry = None if resolved is None else self.tree.at(resolved)
        if entry is None:
            return "" if resolved is None else "directory"
        return "file" if entry.kind == "hardlink" else entry.kind

    def read(self, path: Field) -> Field:
        """The text of a file."""
        content = self.tree.content(path or "")
        if content is None:
            raise Missing(path)
        return b"".join(content.chunks()).decode("utf-8", "surrogateescape")

    def target(self, path: Field) -> Field:
        """What a link says."""
        entry = self.tree.at(self._place(path))
        if entry is None or entry.kind != "symlink":
            raise Missing(path)
        return entry.target

    def resolve(self, path: Field) -> Field:
        """The path without links in it."""
        resolved = self.tree.resolve(path or "")
        if resolved is None:
            raise Missing(path)
        return f"/{resolved}"

    def program(self, name: Field) -> Field:
        """The absolute path of a program; empty when there is none."""
        folders = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
        paths = [name or ""] if "/" in (name or "") else [f"{folder}/{name}" for folder in folders]
        return next((path for path in paths if self.kind(path) == "file"), "")

    def paths(self, pattern: str) -> list[str] | None:
        """The paths that match."""
        return sorted(self._matching(pattern))

    def _matching(self, pattern: str, folder: str = "") -> Iterator[str]:
        first, slash, rest = pattern.lstrip("/").partition("/")
        for name in self.tree.children(folder):
            if fnmatchcase(name, first) and (first.startswith(".") or not name.startswith(".")):
                yield from self._matching(rest, f"{folder}/{name}") if slash else (f"{folder}/{name}",)

    def write(self, path: Field, text: Field, append: bool = False) -> None:
        """Make a file, or add to it."""
        here = self.tree.resolve(path or "") or self._place(path)
        entry = self.tree.at(here)
        data = (text or "").encode("utf-8", "surrogateescape")
        if append and entry is not None and entry.content is not None:
            data = b"".join(entry.content.chunks()) + data
        entry = Entry.file(here, data, 0o666 & ~self.mask) if entry is None else replace(entry, content=Bytes(data))
        self._put(entry)

    def copy(self, source: Field, target: Field, mode: int | None = None) -> None:
        """A file once more; with a mode of its own, else that of the source."""
        entry = self.tree.at(self.tree.resolve(source or "") or "")
        if entry is None or entry.content is None:
            raise Missing(source)
        if self.kind(target) == "directory":
            target = f"{target}/{(source or '').rpartition('/')[2]}"
        copied = Entry(path=self._place(target), mode=entry.mode if mode is None else mode)
        self._put(replace(copied, content=Bytes(b"".join(entry.content.chunks()))))

    def directory(self, path: Field, mode: int, *, parents: bool) -> None:
        """Make a directory."""
        if self.kind(path):
            if not parents:
                raise Missing(path)
            return
        above = (path or "").rstrip("/").rpartition("/")[0]
        if above and not self.kind(above):
            if not parents:
                raise Missing(above)
            self.directory(above, 0o755, parents=True)
        self._put(Entry.directory(self._place(path), mode))

    def link(self, target: Field, path: Field, *, inside: bool) -> None:
        """Make a symbolic link; in a directory that the path leads to where it is to be `inside`."""
        if self.kind(path, follow=inside) == "directory":
            path = f"{(path or '').rstrip('/')}/{(target or '').rpartition('/')[2]}"
        self._put(Entry.symlink(self._place(path), target or ""))

    def change(self, path: Field, change: Callable[[Entry], Entry]) -> None:
        """Change owner or mode of what is there."""
        resolved = self.tree.resolve(path or "")
        if resolved is None:
            raise Missing(path)
        self._put(change(self.tree.at(resolved) or Entry.directory(resolved)))

    def remove(self, path: Field) -> bool:
        """Take away what a script has made before, if anything; False when it is not from a script."""
        here = self._place(path)
        if here in self.made:
            self.tree.remove(here)
            self.made.remove(here)
            del self.changed[here]
        return self.tree.at(here) is None and not self.tree.children(here)

    def _place(self, path: Field) -> str:
        """Where the path is, links in the directories above it followed."""
        folder, _, name = (path or "").rstrip("/").rpartition("/")
        resolved = self.tree.resolve(folder)
        return f"{folder if resolved is None else resolved}/{name}".strip("/")

    def _put(self, entry: Entry) -> None:
        above = entry.path.rpartition("/")[0]
        if slimmed(entry.path):
            return
        if above and self.tree.resolve(above) is None:
            if not entry.path.startswith("var/lib/dpkg/"):
                raise Missing(f"/{above}")
            self.directory(f"/{above}", 0o755, parents=True)  # dpkg's own, which comes with the first package
        if self.tree.at(entry.path) is None:
            self.made.add(entry.path)
        self.tree.add([entry])
        self.changed[entry.path] = entry
