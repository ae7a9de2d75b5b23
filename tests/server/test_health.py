"""A model's own healthcheck, and what a health check may cost."""

from __future__ import annotations

import time

from tests.server.live import live_server


def test_the_models_own_opinion_counts_and_is_not_kept():
    with live_server("opinion") as server:
        assert server.health()["status"] == "READY"
        for word, complaint in (("sick", "RuntimeError: sick"), ("bad", "user-defined healthcheck returned False")):
            (server.folder / "opinion").write_text(word)
            report = server.health()
            assert report["status"] == "UNHEALTHY"
            assert report["user_healthcheck_error"] == f"Healthcheck failed: {complaint}"
        (server.folder / "opinion").write_text("well")
        assert server.health()["status"] == "READY"


def test_a_slow_opinion_delays_neither_health_checks_nor_predictions():
    with live_server("opinion") as server:
        (server.folder / "opinion").write_text("slow")
        began = time.monotonic()
        assert server.health()["status"] == "READY"
        assert server.predict()["output"] == "ok"
        assert time.monotonic() - began < 1
