"""The packages of several suites as one: who is called so, who provides that, and which version is the highest."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.resolver._deb822 import at_blank_lines, field_of, paragraphs, parse_fields, parse_relations
from cog_oci.resolver._debian_installed import INSTALLED
from cog_oci.resolver._debian_version import holds, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cog_oci.resolver._deb822 import Dependency, Relation

__all__ = ["Package", "PackageIndex"]

_PRIORITIES = {"required": 0, "important": 1, "standard": 2, "optional": 3, "extra": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """One version of one package: `file` is its path below the archive's root, `size` in bytes.

    One that is `transitional` is empty and depends on what took its place. `priority` is Debian's, the most important
    first; `pin` apt's pin priority of its archive, the highest counts most.

    Two are the same only if they are one object: an index makes one for each version of a name.
    """

    name: str
    version: str
    architecture: str
    archive: str
    file: str
    size: int
    sha256: str
    multi_arch: str
    priority: int
    pin: int
    depends: tuple[Dependency, ...]
    recommends: tuple[Dependency, ...]
    conflicts: tuple[Relation, ...]
    provides: tuple[Relation, ...]
    transitional: bool

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def meets(self, relation: Relation, architecture: str) -> bool:
        """Whether this package satisfies the relation, by its name or by what it provides (Policy §7.5).

        A versioned relation is met by a provided name only if that has a version too.
        """
        if relation.qualifier == "any":
            if self.multi_arch != "allowed":
                return False
        elif relation.qualifier not in {None, "native", architecture}:
            return False
        if self.name == relation.name and _fits(self.version, relation):
            return True
        return any(
            provided.name == relation.name and (relation.operator is None or _fits(provided.version, relation))
            for provided in self.provides
        )


class PackageIndex:
    """Everything that the Packages files of some suites list. Paragraphs are read when somebody asks for them."""

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture
        self._listings: list[_Listing] = []
        self._providers: dict[bytes, list[bytes]] = {}
        self._packages: dict[str, tuple[Package, ...]] = {}
        self._meeting: dict[Relation, tuple[Package, ...]] = {}

    def add(self, archive: str, packages: bytes | Iterable[bytes], pin: int = 500) -> None:
        """Take in one Packages file, whole or in pieces.

        Of equal versions that with the higher pin counts, then what was added first.
        A file that several archives have, by its hash, is that of the first one, with the highest pin.
        """
        listing = _Listing.of(archive, (packages,) if isinstance(packages, bytes) else packages, pin)
        self._listings.append(listing)
        for name, provides in listing.provides:
            for provided in provides.split(b","):
                self._providers.setdefault(provided.partition(b"(")[0].strip(), []).append(name)
        self._packages.clear()
        self._meeting.clear()
        vars(self).pop("names", None)

    @cached_property
    def names(self) -> frozenset[str]:
        """The real ones."""
        return frozenset(_text(name) for listing in self._listings for name in listing.first)

    def versions(self, name: str) -> tuple[Package, ...]:
        """Every version of this name in apt's order, which is by pin, then version, both from the highest.

        None for a virtual or unknown name, or one that is for other architectures only: small archives list them all.
        """
        found = self._packages.get(name)
        if found is None:
            read: dict[tuple[object, ...], list[Package]] = {}
            for listing in self._listings:
                for paragraph in listing.paragraphs(_label(name)):
                    package = _package(listing.archive, listing.pin, paragraph, self.architecture)
                    if package.architecture in {self.architecture, "all"}:
                        read.setdefault(version_key(package.version), []).append(package)
            one_each = {key: _best(packages) for key, packages in read.items()}
            found = tuple(
                one_each[key] for key in sorted(one_each, key=lambda key: (one_each[key].pin, key), reverse=True)
            )
            self._packages[name] = found
        return found

    def providers(self, name: str) -> tuple[Package, ...]:
        """The packages that provide a name, each in every version that does.

        In apt's order: the more important priority first, then whoever is listed last, then the higher version.
        """
        found = [
            package
            for provider in reversed(dict.fromkeys(self._providers.get(_label(name), ())))
            for package in self.versions(_text(provider))
            if any(provided.name == name for provided in package.provides)
        ]
        return tuple(sorted(found, key=lambda package: package.priority))

    def meeting(self, relation: Relation) -> tuple[Package, ...]:
        """Whatever satisfies the relation: the package of that name first, then its providers."""
        found = self._meeting.get(relation)
        if found is None:
            everyone = dict.fromkeys((*self.versions(relation.name), *self.providers(relation.name)))
            found = tuple(package for package in everyone if package.meets(relation, self.architecture))
            self._meeting[relation] = found
        return found

    def near(self, name: str) -> list[str]:
        """Names that someone may have meant, the nearest first, and what is left without the last words."""
        pool = sorted(other for other in self.names if other[:3] == name[:3] or other[-4:] == name[-4:])
        found = difflib.get_close_matches(name, pool, n=3, cutoff=0.6)
        parts = name.split("-")
        stems = ("-".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        return list(dict.fromkeys([*found, *[stem for stem in stems if stem in self.names][:1]]))


@dataclass(frozen=True, slots=True)
class _Listing:
    """One Packages file, cut into paragraphs. It has 68,000 of them, and a lock reads some dozens.

    `first` is the first paragraph of each name, `later` the others of names that have several; `provides` pairs a name
    with what its paragraph says that it provides.
    """

    archive: str
    pin: int
    first: Mapping[bytes, bytes]
    later: Mapping[bytes, list[bytes]]
    provides: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, archive: str, pieces: Iterable[bytes], pin: int) -> _Listing:
        first: dict[bytes, bytes] = {}
        later: dict[bytes, list[bytes]] = {}
        provides: list[tuple[bytes, bytes]] = []
        for rows in map(paragraphs, at_blank_lines(pieces)):
            names = _names(rows)
            if not all(names):
                row = rows[names.index(b"")]
                raise CogError(f"the index of {archive} has a paragraph without a Package: {row[:60]!r}")
            new = dict(zip(names, rows, strict=True))
            if len(new) == len(rows) and first.keys().isdisjoint(new):
                first.update(new)
            else:
                for name, row in zip(names, rows, strict=True):
                    if first.setdefault(name, row) is not row:
                        later.setdefault(name, []).append(row)
            provides += [
                (name, said)
                for name, row in zip(names, rows, strict=True)
                if b"Provides: " in row and (said := field_of(row, b"Provides"))
            ]
        return cls(archive, pin, first, later, provides)

    def paragraphs(self, name: bytes) -> Iterator[bytes]:
        """Those of a name, in the order of the file."""
        if (first := self.first.get(name)) is not None:
            yield first
            yield from self.later.get(name, ())


def _names(rows: Iterable[bytes]) -> list[bytes]:
    """The name of each paragraph, empty for one without: all but always it is what the first line says."""
    return [
        row.partition(b"\n")[0][9:].strip() if row.startswith(b"Package: ") else field_of(row, b"Package") or b""
        for row in rows
    ]


def _label(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(label: bytes) -> str:
    return label.decode("utf-8", "surrogateescape")


def _best(packages: list[Package]) -> Package:
    """Of packages of one version, in the order of the archives: that with the highest pin, where its file is first."""
    best = max(packages, key=lambda package: package.pin)
    first = next(package for package in packages if package.sha256 == best.sha256)
    return best if first is best else replace(first, pin=best.pin)


def _fits(version: str | None, relation: Relation) -> bool:
    if relation.operator is None:
        return True
    return version is not None and holds(version, relation.operator, relation.version or "")


def _path(text: str) -> str:
    """A path below the archive's address. Raises ValueError for one that leads out of it."""
    path = text.removeprefix("./")
    if not path or path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise ValueError(f"the path {text!r}")
    return path


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError(f"the SHA256 {text!r}")
    return text.lower()


def _package(archive: str, pin: int, paragraph: bytes, architecture: str) -> Package:
    fields = parse_fields(paragraph)
    name = fields.get("package", "")

    def relations(*names: str) -> tuple[Dependency, ...]:
        return tuple(chain.from_iterable(parse_relations(fields[key], architecture) for key in names if key in fields))

    try:
        return Package(
            name=name,
            version=fields["version"],
            architecture=fields["architecture"],
            archive=archive,
            file="" if archive == INSTALLED else _path(fields["filename"]),
            size=int(fields["size"]),
            sha256="" if archive == INSTALLED else _hash(fields["sha256"]),
            multi_arch=fields.get("multi-arch", "no"),
            priority=_PRIORITIES.get(fields.get("priority", ""), len(_PRIORITIES)),
            pin=pin,
            depends=relations("pre-depends", "depends"),
            recommends=relations("recommends"),
            conflicts=tuple(chain.from_iterable(relations("conflicts", "breaks"))),
            provides=tuple(chain.from_iterable(relations("provides"))),
            transitional="transitional" in fields.get("description", ""),
        )
    except KeyError as error:
        raise CogError(f"the index of {archive} lists {name} without its {error.args[0]}") from None
    except ValueError as error:
        raise CogError(f"the index of {archive} lists {name} with what cannot be right: {error}") from error
