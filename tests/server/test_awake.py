"""When the loop stays awake for what is likely to come at once, and when it sleeps."""

from __future__ import annotations

import asyncio
import math
import os
from unittest.mock import Mock

import pytest

from cog_oci.sdk.cog import _lookout
from cog_oci.server import door as door_module
from cog_oci.server.authorization import Authorization
from cog_oci.server.awake import Awake
from cog_oci.server.door import Door, Front
from cog_oci.server.endpoint import Answer
from cog_oci.server.outbox import Outbox

REQUEST = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(autouse=True)
def two_processors(monkeypatch, tmp_path):
    """Whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(_lookout, "_QUOTA", tmp_path / "cpu.max")


@pytest.fixture
async def slept(monkeypatch):
    """The patience of each sleep of the loop: 0 is none."""
    selector, found = asyncio.get_running_loop()._selector, []
    select = selector.select

    def watched(patience=None):
        found.append(math.inf if patience is None else patience)
        return select(patience)

    monkeypatch.setattr(selector, "select", watched)
    return found


async def test_what_came_at_once_several_times_is_looked_for_until_it_was_looked_for_in_vain(slept):
    awake = Awake(0.01, 0.005)
    awake.look()
    assert not awake._until
    for _ in range(8):
        awake.note(0.001)
    awake.look()
    assert awake._until
    del slept[:]
    await asyncio.sleep(0.05)
    assert slept[0] == 0
    assert max(slept) > 0.01
    assert not awake._until
    awake.look()
    assert not awake._until


async def test_what_has_come_is_not_looked_for(slept):
    awake = Awake(0.01, 10)
    for _ in range(8):
        awake.note(0.001)
    awake.look()
    awake.come()
    await asyncio.sleep(0)
    del slept[:]
    await asyncio.sleep(0.05)
    assert slept[0] > 0.01


def opened(running=0):
    """A door to what answers at once, and its front."""
    endpoint = Mock()
    endpoint.predictions.running = running
    endpoint.handle.side_effect = lambda _, reply: reply(Answer(200, b"{}"))
    front = Front(endpoint, Authorization(None), 1.0, Outbox())
    return Door(Mock(), front, Mock(is_closing=lambda: False)), front


async def test_a_client_that_asks_again_as_soon_as_it_is_answered_is_looked_for(monkeypatch):
    monkeypatch.setattr(door_module, "_QUICK", 10.0)
    door, front = opened()
    for _ in range(8):
        door.data_received(REQUEST)
        assert not front._awake._until
    door.data_received(REQUEST)
    assert front._awake._until
    door.data_received(REQUEST[:10])
    assert not front._awake._until


async def test_a_client_that_takes_its_time_is_not_looked_for(monkeypatch):
    monkeypatch.setattr(door_module, "_QUICK", 1e-9)
    door, front = opened()
    for _ in range(20):
        door.data_received(REQUEST)
        await asyncio.sleep(0.001)
        assert not front._awake._until


async def test_while_predictions_are_in_flight_no_client_is_looked_for(monkeypatch):
    monkeypatch.setattr(door_module, "_QUICK", 10.0)
    door, front = opened(running=1)
    for _ in range(20):
        door.data_received(REQUEST)
        assert not front._awake._until


async def test_several_clients_at_a_time_are_not_looked_for(monkeypatch):
    monkeypatch.setattr(door_module, "_QUICK", 10.0)
    door, front = opened()
    for _ in range(20):
        front.endpoint.predictions.running = 1
        door.data_received(REQUEST)
        front.endpoint.predictions.running = 0
        door.data_received(REQUEST)
        assert not front._awake._until
