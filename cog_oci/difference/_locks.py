"""Two locks, platform by platform."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from cog_oci.difference._packages import Installed, compare_packages
from cog_oci.difference._values import compare_values
from cog_oci.oci import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.difference._packages import PackageChange
    from cog_oci.difference._values import ValueChange
    from cog_oci.lock import Lock, PlatformLock

__all__ = ["LockDifference", "PlatformDifference", "compare_locks", "installed"]


@dataclass(frozen=True, slots=True)
class PlatformDifference:
    """What differs for one platform. Sizes are bytes to download: of everything before and after, and of what is new.

    `inputs` are what the lock was made from; `settings` everything else that is one value.
    """

    packages: tuple[PackageChange, ...]
    inputs: tuple[ValueChange, ...]
    settings: tuple[ValueChange, ...]
    before: int
    after: int
    new: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.packages or self.inputs or self.settings)


@dataclass(frozen=True, slots=True)
class LockDifference:
    """What differs between two locks: `platforms` has those that both lock, by name."""

    settings: tuple[ValueChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    platforms: dict[str, PlatformDifference]

    @property
    def equal(self) -> bool:
        """Whether the locks lock the same; what they recorded of layers and of who asked for a package aside."""
        different = self.settings or self.added or self.removed
        return not different and all(one.equal for one in self.platforms.values())


def compare_locks(before: Lock, after: Lock) -> LockDifference:
    """How `after` differs from `before`."""
    old, new = before.platforms, after.platforms
    return LockDifference(
        settings=compare_values({"as_of": before.as_of}, {"as_of": after.as_of}),
        added=tuple(sorted({*new} - {*old})),
        removed=tuple(sorted({*old} - {*new})),
        platforms={name: _compare(old[name], new[name]) for name in sorted({*old} & {*new})},
    )


def _compare(before: PlatformLock, after: PlatformLock) -> PlatformDifference:
    old, new = ({one.sha256: one.size for one in parts.artifacts()} for parts in (before, after))
    return PlatformDifference(
        packages=compare_packages(installed(before), installed(after)),
        inputs=compare_values(before.inputs, after.inputs),
        settings=compare_values(_settings(before, after), _settings(after, before)),
        before=sum(old.values()),
        after=sum(new.values()),
        new=sum(size for sha256, size in new.items() if sha256 not in old),
    )


def installed(parts: PlatformLock) -> Iterator[Installed]:
    """Every package that is locked; sizes are those of the files to download."""
    archive = parts.interpreter.archive
    kinds = (("python", parts.wheels), ("debian", parts.debs), ("server", parts.server))
    for kind, artifacts in (*kinds, ("interpreter", (archive,) if archive else ())):
        for one in artifacts:
            yield Installed(kind, one.name, one.version, one.size, one.sha256)


def _settings(parts: PlatformLock, other: PlatformLock) -> dict[str, str]:
    """Everything that is one value, by name; of packages and layers, what only matters if both locks have them."""
    python = replace(parts.interpreter, archive=None)  # which is told as a package
    found = {f"interpreter.{name}": str(value) for name, value in asdict(python).items() if value is not None}
    for archive in parts.archives:
        found[f"archives.{archive.name}.{archive.suite}"] = f"{archive.date}, InRelease {archive.inrelease}"
    others = {deb.name for deb in other.debs}
    found |= {f"debs.{deb.name}.layer": deb.layer for deb in parts.debs if deb.name in others}
    # A layer is only told of when one recipe made two: everything else follows from the packages.
    recorded = {layer.recipe: layer.diff_id for layer in other.layers}
    for layer in parts.layers:
        if recorded.get(layer.recipe, layer.diff_id) != layer.diff_id:
            found[f"layers.{layer.name}"] = layer.diff_id
    if parts.requires is not None:
        needs = {
            name: canonical_json(value).decode().strip('"') for name, value in asdict(parts.requires).items() if value
        }
        found |= {f"requires.{name}": value for name, value in needs.items()}
    if parts.base_image is not None:
        found["base_image"] = f"{parts.base_image.reference}@{parts.base_image.manifest}"
    told = {"inputs", "interpreter", "archives", "debs", "wheels", "server", "layers", "requires", "base_image"}
    rest = [field.name for field in fields(parts) if field.name not in told]
    return found | {name: canonical_json(_plain(getattr(parts, name))).decode() for name in rest}


def _plain(value: Any) -> Any:
    """Values as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
