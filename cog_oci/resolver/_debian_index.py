"""The packages of several suites as one: who is called so, who provides that, and which version is the highest."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.resolver._deb822 import field_of, paragraphs, parse_fields, parse_relations
from cog_oci.resolver._debian_version import holds, version_key

if TYPE_CHECKING:
    from cog_oci.resolver._deb822 import Dependency, Relation

__all__ = ["Package", "PackageIndex"]

_PRIORITIES = {"required": 0, "important": 1, "standard": 2, "optional": 3, "extra": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """One version of one package: `file` is its path below the archive's root, `size` in bytes.

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
    depends: tuple[Dependency, ...]
    conflicts: tuple[Relation, ...]
    provides: tuple[Relation, ...]

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
        self._paragraphs: dict[str, list[tuple[str, bytes]]] = {}
        self._providers: dict[str, dict[str, None]] = {}
        self._packages: dict[str, tuple[Package, ...]] = {}
        self._meeting: dict[Relation, tuple[Package, ...]] = {}

    def add(self, archive: str, packages: bytes) -> None:
        """Take in one Packages file. Of equal versions the one that was added first counts."""
        for paragraph in paragraphs(packages):
            name = (field_of(paragraph, b"Package") or b"").decode("utf-8", "replace")
            if not name:
                raise CogError(f"the index of {archive} has a paragraph without a Package: {paragraph[:60]!r}")
            self._paragraphs.setdefault(name, []).append((archive, paragraph))
            if provides := field_of(paragraph, b"Provides"):
                for provided in provides.decode("utf-8", "replace").split(","):
                    virtual = provided.strip().partition(" ")[0].partition("(")[0]
                    self._providers.setdefault(virtual, {})[name] = None
        self._packages.clear()
        self._meeting.clear()
        vars(self).pop("names", None)

    @cached_property
    def names(self) -> frozenset[str]:
        """The real ones."""
        return frozenset(self._paragraphs)

    def versions(self, name: str) -> tuple[Package, ...]:
        """Every version of this name, the highest first; none for a virtual or unknown one."""
        found = self._packages.get(name)
        if found is None:
            read: dict[tuple[object, ...], Package] = {}
            for archive, paragraph in self._paragraphs.get(name, ()):
                package = _package(archive, paragraph, self.architecture)
                read.setdefault(version_key(package.version), package)
            found = tuple(read[key] for key in sorted(read, reverse=True))
            self._packages[name] = found
        return found

    def providers(self, name: str) -> tuple[Package, ...]:
        """The packages that provide a name, each in every version that does.

        In apt's order: the more important priority first, then whoever is listed last, then the higher version.
        """
        found = [
            package
            for provider in reversed(self._providers.get(name, {}))
            for package in self.versions(provider)
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


def _fits(version: str | None, relation: Relation) -> bool:
    if relation.operator is None:
        return True
    return version is not None and holds(version, relation.operator, relation.version or "")


def _package(archive: str, paragraph: bytes, architecture: str) -> Package:
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
            file=fields["filename"].removeprefix("./"),
            size=int(fields["size"]),
            sha256=fields["sha256"],
            multi_arch=fields.get("multi-arch", "no"),
            priority=_PRIORITIES.get(fields.get("priority", ""), len(_PRIORITIES)),
            depends=relations("pre-depends", "depends"),
            conflicts=tuple(chain.from_iterable(relations("conflicts", "breaks"))),
            provides=tuple(chain.from_iterable(relations("provides"))),
        )
    except KeyError as error:
        raise CogError(f"the index of {archive} lists {name} without its {error.args[0]}") from None
    except ValueError as error:
        raise CogError(f"the index of {archive} lists {name} with what cannot be read: {error}") from error
