"""Requests that no client should send, as bytes: `malformed(count, seed)`; the same ones for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

VALID: dict[str, Any] = {"id": "abc", "input": {"text": "x"}, "context": {"k": "v"}, "webhook_events_filter": ["start"]}
ODD = [None, True, -1, 10**400, 0.5, "", "\x00", "é" * 300, [], {}, [[]], {"": {}}, {"a": 1}, ["start", 5], ["nope"]]
IDS = [
    "../../etc",
    "%2e%2e%2f",
    "a%00b",
    "%ff%fe",
    "x" * 300,
    "x" * 9000,
    "..",
    ".",
    "a/b//c",
    "%",
    "%zz",
    " ",
    "\u202e",
]

Chance = random.Random


def malformed(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """The kind and the bytes of so many requests, all kinds equally often."""
    chance = Chance(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield kind.__name__.removeprefix("_"), kind(chance)


def request(body: bytes, *headers: str, method: str = "POST", path: str = "/predictions", length: str = "") -> bytes:
    """A well-formed request around `body`, unless what it is given is not."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        "Content-Type: application/json",
        length or f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _garbled(chance: Chance, text: bytes) -> bytes:
    """Some bytes changed, doubled or left out."""
    changed = bytearray(text)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    return bytes(changed)


def _random_bytes(chance: Chance) -> bytes:
    return chance.randbytes(chance.randint(1, 3000)) + b"\r\n\r\n"


def _garbled_request(chance: Chance) -> bytes:
    return _garbled(chance, request(_json(VALID)))


def _garbled_json(chance: Chance) -> bytes:
    return request(_garbled(chance, _json(VALID)))


def _half_json(chance: Chance) -> bytes:
    text = _json(VALID)
    return request(text[: chance.randrange(len(text))])


def _wrong_types(chance: Chance) -> bytes:
    return request(_json({**VALID, chance.choice(list(VALID)): chance.choice(ODD)}))


def _wrong_inputs(chance: Chance) -> bytes:
    return request(_json({"input": {chance.choice(["text", "seconds", "op"]): chance.choice(ODD)}}))


def _not_an_object(chance: Chance) -> bytes:
    return request(_json(chance.choice(ODD)))


def _deep_nesting(chance: Chance) -> bytes:
    opening = chance.choice([b"[", b'{"a":', b'{"input":'])
    return request(opening * chance.choice([100, 1000, 20_000, 100_000]))


def _bad_utf8(chance: Chance) -> bytes:
    return request(b'{"input": {"text": "' + chance.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88"]) + b'"}}')


def _half_surrogates(chance: Chance) -> bytes:
    place = chance.choice(['"id": "%s"', '"input": {"text": "%s"}', '"input": {"%s": 1}', '"context": {"a": "%s"}'])
    return request(("{" + place % chance.choice(["\\ud800", "\\udfff", "a\\udc00b"]) + "}").encode())


def _strange_numbers(chance: Chance) -> bytes:
    number = chance.choice(["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "0x10", "01", "1.", "-", "1e", "+1"])
    return request(b'{"input": {"seconds": ' + number.encode() + b"}}")


def _lying_length(chance: Chance) -> bytes:
    length = chance.choice(["1", "5", "100000", "-1", "+5", "1_0", "0x10", "9" * 30, "", "abc", "5, 5", "5;5"])
    return request(_json(VALID), length=f"Content-Length: {length}")


def _two_lengths(chance: Chance) -> bytes:
    body = _json(VALID)
    return request(body, f"Content-Length: {chance.choice([0, 1, len(body), len(body) + 1])}")


def _length_and_chunks(chance: Chance) -> bytes:
    coding = chance.choice(["chunked", "gzip, chunked", "identity", "xchunked", "chunked, chunked", " chunked"])
    return request(b"5\r\n{}   \r\n0\r\n\r\n", f"Transfer-Encoding: {coding}")


def _bad_chunks(chance: Chance) -> bytes:
    chunks = [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"f" * 40 + b"\r\n{}",
        b"2;" + b"x" * 9000,
    ]
    return request(chance.choice(chunks), length="Transfer-Encoding: chunked")


def _huge_header(chance: Chance) -> bytes:
    return request(b"{}", f"X: {'x' * chance.choice([10_000, 70_000, 500_000])}")


def _many_headers(chance: Chance) -> bytes:
    return request(b"{}", *[f"X-{number}: y" for number in range(chance.choice([150, 2000, 10_000]))])


def _bad_headers(chance: Chance) -> bytes:
    header = chance.choice(
        ["No-Colon", ": y", "A B: c", "X: a\x00b", "X: a\nb", " folded", "X\t: y", "\u00e9: x", "Host: y"]
    )
    return request(b"{}", header)


def _bad_first_line(chance: Chance) -> bytes:
    method = chance.choice(["GET", "PATCH", "post", "", "P" * 5000, "PO ST", "CONNECT", "TRACE", "PRI", "POST /x"])
    path = chance.choice(["/predictions", "predictions", "//", "/" + "x" * 9000, "/\x00", "http://[", "*", "/%", ""])
    return request(b"{}", method=method, path=path)


def _bad_ids(chance: Chance) -> bytes:
    identity = chance.choice(IDS)
    if chance.random() < 0.5:
        return request(_json({"id": identity, "input": {}}))
    ending = chance.choice(["", "/cancel", "/"])
    method = "POST" if ending == "/cancel" else "PUT"
    return request(_json({"input": {}}), method=method, path=f"/predictions/{identity.replace(' ', '+')}{ending}")


def _bad_webhooks(chance: Chance) -> bytes:
    where = chance.choice(["", "x", "http://", "ftp://x", "http://[::1", "http://127.0.0.1:99999", "//x", "\x00", 5])
    return request(_json({"webhook": where, "webhook_events_filter": chance.choice(ODD), "input": {}}))


def _other_protocols(chance: Chance) -> bytes:
    h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    old = b"GET /health-check\r\n\r\n"
    upgrade = request(b"{}", "Upgrade: websocket", "Sec-WebSocket-Key: x").replace(b": close", b": upgrade")
    return chance.choice([h2, h2 + chance.randbytes(100), tls + chance.randbytes(200), old, upgrade])


KINDS: list[Callable[[Chance], bytes]] = [
    _random_bytes,
    _garbled_request,
    _garbled_json,
    _half_json,
    _wrong_types,
    _wrong_inputs,
    _not_an_object,
    _deep_nesting,
    _bad_utf8,
    _half_surrogates,
    _strange_numbers,
    _lying_length,
    _two_lengths,
    _length_and_chunks,
    _bad_chunks,
    _huge_header,
    _many_headers,
    _bad_headers,
    _bad_first_line,
    _bad_ids,
    _bad_webhooks,
    _other_protocols,
]
