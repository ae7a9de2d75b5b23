"""The server's end of what connects it with a worker: when the loop sleeps while it waits for an answer."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from cog_oci.sdk.cog import _lookout
from cog_oci.sdk.cog._wire import Decoder, Done, Predict, encode
from cog_oci.server.link import Link
from tests.server.census import family
from tests.server.live import live_server
from tests.server.traffic import connect

_BODY = b'{"input": {}}'
_REQUEST = (
    b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + _BODY
)
_TICK = os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def two_processors(monkeypatch, tmp_path):
    """Whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(_lookout, "_QUOTA", tmp_path / "cpu.max")


@asynccontextmanager
async def _link():
    """A link, the worker's end of it, and the patience of each sleep of the loop from then on: 0 is none."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard: asyncio.Queue = asyncio.Queue()
    link = Link(lambda messages: [heard.put_nowait(each) for each in messages])
    await loop.create_connection(lambda: link, sock=ours)
    select, slept = loop._selector.select, []

    def watched(patience=None):
        slept.append(math.inf if patience is None else patience)
        return select(patience)

    loop._selector.select = watched
    try:
        yield link, theirs, heard, slept
    finally:
        loop._selector.select = select
        link.close()
        theirs.close()
        await asyncio.wait([link.lost], timeout=5)


async def _predict(link, theirs, heard, numbers, *, seconds=0.00001):
    """Predictions one after another that take so long; whether any of their answers was looked for."""
    looked = False
    for number in numbers:
        link.send(Predict(number, "p", {}, b"{}"))
        looked = looked or bool(link._awake._until)
        theirs.sendall(encode(Done(number, "succeeded", seconds)))
        await heard.get()
    return looked


async def test_the_loop_stays_awake_for_an_answer_that_is_likely_to_come_at_once_and_sleeps_when_it_does_not():
    async with _link() as (link, theirs, heard, slept):
        assert not await _predict(link, theirs, heard, range(1, 9)), "eight have to be quick first"
        link.send(Predict(9, "p", {}, b"{}"))
        del slept[:]
        await asyncio.sleep(0.02)
        assert slept[0] == 0
        assert max(slept) > 0.01
        theirs.sendall(encode(Done(9, "succeeded", 0.00001)))
        await heard.get()
        assert not await _predict(link, theirs, heard, range(10, 17)), (
            "looked for in vain: eight have to be quick again"
        )


async def test_when_the_answer_has_come_the_loop_sleeps():
    async with _link() as (link, theirs, heard, slept):
        assert await _predict(link, theirs, heard, range(1, 10))
        await asyncio.sleep(0)  # it hears that there is nothing left to look for
        del slept[:]
        await asyncio.sleep(0.02)
        assert slept[0] > 0.01


async def test_an_answer_that_takes_longer_is_never_looked_for():
    async with _link() as (link, theirs, heard, slept):
        assert not await _predict(link, theirs, heard, range(1, 30), seconds=0.001)
        link.send(Predict(30, "p", {}, b"{}"))
        del slept[:]
        await asyncio.sleep(0.02)
        assert slept[0] > 0.01


async def test_with_another_one_in_flight_nothing_is_looked_for():
    async with _link() as (link, theirs, heard, _):
        await _predict(link, theirs, heard, range(1, 9))
        link.send(Predict(9, "p", {}, b"x" * 100_000))  # large ones go another way
        until = link._awake._until
        assert until
        link.send(Predict(10, "p", {}, b"{}"))
        assert link._awake._until == until


async def test_what_is_sent_to_one_that_has_something_to_do_leaves_together_and_in_its_order():
    async with _link() as (link, theirs, _, _):
        theirs.setblocking(False)
        written = []
        transport = link._transport
        link._transport = SimpleNamespace(
            write=lambda data: (written.append(len(data)), transport.write(data)), close=transport.close
        )
        sent = [Predict(number, f"p{number}", {}, b"{}" if number != 5 else b"x" * 100_000) for number in range(1, 8)]
        for message in sent:
            link.send(message)
        await asyncio.sleep(0)

        assert len(written) == 5, "the first at once, three together, a large one in two, two together"
        received = b""
        while len(received) < sum(written):
            received += await asyncio.get_running_loop().sock_recv(theirs, 1 << 20)
        assert Decoder().feed(received) == sent


async def test_what_was_to_be_sent_to_a_worker_that_has_gone_is_no_fault():
    async with _link() as (link, theirs, _, _):
        link.send(Predict(1, "p", {}, b"{}"))
        link.send(Predict(2, "p", {}, b"{}"))
        link.connection_lost(None)
        theirs.close()
        await asyncio.sleep(0)
        assert not link._held


async def test_where_each_answer_brings_the_next_request_the_loop_still_looks_once_a_round():
    async with _link() as (link, theirs, heard, slept):
        looks = []
        look, handle = link._awake._go_round, link._handle
        link._awake._go_round = lambda: (looks.append(len(slept)), look())

        def next_at_once(messages):
            handle(messages)
            link.send(Predict(messages[-1].number + 1, "p", {}, b"{}"))

        link._handle = next_at_once
        link.send(Predict(1, "p", {}, b"{}"))
        for number in range(1, 100):
            theirs.sendall(encode(Done(number, "succeeded", 0.00001)))
            await heard.get()

        assert looks
        assert len(looks) == len(set(looks)), "of one round, one"


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs proc(5)")
@pytest.mark.parametrize(("model", "slow"), [("plain", {"op": "sleep", "seconds": 0.5}), ("several", {"seconds": 0.5})])
def test_after_a_burst_of_quick_predictions_a_server_that_waits_uses_no_processor(model, slow):
    with live_server(model) as server, connect(server) as client:
        for _ in range(60):
            client.sendall(_REQUEST)
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
        assert _ticks_while(server, lambda: time.sleep(0.5)) <= 5
        assert _ticks_while(server, lambda: server.predict(**slow)) <= 5


def _ticks_while(server, action):
    """The processor time of all processes of the server in the meantime; half a second has 50."""
    before = _ticks(server)
    action()
    return (_ticks(server) - before) * 100 // _TICK


def _ticks(server):
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in family(server.popen.pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats)
