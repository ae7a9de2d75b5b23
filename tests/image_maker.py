"""Images for the tests that look into them: any members, in layers made as those of every image of ours, or as given."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass

from cog_oci.layers import realise, recipe
from cog_oci.layers._tar import Entry
from cog_oci.oci import Image, ImageConfig, Platform, sha256
from cog_oci.store import Store
from tests.transports.stored import layer


@dataclass
class Listed:
    """A layer of these entries, to be made as any other."""

    name: str
    entries: list[Entry]
    why: str = "a test asks for it"
    artifacts: tuple[()] = ()

    @property
    def recipe(self) -> str:
        content = [b"".join(entry.content.chunks()) if entry.content else b"" for entry in self.entries]
        parts = [
            [entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.target, sha256(data)]
            for entry, data in zip(self.entries, content, strict=True)
        ]
        return recipe("listed", 1, entries=parts)

    @contextmanager
    def open(self, store: Store):
        yield self.entries


def made(
    store: Store, *layers: Listed, architecture: str = "amd64", compression: str = "gzip", **config: object
) -> Image:
    """An image of these layers, bottom up."""
    blobs = tuple(realise(one, store, compression=compression) for one in layers)
    return Image(Platform("linux", architecture), ImageConfig(**config), blobs)


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object) -> tuple:
    """A member of a tar as others write it; `fields` are those of tarfile.TarInfo."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tar(*members: tuple, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def of_tars(store: Store, *tars: bytes) -> Image:
    """An image whose layers are these tars."""
    blobs = tuple(layer(store, f"layer {number}", data) for number, data in enumerate(tars, 1))
    return Image(Platform("linux", "amd64"), ImageConfig(), blobs)
