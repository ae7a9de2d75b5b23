"""A model's own healthcheck, and what a health check may cost."""

from __future__ import annotations

import time

from tests.server.live import PATIENCE, assert_quick, live_server


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


def test_coroutines_of_a_synchronous_model_are_waited_for():
    with live_server("half_async") as server:
        assert server.predict()["output"] == "set up"
        (server.folder / "opinion").write_text("bad")
        server.wait_for("UNHEALTHY")
        (server.folder / "opinion").write_text("sick")
        assert server.wait_for("UNHEALTHY")["user_healthcheck_error"].endswith("RuntimeError: sick")
        (server.folder / "opinion").write_text("well")
        server.wait_for("READY")


def test_d8_a_slow_opinion_delays_neither_health_checks_nor_predictions():
    with live_server("opinion") as server:
        (server.folder / "opinion").write_text("slow")

        def asked() -> float:
            began = time.monotonic()
            assert server.health()["status"] == "READY"
            assert server.predict()["output"] == "ok"
            return time.monotonic() - began

        assert_quick(1, asked)


def test_a_server_that_sets_up_lives_and_is_not_ready():
    with live_server("slow_setup", wait=False) as server:
        assert probe(server, "/livez") == (200, "STARTING")
        assert probe(server, "/readyz") == (503, "STARTING")
        assert "Setup has not finished yet" in server.request("GET", "/readyz").json()["reason"]


def test_a_setup_that_failed_is_worth_a_restart():
    with live_server("setup_fails") as server:
        assert probe(server, "/livez") == (503, "SETUP_FAILED")
        assert probe(server, "/readyz") == (503, "SETUP_FAILED")
        assert "RuntimeError: no gpu" in server.request("GET", "/livez").json()["reason"]


def test_a_busy_server_is_ready_exactly_if_a_request_may_wait():
    for queue in (0, 1):
        with live_server("plain", COG_MAX_QUEUE=str(queue)) as server:
            assert probe(server, "/readyz") == (200, "READY")
            server.post("/predictions", {"input": {"op": "sleep", "seconds": 30}}, headers={"Prefer": "respond-async"})
            assert probe(server, "/livez") == (200, "READY")
            assert probe(server, "/readyz") == (200 if queue else 503, "BUSY")
            if queue:
                server.post("/predictions", {"input": {}}, headers={"Prefer": "respond-async"})
                assert probe(server, "/readyz") == (503, "BUSY")


def test_readiness_has_the_models_last_word_and_does_not_wait_for_it():
    with live_server("opinion") as server:
        (server.folder / "opinion").write_text("bad")
        assert server.health()["status"] == "UNHEALTHY"
        assert probe(server, "/readyz") == (503, "UNHEALTHY")
        assert probe(server, "/livez") == (200, "READY")
        (server.folder / "opinion").write_text("well")
        end = time.monotonic() + PATIENCE
        while probe(server, "/readyz") != (200, "READY"):  # each probe asks again
            assert time.monotonic() < end
        (server.folder / "opinion").write_text("slow")

        def probed() -> float:
            began = time.monotonic()
            for _ in range(40):  # with a quarter of a second for each, as a health check takes, it would be ten
                assert probe(server, "/readyz") == (200, "READY")
            return time.monotonic() - began

        assert_quick(5, probed)


def test_a_worker_that_is_replaced_is_alive_meanwhile():
    with live_server("plain") as server:
        server.post("/predictions", {"input": {"op": "crash"}})
        assert probe(server, "/livez")[0] == 200
        server.wait_for("READY")
        assert probe(server, "/readyz") == (200, "READY")


def probe(server, path):
    answer = server.request("GET", path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("reason" in answer.json()) is (answer.status_code == 503)
    return answer.status_code, answer.json()["status"]
