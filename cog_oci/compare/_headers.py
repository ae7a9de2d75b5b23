"""How two heads of one member differ: every field of every block, every PAX record, every byte that fills a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.compare._difference import Difference, at_byte, first_difference
from cog_oci.compare._head import FIELDS, number, records, sum_holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.compare._head import Extension, Field, Head

__all__ = ["compare_heads"]


def compare_heads(path: str, expected: Head, actual: Head) -> list[Difference]:
    """Everything in which they differ, by name; at least one difference when they differ in any byte.

    `actual` may be damaged in any way, as long as it is laid out like `expected`.
    """
    if expected.raw == actual.raw:
        return []
    found: list[Difference] = []
    if len(expected.extensions) == len(actual.extensions):
        for one, other in zip(expected.extensions, actual.extensions, strict=True):
            found += _extension(path, one, other)
    else:
        found += _mapping(path, "PAX record", expected.records, actual.records)
    found += _fields(path, "header field", expected.block, actual.block)
    # Headers of other kinds, or one more of a kind, that say the same.
    return found or at_byte(path, "header byte {}", expected.raw, actual.raw)


def _extension(path: str, expected: Extension, actual: Extension) -> list[Difference]:
    label = expected.label
    found = _fields(path, f"{label} header field", expected.block, actual.block)
    if expected.body != actual.body:
        found += _body(path, label, expected, actual)
    if len(expected.padding) == len(actual.padding):
        found += at_byte(path, label + " header padding byte {}", expected.padding, actual.padding)
    return found


def _body(path: str, label: str, expected: Extension, actual: Extension) -> list[Difference]:
    if expected.kind in (b"L", b"K"):
        shown = _quoted if _plain(expected.body) != _plain(actual.body) else repr
        return [Difference(path, label, shown(expected.body), shown(actual.body))]
    known, told = records(expected.body), records(actual.body)
    if known is not None and told is not None:
        named = _mapping(
            path, f"{label} record", {one.key: one.value for one in known}, {one.key: one.value for one in told}
        )
        if named:
            return named
    at = first_difference(expected.body, actual.body)
    for one in known or ():
        if at is not None and one.start <= at < one.end:
            was, is_now = expected.body[one.start : one.end], actual.body[one.start : one.end]
            return [Difference(path, f"{label} record {_plain(one.key)}", _quoted(was), _quoted(is_now))]
    return at_byte(path, label + " header byte {}", expected.body, actual.body)


def _mapping(path: str, what: str, expected: dict[bytes, bytes], actual: dict[bytes, bytes]) -> list[Difference]:
    def shown(value: bytes | None) -> str | None:
        return None if value is None else _quoted(value)

    return [
        Difference(path, f"{what} {_plain(key)}", shown(expected.get(key)), shown(actual.get(key)))
        for key in sorted({*expected, *actual})
        if expected.get(key) != actual.get(key)
    ]


def _fields(path: str, what: str, expected: bytes, actual: bytes) -> list[Difference]:
    differing = [field for field in FIELDS if field.of(expected) != field.of(actual)]
    if len(differing) > 1 and sum_holds(expected) and sum_holds(actual):
        # The checksum is right for what the other fields say: it is no difference of its own.
        differing = [field for field in differing if field.name != "chksum"]
    return [Difference(path, f"{what} {field.name}", *_shown(field, expected, actual)) for field in differing]


def _shown(field: Field, expected: bytes, actual: bytes) -> Iterator[str]:
    """Both values in the field's own way where that tells them apart, else their bytes."""
    one, other = field.of(expected), field.of(actual)
    if field.kind == "text":
        texts = (one.rstrip(b"\0"), other.rstrip(b"\0"))
        told = texts[0] != texts[1] and not any(b"\0" in text for text in texts)
        return iter([_quoted(text) if told else repr(raw) for text, raw in zip(texts, (one, other), strict=True)])
    numbers = (number(one), number(other))
    if None in numbers or numbers[0] == numbers[1]:
        return iter([repr(one), repr(other)])
    return iter([f"{value:04o}" if field.kind == "mode" else str(value) for value in numbers])


def _quoted(value: bytes) -> str:
    return repr(_plain(value))


def _plain(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
