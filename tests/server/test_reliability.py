"""What a server must survive, moderately; COG_RELIABILITY=full asks for as much as docs/benchmarks.md tells of.

Nothing that it has accepted is lost, and it gives back what it takes: processes, descriptors, files, memory.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from tests.receiver import Receiver, receiver
from tests.server.census import Census, census, family, left_behind, settled
from tests.server.live import PATIENCE, live_server
from tests.server.malformed import KINDS, malformed, request
from tests.server.traffic import Traffic, connect, hang_up, send

FULL = os.environ.get("COG_RELIABILITY") == "full"
SEED = 20_260_101
MEGABYTES = 25
"""By how much a server's memory may grow, of which it keeps what an allocator does not give back."""

KEPT_CONNECTIONS = 8
"""To the receiver of webhooks, for the next ones."""
KEPT_MEGABYTES = 2 * 34
"""What recent predictions may occupy besides, their requests as bytes and as values."""


def figure(name: str, **fields: object) -> None:
    """A line for docs/benchmarks.md; pytest shows it with -s."""
    if FULL:
        print(json.dumps({"figure": name, **fields}, default=asdict), flush=True)  # noqa: T201 - figures are read by people


def warmed(server) -> Census:
    """What it occupies once it has loaded everything that it loads late."""
    for _ in range(20):
        assert server.predict()["status"] == "succeeded"
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda _: send(server, request(b"{}")), range(40)))
    server.session.close()
    time.sleep(0.3)
    return census(server)


def works(server) -> None:
    assert server.wait_for("READY")
    assert server.predict()["status"] == "succeeded"
    server.session.close()


def faults(server) -> list[str]:
    """Lines of its log that say how its own code came to an error; that of the model may."""
    return [line for line in server.lines if "Traceback" in line and '"target": "cog_oci.prediction"' not in line]


def test_malformed_requests_are_refused_and_leave_no_trace():
    count = 10_000 if FULL else 12 * len(KINDS)
    with live_server("plain") as server:
        before = warmed(server)
        with ThreadPoolExecutor(8) as clients:
            asked = list(malformed(count, SEED))
            answers = list(clients.map(lambda each: send(server, each[1]), asked))
        outcomes = Counter(zip((kind for kind, _ in asked), answers, strict=True))
        wrong = {each: count for each, count in outcomes.items() if not _is_fine(each[1])}
        assert not wrong
        works(server)
        after = settled(server, before, megabytes=MEGABYTES)
        assert not faults(server)
        figure("malformed requests", count=count, answers=Counter(answers), before=before, after=after)


def _is_fine(answer: str) -> bool:
    """Refused, hung up on, waited for; or not as malformed as it was meant to be."""
    return answer in {"closed", "silent", "h2", "200", "202", "501", "505"} or answer.startswith("4")


def test_clients_that_hang_up_at_any_moment_cost_nothing():
    count = 1000 if FULL else 100
    chance = random.Random(SEED)
    with live_server("plain") as server:
        before = warmed(server)
        asked = request(json.dumps({"input": {"op": "sleep", "seconds": 0.01, "text": "x" * 2000}}).encode())
        moments = [(chance.choice([0, 1, 50, 300, len(asked) - 1, *[len(asked)] * 4]), chance.random() ** 3 * 0.03) for _ in range(count)]  # fmt: skip

        def leave(moment: tuple[int, float]) -> None:
            sent, seconds = moment
            client = connect(server)
            client.sendall(asked[:sent])
            time.sleep(seconds)
            hang_up(client, rudely=sent % 2 == 0)

        with ThreadPoolExecutor(8) as clients:
            list(clients.map(leave, moments))
        works(server)
        after = settled(server, before, megabytes=MEGABYTES)
        assert not faults(server)
        figure("disconnects", count=count, before=before, after=after)


def test_a_worker_killed_under_load_loses_no_request_and_is_replaced_every_time():
    kills = 100 if FULL else 3
    took = []
    with receiver() as hook, live_server("ledger") as server:
        before = warmed(server)
        with (
            Traffic(server, clients=10, seconds=0.01) as waiting,
            Traffic(server, clients=2, seconds=0.01, webhook=hook.url) as leaving,
        ):
            for _ in range(kills):
                _until_answered(server, waiting, 20)
                start, worker = time.monotonic(), _worker(server)
                assert worker is not None, server.log[-4000:]
                os.kill(worker, signal.SIGKILL)
                _until(lambda worker=worker: _worker(server) not in {worker, None}, server)
                server.wait_for("READY", "BUSY", "DEFUNCT")
                took.append(time.monotonic() - start)
        assert not waiting.broken | leaving.broken
        assert not _begun(server) - waiting.answers.keys() - leaving.accepted()
        assert leaving.accepted() == _told(hook, len(leaving.accepted()))
        statuses = waiting.statuses()
        assert statuses.keys() <= {"succeeded", "failed", "503", "409"}
        assert statuses["failed"]
        works(server)
        after = settled(server, before, megabytes=MEGABYTES, kept=KEPT_CONNECTIONS)
        figure(
            "kill -9 of the worker under load",
            kills=kills,
            slowest_to_ready=max(took),
            answers=statuses,
            webhooks=len(hook.received),
            before=before,
            after=after,
        )


def _begun(server) -> set[str]:
    """What the model has begun with, by its own account."""
    return set(Path(server.folder, "ledger").read_text().split())


def _told(hook: Receiver, count: int) -> set[str]:
    """The predictions whose end a receiver was told, once there are so many."""
    ends = [request.json() for request in hook.wait_for(count, seconds=PATIENCE)]
    assert all(end["status"] in {"succeeded", "failed"} for end in ends)
    return {end["id"] for end in ends}


def _until_answered(server, traffic: Traffic, more: int) -> None:
    had = len(traffic.answers)
    _until(lambda: len(traffic.answers) >= had + more, server)


def _worker(server) -> int | None:
    """The process that the server has started, if there is one now."""
    below = family(server.popen.pid)[1:]
    return below[0] if below else None


def _until(true, server, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, server.log[-4000:]
        time.sleep(0.002)


def test_d19_clients_that_send_a_byte_now_and_then_do_not_hold_up_others():
    count, seconds = (1000, 80) if FULL else (100, 0.5)
    with live_server("plain") as server:
        before = warmed(server)
        head = request(b"{}").partition(b"\r\n\r\n")[0]
        slow = [connect(server) for _ in range(count)]
        took, end = [], time.monotonic() + seconds
        for number in range(len(head)):
            for client in slow:
                try:
                    client.send(head[number : number + 1])
                except ConnectionError:
                    continue  # the server has had enough
            start = time.monotonic()
            assert server.predict()["status"] == "succeeded"
            took.append(time.monotonic() - start)
            if time.monotonic() > end:
                break
            time.sleep(1 if FULL else 0.02)
        held = census(server)
        if FULL:  # longer than the time that a head may take
            assert held.sockets <= before.sockets + 2
        for client in slow:
            client.close()
        works(server)
        after = settled(server, before, megabytes=MEGABYTES)
        figure("slow-loris", connections=count, seconds=seconds, others_slowest=max(took), before=before, held=held, after=after)  # fmt: skip


def test_bodies_as_large_as_are_allowed_give_their_memory_back():
    times, size = (20, 100 << 20) if FULL else (1, 34 << 20)
    body = b'{"input": {"text": "' + b"x" * (size - 24) + b'"}}'
    took = []
    with live_server("plain") as server:
        before = warmed(server)
        for number in range(times):
            start = time.monotonic()
            assert len(server.post("/predictions", None, data=body).content) > size
            took.append(time.monotonic() - start)
            client = connect(server)
            client.sendall(request(body)[: size // (number + 2)])
            hang_up(client, rudely=number % 2 == 0)
        assert _status_of(server, 101 << 20) == "413"
        works(server)
        after = settled(server, before, megabytes=MEGABYTES + KEPT_MEGABYTES)
        figure("bodies of 100 MiB", count=times, slowest=max(took), before=before, after=after)


def _status_of(server, size: int) -> str:
    """The answer to a body that is announced to be so large."""
    return send(server, request(b"{" + b" " * (1 << 20), length=f"Content-Length: {size}"), silence=5)


def test_sigterm_under_load_answers_and_reports_everything_that_has_begun():
    rounds = 50 if FULL else 2
    answers: Counter[str] = Counter()
    took, webhooks = [], 0
    for number in range(rounds):
        with receiver() as hook, live_server("ledger") as server:
            with (
                Traffic(server, clients=6, seconds=0.03) as waiting,
                Traffic(server, clients=2, seconds=0.03, webhook=hook.url) as leaving,
            ):
                _until_answered(server, waiting, 25 + 7 * (number % 10))
                start = time.monotonic()
                server.popen.send_signal(signal.SIGTERM)
                assert server.exit() == 0
                took.append(time.monotonic() - start)
            assert not _begun(server) - waiting.answers.keys() - leaving.accepted()
            assert waiting.statuses().keys() <= {"succeeded", "503", "409"}
            assert leaving.accepted() <= _told(hook, len(leaving.accepted()))
            assert list(server.temporary.iterdir()) == []
            assert left_behind(server.folder) == []
            answers += waiting.statuses()
            webhooks += len(hook.received)
    figure("SIGTERM under load", times=rounds, slowest_to_exit=max(took), answers=answers, webhooks=webhooks)


def test_a_receiver_that_is_down_for_a_while_is_told_every_end():
    count, seconds = (200, 5.0) if FULL else (20, 0.4)
    with receiver() as gone:
        port = urlsplit(gone.url).port
    assert port is not None
    with live_server("ledger") as server:
        before = warmed(server)
        with Traffic(server, clients=2, seconds=0.0, webhook=gone.url) as leaving:
            _until_answered(server, leaving, count)
        down = time.monotonic() + seconds
        while time.monotonic() < down:
            assert server.predict()["status"] == "succeeded"
            time.sleep(0.02)
        with receiver(address=("127.0.0.1", port)) as hook:
            start = time.monotonic()
            assert leaving.accepted() == _told(hook, len(leaving.accepted()))
            took = time.monotonic() - start
        works(server)
        after = settled(server, before, megabytes=MEGABYTES, kept=KEPT_CONNECTIONS)
        figure(
            "a webhook receiver that is down, then up",
            seconds_down=seconds,
            webhooks=len(hook.received),
            seconds_after=took,
            before=before,
            after=after,
        )
