"""Debian packages of a platform: kept, remembered or resolved.

The states of the archives are asked for each time; what follows from the same states is remembered.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.build_steps import system_tools
from cog_oci.fetch import Fetcher, FetchError
from cog_oci.layers.debs import check_scripts
from cog_oci.lock import Deb
from cog_oci.memory import Memory, Question
from cog_oci.oci import canonical_json, sha256
from cog_oci.origins import Origins
from cog_oci.resolver import debian

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from threading import Event

    from cog_oci.config import Project
    from cog_oci.progress import Progress
    from cog_oci.resolver.base import Base
    from cog_oci.resolver.cuda_debs import CudaDebs
    from cog_oci.resolver.on_image import OnImage
    from cog_oci.store import Store

__all__ = ["resolve_debs"]

_SMALL = 1 << 20


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Everything that decides which debs are found in given states of the archives."""

    base: Sequence[str]
    system: Sequence[str]
    recommending: Sequence[str]
    preferred: Sequence[Deb]
    upgraded: Mapping[str, str | None]


def resolve_debs(  # noqa: PLR0913 - what is wanted, and what to ask for it
    base: Base | OnImage,
    project: Project,
    kept: Iterable[Deb],
    upgraded: Mapping[str, str | None],
    *,
    as_of: datetime,
    store: Store,
    progress: Progress,
    cuda: CudaDebs | None = None,
    given_up: Event | None = None,
) -> debian.Resolution:
    """The debs of the base and those that the project asks for; `kept` are preferred but for the `upgraded` ones.

    Those of `cuda` come with them; `given_up` is as Fetcher has it.

    Raises what `DebianResolver.resolve` does, and UnknownScriptError for a package that cannot be in an image: better
    known now than at the build. Those that the tool pins itself were judged when they were pinned.
    """
    fetcher = Fetcher(store, progress, given_up=given_up)
    origins = Origins(fetcher, as_of, archives=project.archives())
    progress.say("resolving Debian packages")
    settings = project.config.build
    suites = (
        *_debian_suites(base.suite, cuda),
        *(debian.suite_of(one, project.folder, fetcher, store) for one in settings.apt),
        *_nvidia_suites(cuda, project, fetcher, origins, store),
    )
    resolver = debian.DebianResolver(
        fetcher,
        store,
        suites,
        base.architecture,
        origins.archive,
        as_of,
        debian.others(base.suite),
        installed=base.status,
    )
    asked = {text.partition("=")[0] for text in settings.system_packages}
    tools = (name for name in system_tools(settings.steps, settings.system_effects) if name not in asked)
    preferred = (*kept, *base.pinned_debs)
    of_cuda = cuda.names(resolver.versions, _versions(preferred, upgraded)) if cuda else ()
    system = (*settings.system_packages, *tools, *of_cuda)
    wanted = _Wanted(base.packages, system, settings.recommending, preferred, upgraded)
    found = debian.Resolution(_remembered(resolver, base, wanted, store), resolver.archives)
    pinned = {deb.sha256 for deb in base.pinned_debs}
    others = [deb for deb in found.debs if deb.sha256 not in pinned]
    # Small ones first: what only downloads is small, and nobody should wait for a gigabyte to hear of it.
    for part in ([deb for deb in others if deb.size < _SMALL], [deb for deb in others if deb.size >= _SMALL]):
        if part:
            fetcher.artifacts(part, origins.locate)
            check_scripts(part, store, settings.system_effects)
    return found


def _versions(preferred: Sequence[Deb], upgraded: Mapping[str, str | None]) -> dict[str, str]:
    """The versions that are to be taken where they can: what is locked, and what was asked to move to one."""
    moved = {name: version for name, version in upgraded.items() if version is not None}
    return {deb.name: deb.version for deb in preferred if deb.name not in upgraded} | moved


def _debian_suites(release: str, cuda: CudaDebs | None) -> list[debian.Suite]:
    found = debian.suites(release)
    if cuda is None or not cuda.components:
        return list(found)
    # Security updates are of free packages alone.
    return [one if one.suite.endswith("-security") else replace(one, components=cuda.components) for one in found]


def _nvidia_suites(
    cuda: CudaDebs | None, project: Project, fetcher: Fetcher, origins: Origins, store: Store
) -> list[debian.Suite]:
    """NVIDIA's archive, its key from the same place and known by its fingerprint."""
    if cuda is None or cuda.archive is None:
        return []
    key = f"{origins.archive(cuda.archive.name)[0]}/{cuda.archive.key.rpartition('/')[2]}"
    try:
        return [debian.suite_of(replace(cuda.archive, key=key), project.folder, fetcher, store)]
    except FetchError as error:
        variable = "COG_APT_" + cuda.archive.name.upper().replace("-", "_")
        error.hint = f"check the network, or name a mirror of NVIDIA's archive with {variable}"
        raise


def _remembered(
    resolver: debian.DebianResolver, base: Base | OnImage, wanted: _Wanted, store: Store
) -> tuple[Deb, ...]:
    """What the resolver says, or said when asked the same of the same states: to read an index takes a second."""
    asked = {
        "archives": [asdict(archive) for archive in resolver.archives],
        "suites": [[str(suite), suite.components, suite.priority] for suite in resolver.suites],
        "architecture": base.architecture,
        "installed": sha256(base.status) if base.status else "",
        **{name: list(getattr(wanted, name)) for name in ("base", "system", "recommending")},
        "preferred": sorted([deb.name, deb.version, deb.sha256] for deb in wanted.preferred),
        "upgraded": dict(wanted.upgraded),
    }
    memory = Memory(store.root / "checked")
    question = Question(canonical_json(asked), *_rules())
    if (rows := memory.recall(question)) is not None:
        return tuple(_deb(row) for row in rows)
    debs = resolver.resolve(wanted.base, wanted.system, wanted.preferred, wanted.upgraded, wanted.recommending).debs
    memory.keep(question, [asdict(deb) for deb in debs])
    return debs


def _rules() -> list[Path]:
    """The code that decides the answer."""
    folder = Path(debian.__file__).parent
    return [Path(__file__), *sorted(folder.glob("_deb*.py")), Path(debian.__file__)]


def _deb(row: dict[str, Any]) -> Deb:
    return Deb(**{**row, "needed_by": tuple(row["needed_by"])})
