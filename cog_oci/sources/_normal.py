"""A wheel's bytes without the moment and the place that it was made at: the same files, the same archive (PEP 427)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["normalised"]

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


def normalised(path: Path) -> bytes:
    """The wheel with its files in the order of their names, of one time, 0644 or 0755, and a RECORD in that order.

    Nothing is compressed: what a compressor makes of it depends on its version, and layers are compressed anyway.
    Compiled Python is left out. Raises CogError for what is no wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist() if _kept(info)}
            contents = {name: archive.read(info) for name, info in members.items()}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, zlib.error) as error:
        raise CogError(f"{path.name} is not a wheel: {error}") from error
    records = [name for name in members if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)]
    if len(records) != 1:
        raise CogError(f"{path.name} is not a wheel: it has {len(records)} RECORDs")
    (record,) = records
    contents[record] = _record(contents, record)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents, key=lambda name: (".dist-info/" in name, name == record, name)):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3  # Unix, whose modes these are
            runs = (members[name].external_attr >> 16) & stat.S_IXUSR
            info.external_attr = (stat.S_IFREG | (0o755 if runs else 0o644)) << 16
            archive.writestr(info, contents[name])
    return out.getvalue()


def _kept(info: zipfile.ZipInfo) -> bool:
    return not (info.is_dir() or info.filename.endswith(".pyc") or info.filename.rpartition("/")[2] in _SIGNATURES)


def _record(contents: dict[str, bytes], record: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name in sorted(contents):
        if name == record:
            rows.writerow((name, "", ""))
        else:
            digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).decode().rstrip("=")
            rows.writerow((name, f"sha256={digest}", len(contents[name])))
    return text.getvalue().encode()
