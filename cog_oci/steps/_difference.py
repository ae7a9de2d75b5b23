"""A command run on an image's root, and what it changed there, as the entries of a layer."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers._stored import entry_of
from cog_oci.oci import EPOCH
from cog_oci.sandbox import Keeping, Sandbox, identities, remove_folder
from cog_oci.steps._left_out import FILES_LEFT_OUT, LEFT_OUT
from cog_oci.store import in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cog_oci.layers._tar import Entry
    from cog_oci.oci import Image
    from cog_oci.store import Store

__all__ = ["Command", "CommandError", "UnfitChangeError", "difference"]

_CAPTURE = Path(__file__).with_name("_capture.py")
_HOSTNAME = "cog-oci"
_LAST_SIGNAL = 64
_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "PYTHONHASHSEED": "0",
    # Bytecode of the layers below is not looked at while modules may change, and none is left beside them.
    "PYTHONPYCACHEPREFIX": "/tmp/.pycache",  # noqa: S108 - a path in the image
    "PIP_NO_COMPILE": "no",  # sic: pip takes the value for that of `compile`
    "PIP_NO_CACHE_DIR": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run: `arguments` in `working_dir`, as root, with the image's environment and `env`.

    `files` are in the root while it runs and then no more, by their place: mode and content. `mounts` are folders of
    this machine, likewise; what is written there is no change of the root.
    """

    arguments: tuple[str, ...]
    working_dir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    files: Mapping[str, tuple[int, bytes]] = field(default_factory=dict, repr=False)
    mounts: Mapping[str, Path] = field(default_factory=dict)


class CommandError(CogError):
    """A command that ended with another status than 0, `status`, which is -N for signal N."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the command ended with status {status}")


class UnfitChangeError(CogError):
    """A command that left behind what no layer can hold."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        self.found = found
        what = "; ".join(f"/{path} is {kind}" for path, kind in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        super().__init__(
            f"it left behind what no layer can hold: {what}{more}", hint="remove it at the end of the step"
        )


@contextmanager
def difference(below: Image, command: Command, store: Store, output: Callable[[str], None]) -> Iterator[list[Entry]]:
    """Run the command on the root of `below`: what it added, changed and removed, in the order of paths.

    What is gone is there as OCI's whiteouts (`.wh.name`); a file is there when its content, mode, owner or attributes
    differ from what they were. Times are not looked at, nor is what `_left_out` lists. Root, and an ordinary user with
    subordinate ids, keep owners; for other users everything belongs to root. Contents can be read while the context
    is open. `output` is called with each line that the command writes.

    Raises CommandError, UnfitChangeError, SandboxUnavailableError, and CogError where the sandbox itself fails; then
    nothing is left.
    """
    with _scratch(store) as folder:
        asked = {"left_out": LEFT_OUT, "files_left_out": FILES_LEFT_OUT}
        _beside(folder, "asked").write_text(json.dumps(asked), encoding="utf-8")
        _run(below, command, store, folder, output)
        if (refused := _beside(folder, "refused")).exists():
            raise UnfitChangeError([(path, kind) for path, kind in json.loads(refused.read_text(encoding="utf-8"))])
        with (folder / "result").open("rb") as file, tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as archive:
            yield [entry_of(member, file.fileno()) for member in archive]


def _run(below: Image, command: Command, store: Store, folder: Path, output: Callable[[str], None]) -> None:
    keeping = Keeping(
        folder=folder, enter=identities().enter, after=_CAPTURE, result=folder / "result", hostname=_HOSTNAME
    )
    with Sandbox(below, store).start(
        command.arguments,
        env={**_ENVIRONMENT, **command.env},
        stdout=subprocess.PIPE,
        mounts=command.mounts,
        network=command.network,
        working_dir=command.working_dir,
        files=command.files,
        keeping=keeping,
    ) as process:
        if process.stdout is None:
            raise RuntimeError("the command was started without a pipe")
        with process.stdout:
            for line in process.stdout:
                output(line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2])
        status = process.wait()
    if status and not _beside(folder, "entered").exists():
        raise CogError(
            f"the sandbox ended with status {status} before the command began; its own words are above",
            hint="`cog-oci doctor` says what it lacks",
        )
    if status and _beside(folder, "begun").exists():
        raise CogError(
            f"what the command changed could not be kept, status {status}; the reason is above",
            hint="see that there is room where the store is",
        )
    if status:
        raise CommandError(128 - status if 128 < status <= 128 + _LAST_SIGNAL else status)


def _beside(folder: Path, what: str) -> Path:
    return folder / f"result.{what}"


@contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    """A folder in the store with the two that an overlay writes to; removed by whoever may remove what is in there."""
    folder = store.root / "tmp" / os.urandom(16).hex()
    for name in ("upper", "work"):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o755)  # the root of the root has the mode of its upper side, whatever our umask is
    try:
        with in_use(folder):
            yield folder
    finally:
        remove_folder(folder)
