"""The media type of a file, by its name."""

from __future__ import annotations

__all__ = ["media_type"]

_UNKNOWN = "application/octet-stream"
_COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "br": "application/x-brotli",
    "compress": "application/x-compress",
}


def media_type(name: str | None) -> str:
    """Of a compressed file the type of what its bytes are: `d.tar.gz` is gzip's, whatever is in it."""
    if not name:
        return _UNKNOWN
    import mimetypes  # noqa: PLC0415 - takes long to import: only when a file goes out

    kind, encoding = mimetypes.guess_type(name)
    return (kind if encoding is None else _COMPRESSED.get(encoding)) or _UNKNOWN
