"""One server per model for the tests that leave it as they found it."""

from __future__ import annotations

import pytest

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
