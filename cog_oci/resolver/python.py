"""Python packages: uv resolves for the target, `packaging` reads the result, and here it becomes wheels in a lock.

uv is run as a program, with the user's own uv configuration; what comes back is a pylock.toml (PEP 751), wheels only.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from cog_oci.errors import CogError, Problem, SourceError
from cog_oci.indexes import DEFAULT, Indexes
from cog_oci.lock import Wheel
from cog_oci.progress import SILENT
from cog_oci.requirement_lines import read_requirement_lines, shown
from cog_oci.resolver._asked import ALONE, NOTHING, Complete, Given, Keep
from cog_oci.resolver._explanations import NoWheelError, ResolutionError, explained
from cog_oci.resolver._uv import OURS, Uv
from cog_oci.resolver.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from packaging.pylock import Package, PackageArchive, PackageDirectory, PackageSdist, PackageVcs, PackageWheel

    from cog_oci.progress import Progress
    from cog_oci.requirement_lines import Line, RequirementLines

    Chosen = tuple[Package, PackageArchive | PackageDirectory | PackageSdist | PackageVcs | PackageWheel]

__all__ = ["Complete", "Given", "Keep", "NoWheelError", "ResolutionError", "Target", "nothing", "resolve"]


def nothing() -> None:
    """What there is to do while uv is at work, when there is nothing."""


def resolve(  # noqa: PLR0913 - what is wanted, what it is for, and from where
    requirements: Path | Sequence[str],
    target: Target,
    as_of: datetime,
    *,
    name: str = "",
    progress: Progress = SILENT,
    keep: Keep = NOTHING,
    indexes: Indexes = Indexes(),  # noqa: B008 - a frozen value
    given: Given = ALONE,
    meanwhile: Callable[[], None] = nothing,
) -> list[Wheel]:
    """The wheels that satisfy a requirements file, or a list of requirements, with nothing newer than `as_of`.

    `name` is what messages call the file; `keep` says which versions to take again; `indexes` come before the default
    one, and the first that has a package is the one it comes from, as uv has it. Of a package whose index has no dates
    the time cannot be asked. `meanwhile` is called each time that uv has begun, and should return soon.

    Raises ResolutionError (uv's own explanation), NoWheelError, or SourceError where a line of the file can be blamed.
    """
    with tempfile.TemporaryDirectory(prefix="cog-oci-") as folder:
        if isinstance(requirements, Path):
            source = requirements
        else:
            source = Path(folder) / "requirements.in"
            source.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        said, written = read_requirement_lines(source), isinstance(requirements, Path)
        if ours := sorted({line.name for line in said.lines} & OURS):
            progress.say(f"leaving out {', '.join(ours)}: the image brings its own")
        progress.say("resolving Python packages")
        job = Uv(given.file or source, target, as_of, Path(folder), keep, indexes, given, (meanwhile, _load))
        undated, locked = job.locked()
        if locked.returncode:
            raise explained(locked.stderr, source, said, name, job.source, written=written, before=given.before)
        with job.listing(undated) as listing:
            chosen = _chosen(Path(folder) / "pylock.toml", target)
            listed = listing()
        if listed.returncode:
            raise explained(listed.stderr, source, said, name, job.source, written=written, before=given.before)
        for told in re.findall(r"^warning: (.* is yanked.*)$", locked.stderr, re.MULTILINE):
            progress.say(told)
        if undated:
            progress.say(f"no time of upload is known of {', '.join(undated)}: they are as they are now")
        found = _found(chosen, given, _addresses(listed.stdout), indexes)
        _check_hashes(found, said, name, target)
        needed_by = _needed_by(listed.stdout, job.source)
    wheels = [replace(wheel, needed_by=needed_by.get(wheel.name, ())) for wheel in found]
    return sorted(wheels, key=lambda wheel: (wheel.name, wheel.version))


def _check_hashes(wheels: Iterable[Wheel], said: RequirementLines, name: str, target: Target) -> None:
    """Raise SourceError for each wheel that is none of the files whose hashes its line allows; uv does not look.

    CogError for wheels of which no line has a hash, where there has to be one.
    """
    by_name = {wheel.name: wheel for wheel in wheels}
    problems = [
        Problem(
            shown(line.file, name),
            line.number,
            1,
            f"{wheel.file} has the hash sha256:{wheel.sha256}, which is none of the {len(line.hashes)} given here",
        )
        for line in said.lines
        if line.hashes
        and (wheel := by_name.get(line.name))
        and not wheel.hashes & line.hashes
        and _counts(line, target)
    ]
    if problems:
        raise SourceError(problems, hint="the index serves another file, or the hashes are those of other files")
    if why := _why_hashed(said):
        hashed = {digest for line in said.lines for digest in line.hashes}
        if bare := sorted(wheel.name for wheel in by_name.values() if not wheel.own_hash and not wheel.hashes & hashed):
            raise CogError(
                f"{name} has {why}, and no hash for {', '.join(bare)}",
                hint="`uv pip compile --generate-hashes` writes one for every package that is needed",
            )


def _why_hashed(said: RequirementLines) -> str:
    """Why every package has to have a hash; empty where it need not, as where only some lines have one."""
    if said.options.require_hashes:
        return "--require-hashes"
    lines = [line for line in said.lines if line.name not in OURS and line.source == "index" and not line.constraint]
    return "hashes in every line" if lines and all(line.hashes for line in lines) else ""


def _counts(line: Line, target: Target) -> bool:
    """Whether a line is for this target; one that cannot be read is."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - few lines are looked at

    try:
        marker = Requirement(line.requirement).marker
        return marker is None or marker.evaluate(dict(target.environment()))  # type: ignore[arg-type]  # a TypedDict is a dict
    except InvalidRequirement:
        return True


def _load() -> None:
    """What reads uv's answer."""
    import tomllib  # noqa: F401, PLC0415 - loaded while uv is at work

    import packaging.pylock  # noqa: F401, PLC0415 - likewise


def _chosen(file: Path, target: Target) -> list[Chosen]:
    """Each package of a pylock.toml that counts for the target, with the file of it that fits best."""
    import tomllib  # noqa: PLC0415 - see _load

    from packaging.pylock import Pylock  # noqa: PLC0415 - likewise

    pylock = Pylock.from_dict(tomllib.loads(file.read_text(encoding="utf-8")))
    return list(pylock.select(environment=target.environment(), tags=target.tags()))


def _found(chosen: Iterable[Chosen], given: Given, addresses: Mapping[str, str], indexes: Indexes) -> list[Wheel]:
    """The wheels, each of the index at its one of the `addresses`."""
    from packaging.pylock import PackageWheel  # noqa: PLC0415 - see _load

    wheels = []
    for package, one in chosen:
        name, address = str(package.name), addresses.get(package.name, "")
        if name in given.wheels:
            wheels.append(given.wheels[name])
        elif isinstance(one, PackageWheel):
            wheels.append(_wheel(name, str(package.version), one, address, given, indexes))
        else:
            raise NoWheelError(
                f"{package.name}{f' {package.version}' if package.version else ''} is not a wheel",
                asked=name,
                hint="cog-oci installs wheels from an index only",
            )
    return wheels


def _wheel(name: str, version: str, wheel: PackageWheel, address: str, given: Given, indexes: Indexes) -> Wheel:
    linked = address in given.links
    sha256, size, source = wheel.hashes.get("sha256", ""), wheel.size, None
    if linked or size is None or not sha256:
        sha256, size, source = given.complete(wheel, linked=linked)
    index = "" if linked else indexes.name_of(address) if address else DEFAULT
    return Wheel(name=name, version=version, file=wheel.filename, sha256=sha256, size=size, index=index, source=source)


def _needed_by(listing: str, source: Path) -> dict[str, tuple[str, ...]]:
    """Who asked for what, from the `# via` notes of a requirements listing; the user's own file is `cog.yaml`'s."""
    asked: dict[str, tuple[str, ...]] = {}
    for line in listing.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)\S*\s.*# via (.+)", line):
            parts = (part.strip() for part in match[2].split(","))
            via = {
                "cog.yaml" if str(source) in part or part.startswith("-r ") else canonicalize_name(part)
                for part in parts
                if not part.startswith("-c ")  # a constraint asks for nothing
            }
            asked[canonicalize_name(match[1])] = tuple(sorted(via))
    return asked


def _addresses(listing: str) -> dict[str, str]:
    """The address of the index, or of the links, that has each package, from the notes of a requirements listing."""
    found: dict[str, str] = {}
    name = ""
    for line in listing.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = canonicalize_name(match[1])
        elif match := re.match(r"\s+# from (\S+)", line):
            found[name] = match[1]
    return found
