"""A layer that lies in the store as a plain tar, as entries again."""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from cog_oci.layers._deb import Slice
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.oci import LayerBlob
    from cog_oci.store import Store

__all__ = ["ATTRIBUTE", "entry_of", "stored_entries"]

ATTRIBUTE = "SCHILY.xattr."
"""What the PAX records of extended attributes begin with."""

_KINDS: dict[bytes, Literal["file", "directory", "symlink", "hardlink"]] = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}


@contextmanager
def stored_entries(blob: LayerBlob, store: Store) -> Iterator[list[Entry]]:
    """The entries of a blob that is not compressed, in its order; contents are read where they lie."""
    path = store.path(blob.descriptor.digest)
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as archive:
        yield [entry_of(member, file.fileno()) for member in archive]


def entry_of(member: tarfile.TarInfo, descriptor: int) -> Entry:
    """A member of a tar that is open as `descriptor`, as an entry; its time and names of owners are dropped."""
    kind = _KINDS[member.type]
    return Entry(
        path=member.name,
        kind=kind,
        mode=0o777 if kind == "symlink" else member.mode,
        uid=member.uid,
        gid=member.gid,
        content=Slice(descriptor, member.offset_data, member.size) if kind == "file" else None,
        target=member.linkname,
        xattrs=tuple(
            (name.removeprefix(ATTRIBUTE), value.encode("utf-8", "surrogateescape"))
            for name, value in sorted(member.pax_headers.items())
            if name.startswith(ATTRIBUTE)
        ),
    )
