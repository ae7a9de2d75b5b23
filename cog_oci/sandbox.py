"""Run a program in an image's root without a daemon: user namespaces through util-linux's `unshare`, root or not.

Each layer is unpacked once, under its diff ID; a run stacks them with an overlay whose upper side is in memory, so a
second start unpacks nothing and nothing that runs can change the store. The network is the host's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cog_oci.oci import Image, LayerBlob
    from cog_oci.store import Store

__all__ = ["Sandbox", "SandboxUnavailableError", "unavailable"]

# Runs inside the new namespaces. $1 the scratch folder, $2 the lower layers, $3 the working folder; then the program.
# Everything that the host shows is bound one by one: no folder of it is visible in the root.
_ENTER = r"""
set -eu
scratch=$1; lower=$2; workdir=$3; shift 3
mount -t tmpfs -o mode=0755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work,userxattr" overlay "$root"
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/etc" "$root$workdir"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"; ln -s fd/0 "$root/dev/stdin"; ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mkdir -m 1777 "$root/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for file in resolv.conf hosts; do
  if [ -e "/etc/$file" ]; then : > "$root/etc/$file"; mount --bind "/etc/$file" "$root/etc/$file"; fi
done
cd /
exec unshare --root="$root" --wd="$workdir" -- "$@"
"""


class SandboxUnavailableError(CogError):
    """This machine cannot make the namespaces."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the sandbox cannot start: {reason}",
            hint="it needs Linux, util-linux's unshare, and user namespaces (sysctl user.max_user_namespaces above 0)",
        )


class Sandbox:
    """Starts programs in the root of one image."""

    def __init__(self, image: Image, store: Store) -> None:
        self._image = image
        self._store = store

    @contextmanager
    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The command under way, with the image's environment and working folder; ended when the context is.

        `stdin` and `stdout` are as subprocess.Popen takes them. Raises SandboxUnavailableError when namespaces cannot
        be made here.
        """
        if reason := unavailable():
            raise SandboxUnavailableError(reason)
        lower = ":".join(reversed([self._unpacked(layer).name for layer in self._image.layers]))
        environment = {**self._image.config.env, "HOME": "/root", **(env or {})}
        with tempfile.TemporaryDirectory(prefix="cog-oci-root-") as scratch:
            process = subprocess.Popen(
                [
                    *("unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts"),
                    *("--fork", "--kill-child=SIGKILL", "--"),
                    *("/bin/sh", "-c", _ENTER, "sandbox", scratch, lower, self._image.config.working_dir),
                    *("env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command),
                ],
                # Relative names keep the overlay's options under the page that the kernel reads of them.
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"},
                stdin=stdin,
                stdout=stdout,
                # Ctrl-C is for us: we end the sandbox in order.
                start_new_session=True,
            )
            try:
                yield process
            finally:
                _end(process)

    @property
    def _folder(self) -> Path:
        return self._store.root / "unpacked"

    def _unpacked(self, layer: LayerBlob) -> Path:
        """The layer as a folder; made beside its place and renamed into it, so that it is whole."""
        digest = layer.diff_id.removeprefix("sha256:")
        final = self._folder / digest[:24]
        if final.is_dir():
            return final
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=self._folder, prefix=".partial-"))
        partial.chmod(0o755)
        try:
            _unpack(self._store.path(layer.descriptor.digest), layer.descriptor.media_type, partial)
            partial.rename(final)
        except OSError:
            if not final.is_dir():  # another process was first
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return final


def unavailable() -> str | None:
    """Why nothing can be run here in a sandbox; None when it can."""
    if shutil.which("unshare") is None:
        return "there is no `unshare` on PATH"
    probe = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return (probe.stderr.strip() or f"unshare ended with {probe.returncode}") if probe.returncode else None


def _unpack(blob: Path, media_type: str, folder: Path) -> None:
    # Links may point anywhere: nothing follows them before they are inside a root of their own. The layers are made
    # by us, with every path checked, so the archive's own names are safe; ownership is that of who runs it.
    from cog_oci.blobs import open_plain  # noqa: PLC0415 - only the first start of an image unpacks

    with (
        blob.open("rb") as stored,
        tarfile.open(fileobj=open_plain(stored, media_type), mode="r|", encoding="utf-8") as archive,
    ):
        archive.extraction_filter = _as_it_is
        archive.extractall(folder)  # noqa: S202 - the filter is the line above; every path was checked when written


def _as_it_is(member: tarfile.TarInfo, _folder: str) -> tarfile.TarInfo:
    """Owner unchanged for root, dropped for others; names of the same bytes in every locale."""
    if os.geteuid() != 0:
        member.uid, member.gid = os.geteuid(), os.getegid()
    return member.replace(name=_local(member.name), linkname=_local(member.linkname), deep=False)


def _local(name: str) -> str:
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to what runs inside, then, when it does not heed it, SIGKILL to the namespace."""
    if process.poll() is None:
        for child in _children(process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]
