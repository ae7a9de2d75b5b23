"""A layer's tar as a folder that overlayfs can stack: its files where a container would see them, and nowhere else.

Layers may be anybody's. Every path is followed inside the folder as `chroot` would follow it, so that no name and no
link leads out; devices are not made. OCI's whiteouts (image-spec, layer.md) become those of overlayfs.
"""

from __future__ import annotations

import math
import os
import shutil
import stat
import tarfile
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["unpack"]

_OPAQUE = ".wh..wh..opq"
_WHITEOUT = ".wh."
_MOST_LINKS = 40  # as in Linux (path_resolution(7))
_IS_OPAQUE = "user.overlay.opaque"
_LAST = (1 << 34) - 1  # seconds; what ext4 can keep
_XATTR = "SCHILY.xattr."
_CAPABILITY = _XATTR + "security.capability"


def unpack(plain: BinaryIO, folder: Path) -> None:
    """The members of this tar below `folder`, an empty one. Ownership is that of the tar where root does it.

    Raises CogError for what is no tar, and for one that makes no sense, such as a file in a file.
    """
    try:
        with tarfile.open(fileobj=plain, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            _Unpacking(archive, folder).run()
    except tarfile.TarError as error:
        raise CogError(f"a layer is no tar that can be read: {error}") from None


class _Unpacking:
    def __init__(self, archive: tarfile.TarFile, folder: Path) -> None:
        self._archive, self._folder = archive, folder
        self._root = os.geteuid() == 0
        self._known: dict[str, Path] = {"": folder}
        self._directories: list[tuple[Path, tarfile.TarInfo]] = []

    def run(self) -> None:
        for member in self._archive:
            parts = [part for part in _local(member.name).split("/") if part not in {"", "."}]
            if ".." in parts:
                raise CogError(f"a layer has a path that leads out of it: {member.name}")
            if parts:
                self._put(member, self._parent("/".join(parts[:-1])), parts[-1])
            self._archive.members = []  # type: ignore[attr-defined]  # left out by typeshed; it remembers every header
        # Modes and times of directories last: what is put into them changes the latter, and the former may forbid it.
        for place, member in reversed(self._directories):
            if place.is_dir() and not place.is_symlink():
                self._dress(place, member)

    def _parent(self, path: str) -> Path:
        """The directory of this path on this machine, made where it is missing."""
        known = self._known.get(path)
        if known is None:
            above, _, name = path.rpartition("/")
            known = self._known[path] = self._entered(self._parent(above), name, _MOST_LINKS)
        return known

    def _entered(self, parent: Path, name: str, links: int) -> Path:
        """A directory in a directory, links followed as if the folder were the root of everything."""
        place = parent / name
        if not place.is_symlink():
            if not place.is_dir():
                if place.exists():
                    raise CogError(f"a layer has files in /{place.relative_to(self._folder)}, which is no directory")
                place.mkdir(0o755)
            return place
        if not links:
            raise CogError(f"a layer has links without end at /{place.relative_to(self._folder)}")
        target = str(place.readlink())
        here = self._folder if target.startswith("/") else parent
        for part in target.split("/"):
            if part == "..":
                here = here if here == self._folder else here.parent
            elif part not in {"", "."}:
                here = self._entered(here, part, links - 1)
        return here

    def _put(self, member: tarfile.TarInfo, parent: Path, name: str) -> None:
        place = parent / name
        if name == _OPAQUE:
            os.setxattr(parent, _IS_OPAQUE, b"y")
        elif name.startswith(_WHITEOUT):
            if (hidden := name.removeprefix(_WHITEOUT)) in {"", ".", ".."}:
                raise CogError(f"a layer has a whiteout without a name: {member.name}")
            self._hide(parent / hidden)
        elif member.isdir():
            self._directory(place, member)
        elif member.isreg() or member.issym() or member.islnk() or member.isfifo():
            self._clear(place)
            self._other(place, member)

    def _hide(self, place: Path) -> None:
        """What lower layers have there is gone; what this one has there stays, wherever in the tar it is."""
        if place.is_dir() and not place.is_symlink():
            os.setxattr(place, _IS_OPAQUE, b"y")
        elif not place.is_symlink() and not place.exists():
            os.mknod(place, stat.S_IFCHR, os.makedev(0, 0))  # an ordinary user may make this device, and no other

    def _directory(self, place: Path, member: tarfile.TarInfo) -> None:
        if place.is_symlink() or not place.is_dir():
            hidden = place.is_char_device()
            self._clear(place)
            place.mkdir(0o755)
            if hidden:
                os.setxattr(place, _IS_OPAQUE, b"y")
        self._directories.append((place, member))

    def _clear(self, place: Path) -> None:
        """The last of several members with one path counts."""
        if not place.is_symlink() and not place.exists():
            return
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
        self._known = {"": self._folder}  # ways may have led through it

    def _other(self, place: Path, member: tarfile.TarInfo) -> None:
        if member.issym():
            place.symlink_to(_local(member.linkname))
            if self._root:
                os.chown(place, member.uid, member.gid, follow_symlinks=False)
            return
        if member.islnk():
            above, _, name = _local(member.linkname).strip("/").rpartition("/")
            if ".." in {*above.split("/"), name}:
                raise CogError(f"a layer has a hard link that leads out of it: {member.name}")
            os.link(self._parent(above) / name, place, follow_symlinks=False)
            return
        if member.isfifo():
            os.mkfifo(place)
        else:
            file = self._archive.extractfile(member)
            with place.open("xb") as out:
                if file is not None:
                    shutil.copyfileobj(file, out, 1 << 20)
        self._dress(place, member)

    def _dress(self, place: Path, member: tarfile.TarInfo) -> None:
        """Owner, mode, time and capabilities, as far as whoever does this may set them."""
        if self._root:
            os.chown(place, member.uid, member.gid)
        place.chmod(member.mode & 0o7777)
        moment = min(max(member.mtime, 0), _LAST) if math.isfinite(member.mtime) else 0
        os.utime(place, (moment, moment))
        if self._root and (capability := member.pax_headers.get(_CAPABILITY)):
            os.setxattr(place, _CAPABILITY.removeprefix(_XATTR), capability.encode("utf-8", "surrogateescape"))


def _local(name: str) -> str:
    """A name of the same bytes in every locale."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))
