"""How a webhook's request gets to its receiver, or does not: one that is prompt, failing, hanging or not there."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cog_oci import __version__
from cog_oci.sdk.cog._wire import Log, Output
from cog_oci.server import _delivery as delivery
from cog_oci.server.prediction import Started
from cog_oci.server.webhooks import Webhooks
from tests.ports import free_port
from tests.receiver import Answer, receiver
from tests.server.stories import apply, bodies, done, prediction


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(delivery, "_BACKOFF", 0.001)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_the_terminal_event_is_tried_again_and_no_other(hook, webhooks, status, caplog):
    answers = iter([Answer(status), Answer(status), Answer(status)])
    hook.answer = lambda _: next(answers, Answer())
    await apply(prediction(webhooks, hook.url, ["start", "completed"]), Started(), done())
    assert await webhooks.drain(10)
    assert [body["status"] for body in bodies(hook)] == ["starting", *["succeeded"] * 3]
    retries = [record for record in caplog.records if "retrying" in record.message]
    assert [record.message for record in retries] == [
        f"Terminal webhook failed, retrying: status {status}, attempt {n}, in {2**n} ms" for n in (1, 2)
    ]
    assert {record.prediction_id for record in retries} == {"p1"}


async def test_a_receiver_that_always_fails_is_given_up_after_twelve_retries(hook, webhooks, monkeypatch, caplog):
    monkeypatch.setattr(delivery, "_BACKOFF", 1e-6)
    hook.answer = lambda _: Answer(503)
    await apply(prediction(webhooks, hook.url, ["completed"]), done())
    assert await webhooks.drain(10)
    assert len(hook.received) == 13
    assert "Terminal webhook failed after 13 attempts: status 503" in caplog.text


@pytest.mark.parametrize("status", [301, 307, 400, 404, 408, 410, 501])
async def test_what_another_try_does_not_help_is_tried_once_and_redirects_are_not_followed(hook, webhooks, status):
    hook.answer = lambda _: Answer(status, {"Location": "/elsewhere"})
    await apply(prediction(webhooks, hook.url, ["completed"]), done())
    assert await webhooks.drain(10)
    assert [request.target for request in hook.received] == ["/"]


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_receiver_may_ask_for_time(hook, webhooks, monkeypatch, form):
    text = "2" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    waits = []
    sleep = asyncio.sleep
    monkeypatch.setattr(delivery.asyncio, "sleep", lambda seconds: waits.append(seconds) or sleep(0))
    answers = iter([Answer(503, {"Retry-After": text}), Answer(503, {"Retry-After": "999999"}), Answer(503)])
    hook.answer = lambda _: next(answers, Answer())
    await apply(prediction(webhooks, hook.url, ["completed"]), done())
    assert await webhooks.drain(10)
    asked, bounded, usual = waits
    assert 0.5 < asked <= 2
    assert bounded == 600
    assert usual == 0.008


async def test_a_receiver_that_is_down_for_a_while_gets_the_terminal_event_when_it_is_up(webhooks, monkeypatch, caplog):
    monkeypatch.setattr(delivery, "_BACKOFF", 0.02)
    port = free_port()
    await apply(prediction(webhooks, f"http://127.0.0.1:{port}/?key=hush"), Started(), Output(1, b"1"), done())
    async with asyncio.timeout(120):
        while "retrying" not in caplog.text:  # noqa: ASYNC110 - a log announces nothing; those before are not tried again
            await asyncio.sleep(0.01)
    with receiver(address=("127.0.0.1", port)) as hook:
        assert await webhooks.drain(10)
        assert [body["status"] for body in bodies(hook)] == ["succeeded"]
    assert "retrying: ConnectionError: Connection refused" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize(
    "url", ["not a url", "", "ftp://host/", "http://", "http://[x", "file:///etc/passwd", "http://\udc80"]
)
async def test_a_url_that_is_none_is_said_once_and_changes_nothing(webhooks, url, caplog):
    it = prediction(webhooks, url)
    await apply(it, Started(), every=0.05)
    await apply(it, Output(1, b"1"), Log(1, "stdout", "x"), done(streamed=True))
    assert await webhooks.drain(10)
    assert it.status == "succeeded"
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "URL cannot be used" in warnings[0]


async def test_a_request_says_who_sends_it_and_belongs_to_the_clients_trace(hook, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
    webhooks = Webhooks(interval=0.5, token="t0ken\n")
    await apply(prediction(webhooks, f"{hook.url}/a?b=c", ["completed"], trace), done())
    assert await webhooks.drain(10)
    (request,) = hook.received
    assert request.method == "POST"
    assert request.target == "/a?b=c"
    expected = {
        "content-type": "application/json",
        "user-agent": f"cog-oci/{__version__}",
        "authorization": "Bearer t0ken",
        **trace,
    }
    assert {name: request.headers[name] for name in expected} == expected


@pytest.mark.parametrize(("user", "expected"), [("", None), ("me:secret@", "Basic bWU6c2VjcmV0")])
async def test_without_a_token_only_the_url_says_who_is_calling(hook, webhooks, tmp_path, monkeypatch, user, expected):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    await apply(prediction(webhooks, hook.url.replace("//", f"//{user}"), ["completed"]), done())
    assert await webhooks.drain(10)
    assert hook.received[0].headers.get("authorization") == expected


async def test_cookies_of_a_receiver_go_nowhere(hook, webhooks):
    hook.answer = lambda _: Answer(headers={"Set-Cookie": "a=b; Path=/"})
    await apply(prediction(webhooks, hook.url), Started(), done())
    assert await webhooks.drain(10)
    assert not any("cookie" in request.headers for request in hook.received)


async def test_proxies_of_the_environment_are_used(hook, webhooks, monkeypatch):
    monkeypatch.setenv("http_proxy", hook.url)
    await apply(prediction(webhooks, "http://receiver.example/x", ["completed"]), done())
    assert await webhooks.drain(10)
    assert [request.target for request in hook.received] == ["http://receiver.example/x"]


async def test_a_receiver_that_hangs_keeps_nobody_else_waiting_nor_the_end(hook, webhooks):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        for _ in range(40):
            await apply(prediction(webhooks, f"http://127.0.0.1:{silent.getsockname()[1]}/"), Started(), done())
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await apply(prediction(webhooks, hook.url, ["completed"]), done())
        await asyncio.to_thread(hook.wait_for, 1)
        assert time.monotonic() - began < 5
        assert not await webhooks.drain(0.05)
        webhooks.close()
        assert await webhooks.drain(5)


async def test_hundreds_of_predictions_at_once_are_all_told_of(hook, webhooks):
    for number in range(200):
        await apply(prediction(webhooks, hook.url, ["completed"], name=f"p{number}"), done())
    assert await webhooks.drain(20)
    assert sorted(body["id"] for body in bodies(hook)) == sorted(f"p{number}" for number in range(200))
