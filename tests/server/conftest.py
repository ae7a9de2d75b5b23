"""One server per model for the tests that leave it as they found it, and what hears of webhooks."""

from __future__ import annotations

import pytest

from cog_oci.server.webhooks import Webhooks
from tests.receiver import receiver
from tests.server.live import live_server


def _shared(model: str):
    @pytest.fixture(scope="session", name=model)
    def server():
        with live_server(model) as running:
            yield running

    return server


plain = _shared("plain")
types = _shared("types")
tokens = _shared("tokens")
files = _shared("files")
several = _shared("several")

_SERVERS = {"plain", "types", "tokens", "files", "several"}


@pytest.fixture
def hook():
    with receiver() as it:
        yield it


@pytest.fixture
async def webhooks():
    it = Webhooks(interval=60, token=None)
    yield it
    it.close()


def pytest_collection_modifyitems(items):
    """Who talks to a server that runs is no unit test, and is marked."""
    for item in items:
        module = vars(item.module) if isinstance(item, pytest.Function) else {}
        if "tests.server" in module.get("__name__", "") and (
            "live_server" in module or _SERVERS & {*item.fixturenames}
        ):
            item.add_marker(pytest.mark.live)
