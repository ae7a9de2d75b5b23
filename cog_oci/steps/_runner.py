"""Steps of a build, run in the sandbox: what they are given, what they say, and how they fail."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import realise
from cog_oci.oci import Image, ImageConfig
from cog_oci.progress import SILENT
from cog_oci.sandbox import unavailable
from cog_oci.steps._difference import Command, CommandError, UnfitChangeError, difference
from cog_oci.steps._secrets import masked, read_secrets
from cog_oci.steps._tools import network_env, network_files, passwords, tool_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cog_oci.build_steps import Step
    from cog_oci.layers import Compression, Layer
    from cog_oci.layers._tar import Entry
    from cog_oci.layers.steps import StepLayer
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import LayerBlob, Platform
    from cog_oci.progress import Progress
    from cog_oci.steps._secrets import Secret
    from cog_oci.store import Store

__all__ = ["Allowance", "CannotRunError", "StepError", "StepRunner", "cannot_run"]

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_NETWORK = re.compile(
    r"could(?:n't| not) resolve|temporary failure (?:in name resolution|resolving)|name or service not known"
    r"|network is unreachable|failed to establish a new connection|unable to resolve host|nodename nor servname"
    r"|no address associated with hostname|getaddrinfo|dns error|couldn't connect to server|connection refused"
    r"|failed to fetch|cannot assign requested address|unable to locate package|no matching distribution found",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"(?:^|[\s:])([\w.+-]+): (?:command )?not found\s*$")
_NO_PIP = re.compile(r"No module named '?(pip|uv)\b")
_OF_PYTHON = re.compile(r"(?:pip|python)[\d.]*|uvx?")  # programs of the virtual environment
_EMULATOR = (
    ". An emulator runs it here, too, slowly: install qemu-user-static (Debian, Ubuntu), or, with docker,"
    " `docker run --privileged --rm tonistiigi/binfmt --install all`"
)
_REMEMBERED = 200  # lines of output that are looked at for a reason


def _fine(_layer: Layer, _blob: LayerBlob) -> None:
    """Nothing is known of any layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What whoever builds gives to steps: secrets, the network to all of them, certificates (PEM) to trust there.

    `accept` lets them make something else than the lock recorded; `offline` lets none of them use the network. What
    COG_OCI_STEP_NETWORK says of the network counts where nothing else does.
    """

    secrets: tuple[Secret, ...] = ()
    network: bool = field(default_factory=lambda: os.environ.get("COG_OCI_STEP_NETWORK", "") in {"1", "true", "yes"})
    accept: bool = False
    offline: bool = False
    certificates: tuple[bytes, ...] = ()


class StepError(CogError):
    """A step that failed; `status` is as in CommandError. What it has written was shown while it ran."""

    def __init__(self, step: str, command: str, status: int, hint: str | None) -> None:
        self.step, self.command, self.status = step, command, status
        ended = f"status {status}" if status >= 0 else f"signal {-status}"
        super().__init__(f"{step} failed with {ended}, and nothing of it is kept: {_first_line(command)}", hint=hint)


class CannotRunError(CogError):
    """A step that this host cannot run, whose result is neither in the store nor where layers are kept for others.

    With `emulator`, one would help.
    """

    def __init__(self, step: str, platform: Platform, reason: str, *, emulator: bool = False) -> None:
        self.step, self.platform, self.reason = step, platform, reason
        super().__init__(
            f"{step} has to be run, and cannot be here: {reason}",
            hint=f"build once on Linux for {platform}; with a shared `cache:` its result is taken from there"
            + (_EMULATOR if emulator else ""),
        )


@dataclass(frozen=True)
class StepRunner:
    """Runs the steps of one platform's lock; `compression` is that of the layers below as they are made anyway.

    `archive` gives the addresses of a Debian archive by name. `check_below` is called with each layer that a step
    stands on, and may raise: it may have been made just now, for this step alone.
    """

    platform: Platform
    parts: PlatformLock
    allowance: Allowance
    archive: Callable[[str], Sequence[str]]
    progress: Progress = SILENT
    compression: Compression = "gzip"
    check_below: Callable[[Layer, LayerBlob], None] = _fine
    _values: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def check(self, layers: Iterable[StepLayer]) -> None:
        """Raise CogError when one of these cannot be run here, or lacks a secret; nothing is run."""
        layers = list(layers)
        if layers and (reason := cannot_run(self.platform)):
            emulator = sys.platform == "linux" and _lacks_emulator(self.platform)
            raise CannotRunError(layers[0].name, self.platform, reason, emulator=emulator)
        if self.allowance.offline and (online := [layer.name for layer in layers if layer.step.network]):
            raise CogError(
                f"{online[0]} uses the network, and this build may not",
                hint="build once without --offline and COG_OFFLINE: what it makes is kept",
            )
        wanted = [(secret.id, layer.name) for layer in layers for secret in layer.step.secrets]
        self._values.update(read_secrets(wanted, self.allowance.secrets))

    @contextmanager
    def run(self, layer: StepLayer, store: Store) -> Iterator[Iterable[Entry]]:
        """What the step changes. Raises StepError, CannotRunError, and CogError for what no layer can hold."""
        self.check([layer])
        blobs = [realise(below, store, self.progress, self.compression) for below in layer.below]
        for below, blob in zip(layer.below, blobs, strict=True):
            self.check_below(below, blob)
        network = (layer.step.network or self.allowance.network) and not self.allowance.offline
        files = {**tool_files(), **(self._network_files if network else {})}
        files |= {secret.target: (0o400, self._values[secret.id]) for secret in layer.step.secrets}
        variables = dict(row.partition("=")[::2] for row in layer.step.variables)
        env = {**(network_env(files) if network else {}), **layer.env, **variables}
        command = Command(
            arguments=("/bin/sh", "-c", layer.step.command), env=env, network=network, files=files, working_dir="/"
        )
        image = Image(self.platform, ImageConfig(), tuple(blobs))
        last: deque[str] = deque(maxlen=_REMEMBERED)
        hidden = [*self._values.values(), *passwords(env.values()), *passwords(_texts(files))]
        say = masked(self.progress.say, hidden)

        def output(line: str) -> None:
            last.append(line)
            say(line)

        say(f"{layer.name}: {_first_line(layer.step.command)}")
        try:
            with difference(image, command, store, output) as entries:
                yield entries
        except CommandError as error:
            raise StepError(layer.name, layer.step.command, error.status, _hint(last, layer.step, network)) from None
        except UnfitChangeError as error:
            raise CogError(f"{layer.name}: {error}", hint=error.hint) from None

    @cached_property
    def _network_files(self) -> Mapping[str, tuple[int, bytes]]:
        return network_files(self.parts, self.archive, self.allowance.certificates)


def cannot_run(platform: Platform) -> str | None:
    """Why this host cannot run the programs of an image for `platform`; None when it can. Starts next to nothing."""
    if sys.platform != "linux":
        return f"that needs Linux, and this host is {sys.platform}"
    if _lacks_emulator(platform):
        return (
            f"the image is for {platform.architecture}, and this host is {os.uname().machine}"
            " without an emulator for it (binfmt_misc)"
        )
    return unavailable()


def _lacks_emulator(platform: Platform) -> bool:
    return _MACHINES.get(os.uname().machine) != platform.architecture and not _emulated(platform.architecture)


def _emulated(architecture: str) -> bool:
    """Whether the kernel has an emulator that works in any root: one with the flag F (Linux, binfmt-misc.rst)."""
    for machine, name in _MACHINES.items():
        if name == architecture:
            try:
                text = Path(f"/proc/sys/fs/binfmt_misc/qemu-{machine}").read_text(encoding="utf-8")
            except OSError:
                return False
            return text.startswith("enabled") and any(
                "F" in flags for flags in re.findall(r"^flags: (\w+)", text, re.MULTILINE)
            )
    return False


def _hint(last: Iterable[str], step: Step, network: bool) -> str | None:
    """What its last words say of the reason."""
    lines = list(last)
    if not network and any(_NO_NETWORK.search(line) for line in lines):
        return (
            "the step has no network; in cog.yaml, write it as `- command: …` with `network: true`, or let all steps"
            " have it with --step-network"
        )
    for line in reversed(lines):
        if match := _NOT_FOUND.search(line) or _NO_PIP.search(line):
            return _missing(match[1], step)
    return None


def _missing(program: str, step: Step) -> str:
    """Where a program comes from that a step has not found."""
    of_python = _OF_PYTHON.fullmatch(program) is not None
    if of_python and step.phase == "pre_install":
        return (
            f"there is no {program} before the Python packages, unless a command of build.pre_install calls it by that"
            " name in cog.yaml: call it there, or move the command to build.run"
        )
    if of_python and not program.startswith("python"):
        return f"there is no {program} in the virtual environment; add pip or uv to build.python_requirements"
    return f"there is no {program} in the image; add the package that has it to build.system_packages"


def _texts(files: Mapping[str, tuple[int, bytes]]) -> list[str]:
    return [data.decode("utf-8", "replace") for _, data in files.values()]


def _first_line(command: str) -> str:
    first, _, more = command.strip().partition("\n")
    return f"{first} …" if more else first
