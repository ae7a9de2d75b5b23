"""Steps of a build as values: commands of `build.pre_install` and `build.run`, and the programs that they call for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cog_oci.checked import Strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["APT", "ESSENTIAL", "SecretMount", "Step", "early_python_tools", "python_tools", "system_tools"]

ESSENTIAL = (
    *("bsdutils", "diffutils", "dpkg", "hostname", "init-system-helpers", "ncurses-base", "ncurses-bin"),
    *("perl-base", "sysvinit-utils", "util-linux"),
)
"""Essential packages besides those of the base: scripts of others take them for granted, no dependency brings them."""
APT = ("apt", *ESSENTIAL)
"""What apt-get needs in an image, besides the base."""

# The last `@` is the one before the host: a password may have others.
_LOGIN = re.compile(r"(?<=://)([^/\s:@'\"]*)(:[^/\s@]*(?:@[^/\s@'\"]*)*)?@")
_TOKEN = 8  # characters: a user without a password and with a shorter name is a name
_APT = re.compile(r"(?<![\w./-])(?:apt-get|apt|aptitude)\s")
_PIP = re.compile(r"(?<![\w./-])(?<!uv )(?:pip3?|python(?:3(?:\.\d+)?)? -m pip)\s")
_PYTHON = re.compile(r"(?<![\w./-])python(?:3(?:\.\d+)?)?\s")
_UV = re.compile(r"(?<![\w./-])uvx?\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMount(Strict):
    """A secret that a step reads as a file: `id` is its name on the command line, `target` its path in the image."""

    id: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Strict):
    """A command for `/bin/sh -c`, as root in `/`, before or after the Python packages are there.

    Those of `system_effects` are the scripts of a Debian package, run right above the system packages.
    `variables` are those of cog.yaml's `environment`, each as NAME=VALUE.
    """

    phase: Literal["system_effects", "pre_install", "run"]
    command: str
    network: bool
    secrets: tuple[SecretMount, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The command in one line, without what authorises anybody in an address: for who sees the image alone.

        Nothing for scripts of packages, which are long and nobody here has written.
        """
        if self.phase == "system_effects":
            return ""
        return _LOGIN.sub(_hidden, self.command.strip()).replace("\n", "\\n")


def system_tools(steps: Iterable[Step], effects: Mapping[str, str]) -> tuple[str, ...]:
    """The Debian packages that the steps' commands call for by name, or scripts that are to be run count on.

    `effects` are those of `build.system_effects`: packages, and whether their scripts are to `run`.
    """
    if any(_APT.search(step.command) for step in steps):
        return APT
    return ESSENTIAL if "run" in effects.values() else ()


def python_tools(steps: Iterable[Step]) -> tuple[str, ...]:
    """The Python packages that the steps' commands call for by name."""
    commands = [step.command for step in steps if step.phase != "system_effects"]
    return tuple(
        name for name, called in (("pip", _PIP), ("uv", _UV)) if any(called.search(command) for command in commands)
    )


def early_python_tools(steps: Iterable[Step]) -> tuple[str, ...] | None:
    """Those that commands of `pre_install` call for; None where none of them calls the environment's Python at all."""
    early = [step for step in steps if step.phase == "pre_install"]
    tools = python_tools(early)
    return tools if tools or any(_PYTHON.search(step.command) for step in early) else None


def _hidden(login: re.Match[str]) -> str:
    user, password = login.groups()
    if password:
        return f"{user}:***@"
    return "***@" if len(user) >= _TOKEN else f"{user}@"
