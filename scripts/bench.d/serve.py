"""`scripts/bench serve`: the server in the image against Cog's own, the same models, in turns."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import exchange
import measure
import products
import throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from products import Memory, Product

__all__ = ["PARTS", "bench"]

PARTS = ("sync", "async", "connections", "sse", "start", "memory", "bodies")

_SLOTS = 64
_TOKENS = 500
_STREAMS = 10
_SETTLED = 1.0  # seconds after which a server that is ready does nothing of its own any more
_INPUTS = (1, 10, 50)  # in 10^6 bytes, as the next
_OUTPUTS = (10, 100)


def bench(folder: Path, parts: Sequence[str], runs: int, seconds: int, *, alone: bool) -> None:
    """Take the figures of these parts, everything below `folder`; `alone` without the peer."""
    sides = [products.ours(folder)]
    if not alone:
        if peer := products.cog(folder):
            sides.append(peer)
        else:
            measure.skip("serve: against coglet", "pip cannot install it here")
    if "sync" in parts:
        throughput.figures("trivial sync model", "hello", sides, runs, seconds)
    if "async" in parts:
        name = f"trivial async model, {_SLOTS} slots"
        throughput.figures(name, "hello_async", sides, runs, seconds, COG_MAX_CONCURRENCY=str(_SLOTS))
    if "connections" in parts:
        _connections(sides, runs, seconds)
    for part, figure in {"sse": _sse, "start": _start, "memory": _memory, "bodies": _bodies}.items():
        if part in parts:
            figure(sides, runs)


def _connections(sides: Sequence[Product], runs: int, seconds: int) -> None:
    """One after another, as clients ask that keep none, and proxies."""
    body = json.dumps({"input": {"s": "world"}}).encode()
    kinds = {
        "HTTP/1.1": ("1.1", ""),
        "HTTP/1.1, Connection: close": ("1.1", "Connection: close\r\n"),
        "HTTP/1.0": ("1.0", ""),
    }
    with ExitStack() as stack:
        slots = {"COG_MAX_CONCURRENCY": str(_SLOTS)}
        ports = [stack.enter_context(side.running("hello_async", **slots)).port for side in sides]
        for name, (version, fields) in kinds.items():
            ask = partial(exchange.on_new_connections, body=body, seconds=seconds, version=version, fields=fields)
            measure.in_turns(ports, 1, ask)  # not counted
            taken = measure.in_turns(ports, runs, ask)
            _show(f"a connection for each request, {name}", "per_second", taken, digits=1, more_is_better=True)


def _sse(sides: Sequence[Product], runs: int) -> None:
    """A run is the median of some streams, one after another."""
    with ExitStack() as stack:
        ports = [stack.enter_context(side.running("tokens")).port for side in sides]
        measure.in_turns(ports, 1, partial(_streams, kept=True))  # not counted
        kept = measure.in_turns(ports, runs, partial(_streams, kept=True))
        fresh = measure.in_turns(ports, runs, partial(_streams, kept=False))
    name = f"sse: {_TOKENS} tokens"
    whole = [[run.whole for run in each] for each in kept]
    _show(f"{name}, per second", "tokens", [[_TOKENS / run for run in each] for each in whole], more_is_better=True)
    _show(f"{name}, whole stream", "seconds", whole, digits=6)
    for connection, taken in (("a kept connection", kept), ("a new connection", fresh)):
        first = [[run.first for run in each] for each in taken]
        _show(f"{name}, first token on {connection}", "seconds", first, digits=6)


def _streams(port: int, *, kept: bool) -> exchange.Stream:
    streams = exchange.streams(port, _TOKENS, _STREAMS, kept=kept)
    return exchange.Stream(
        first=statistics.median(each.first for each in streams), whole=statistics.median(each.whole for each in streams)
    )


def _start(sides: Sequence[Product], runs: int) -> None:
    """From the start of the process to the first READY; the first start of each, which reads files, is not counted."""
    measure.in_turns(sides, 1, _start_once)
    _show("start to ready", "seconds", measure.in_turns(sides, 2 * runs, _start_once))


def _start_once(side: Product) -> float:
    with side.running("hello") as server:
        return server.seconds


def _memory(sides: Sequence[Product], runs: int) -> None:
    """One server at a time: what two of them share would be nobody's."""
    taken = measure.in_turns(sides, runs, _memory_once)
    for field in ("pss", "rss"):
        _show(f"idle memory, {field}", "mb", [[getattr(run, field) for run in each] for each in taken], digits=1)


def _memory_once(side: Product) -> Memory:
    with side.running("hello") as server:
        time.sleep(_SETTLED)
        return server.memory()


def _bodies(sides: Sequence[Product], runs: int) -> None:
    """Texts in, files out."""
    for model, sizes, asking in (("length", _INPUTS, _text_of), ("file", _OUTPUTS, _file_of)):
        with ExitStack() as stack:
            ports = [stack.enter_context(side.running(model)).port for side in sides]
            for size in sizes:
                ask = asking(size)
                measure.in_turns(ports, 1, ask)  # not counted
                way = "input" if model == "length" else "file output"
                _show(f"{size} MB {way}", "seconds", measure.in_turns(ports, runs, ask), digits=4)


def _text_of(size: int) -> Callable[[int], float]:
    body = json.dumps({"input": {"text": "x" * (size * 10**6)}}).encode()
    return lambda port: exchange.post(port, body)


def _file_of(size: int) -> Callable[[int], float]:
    body = json.dumps({"input": {"size": size}}).encode()
    return lambda port: exchange.post(port, body, least=size * 10**6 * 4 // 3)


def _show(
    figure: str, unit: str, taken: Sequence[Sequence[float]], *, digits: int = 3, more_is_better: bool = False
) -> None:
    """Print medians, ours and the peer's if there is one; a ratio of 2 is twice as good, whatever is better."""
    middles = [statistics.median(each) for each in taken]
    line: dict[str, Any] = {"figure": figure, unit: round(middles[0], digits)}
    if len(middles) > 1:
        ours, theirs = middles
        line[f"peer_{unit}"] = round(theirs, digits)
        line["ratio"] = round(ours / theirs if more_is_better else theirs / ours, 2)
    print(json.dumps({**line, "runs": len(taken[0])}), flush=True)
