"""Health checks, and setup in all the ways that it can go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Asked, Cases, post, run

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

HEALTH = Asked("GET", "/health-check")
SCHEMA = Asked("GET", "/openapi.json")


def _opinion(word: str) -> Any:
    def question(talk: Talk) -> Any:
        talk.wait_for("READY")  # Cog is a moment late to say that the slot of the one before is free
        (talk.folder / "opinion").write_text(word)
        report = talk.ask("GET", "/health-check")
        (talk.folder / "opinion").unlink()
        return report, talk.health()["status"], talk.run()["body"]["status"]

    return question


def _busy(talk: Talk) -> Any:
    """A model that is busy is not asked for its opinion."""
    answer = talk.later("POST", "/predictions", {"input": {"op": "sleep", "seconds": 0.4}})
    talk.wait_busy()
    report = talk.ask("GET", "/health-check")
    return report, answer.result()["status"], talk.wait_for("READY")


def _failed(prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}: health": HEALTH,
        f"{prefix}: schema": SCHEMA,
        f"{prefix}: prediction": run(),
        f"{prefix}: prediction with a wrong input": run(nonsense=[1]),
        f"{prefix}: idempotent prediction": Asked("PUT", "/predictions/p", {"input": {}}),
        f"{prefix}: cancellation": Asked("POST", "/predictions/p/cancel"),
        f"{prefix}: malformed": post(b"{", {"Content-Type": "application/json"}),
    }


CASES: Cases = {
    "plain": {"health": HEALTH},
    "bodies": {"busy health": _busy},
    "noisy setup": {"setup with logs": HEALTH, "logs of a prediction after setup": run()},
    "weights": {"setup with weights": HEALTH, "prediction with weights": run()},
    "async": {"asynchronous setup with logs": HEALTH},
    "predictor": {
        "deprecated names: health": lambda talk: talk.health()["status"],
        "deprecated names: prediction": run(text="x"),
    },
    "function": {
        "function: health": HEALTH,
        "function: prediction": run(text="ab", times=3),
        "function: defaults": run(),
        "function: wrong input": run(times="x"),
    },
    "opinion": {
        "well": HEALTH,
        "healthcheck says no": _opinion("bad"),
        "healthcheck raises": _opinion("sick"),
        "healthcheck is slow": _opinion("slow"),
    },
    "async opinion": {
        "well, asynchronously": HEALTH,
        "asynchronous healthcheck says no": _opinion("bad"),
        "asynchronous healthcheck raises": _opinion("sick"),
    },
    "half async": {
        "well, asynchronously only in part": HEALTH,
        "asynchronous setup of a synchronous model": run(),
        "asynchronous healthcheck of a synchronous model says no": _opinion("bad"),
        "asynchronous healthcheck of a synchronous model raises": _opinion("sick"),
    },
    "setup raises": _failed("setup raises"),
    "setup exits": {"setup exits: health": HEALTH, "setup exits: prediction": run()},
    "setup dies": {"setup dies: health": HEALTH, "setup dies: prediction": run()},
    "async setup raises": {"asynchronous setup raises: health": HEALTH},
    "import fails": {"import fails: health": HEALTH, "import fails: prediction": run()},
    "class is missing": {"class is missing: health": HEALTH},
    "file is missing": {"file is missing: health": HEALTH},
    "too many slots": {"too many slots: health": HEALTH, "too many slots: prediction": run()},
    "setup takes too long": {"setup takes too long: health": HEALTH, "setup takes too long: prediction": run()},
    "setup goes on": _failed("setup goes on"),
}
