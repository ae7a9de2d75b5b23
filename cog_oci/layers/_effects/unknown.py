"""The error for a maintainer script whose effect is not computed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.errors import RequestError
from cog_oci.layers._effects.shell import logical_lines

if TYPE_CHECKING:
    from cog_oci.layers._deb import Package

__all__ = ["UnknownScriptError"]

_SHOWN = 12
_DOWNLOADS = re.compile(r"(?:^|[\s;&|(`])(?:wget|curl|aria2c|apt-get|update-package|pip3?\s+install)\s")


class UnknownScriptError(RequestError):
    """A package whose script does something that is not computed; `command` is the first such thing."""

    def __init__(self, about: Package, script: str, text: str, command: str) -> None:
        self.package, self.script, self.text, self.command = about.name, script, text, command
        package = self.package
        lines = logical_lines(text)
        shown = "\n".join(f"    {line}" for line in lines[:_SHOWN])
        more = f"\n    … and {len(lines) - _SHOWN} lines more" if len(lines) > _SHOWN else ""
        if any(_DOWNLOADS.search(line) for line in lines) or _is_installer(about):
            what = "downloads what it installs, and only what a signed index names by its hash gets into an image"
            hint = (
                f"leave {package} out of build.system_packages and get what it downloads in another way: "
                "as a wheel, from an archive that has the files themselves, or as a file of the project"
            )
        else:
            what = f"does what cog-oci cannot do without running it: `{' '.join(command.split())}`"
            hint = (
                f"say in cog.yaml what is to happen: `build.system_effects: {{{package}: skip}}` leaves the script "
                f"out, `{{{package}: run}}` runs it in the sandbox"
            )
        super().__init__(f"the {script} script of {package} {what}\n{shown}{more}", asked=package, hint=hint)


def _is_installer(package: Package) -> bool:
    """Whether it is one of those that contrib is for (Policy 2.2.2): packages that get something from elsewhere."""
    section, needs = package.fields.get("Section", ""), package.fields.get("Depends", "")
    return section.startswith("contrib") and re.search(r"(?:^|[,|]\s*)(?:wget|curl|aria2)\b", needs) is not None
