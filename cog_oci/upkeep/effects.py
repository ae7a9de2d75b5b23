"""`build.system_effects`: what is to happen with scripts of Debian packages that are not computed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cog_oci.build_steps import Step
from cog_oci.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cog_oci.config import Project
    from cog_oci.lock import Deb

__all__ = ["check_effects", "chosen_effects"]

# What dpkg calls on a fresh installation (Policy 6.5), from where dpkg keeps the scripts.
_RUN = """\
# The scripts of {name}
set -e
export DPKG_MAINTSCRIPT_PACKAGE={name} DPKG_MAINTSCRIPT_ARCH={architecture} DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1
export DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT=
for file in /var/lib/dpkg/info/{name}.preinst /var/lib/dpkg/info/{name}:{architecture}.preinst; do
  if [ -e "$file" ]; then DPKG_MAINTSCRIPT_NAME=preinst "$file" install; fi
done
for file in /var/lib/dpkg/info/{name}.postinst /var/lib/dpkg/info/{name}:{architecture}.postinst; do
  if [ -e "$file" ]; then DPKG_MAINTSCRIPT_NAME=postinst "$file" configure ''; fi
done
"""


def chosen_effects(project: Project, debs: Iterable[Deb]) -> tuple[tuple[str, ...], tuple[Step, ...]]:
    """Which of the packages have scripts that are not evaluated, by name, and the steps that run those to be run."""
    there = {deb.name: deb for deb in debs}
    chosen = {name: how for name, how in project.config.build.system_effects.items() if name in there}
    steps = tuple(_step(there[name]) for name, how in sorted(chosen.items()) if how == "run")
    return tuple(sorted(chosen)), steps


def check_effects(project: Project, debs: Iterable[Deb]) -> None:
    """Raise SourceError for a name that is none of the packages, which are those of all platforms together."""
    there = {deb.name for deb in debs}
    for name in sorted(project.config.build.system_effects):
        if name not in there:
            near = difflib.get_close_matches(name, sorted(there), n=1)
            message = f"build.system_effects: {name} is not in the image"
            message += f"; did you mean {near[0]}?" if near else ""
            raise SourceError([project.problem(("build", "system_effects", name), message)])


def _step(deb: Deb) -> Step:
    command = _RUN.format(name=deb.name, architecture=deb.architecture)
    return Step(phase="system_effects", command=command, network=False)
