"""What becomes of a prediction: outcomes, logs, metrics, ids, cancellation."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import requests

from cog_oci.sdk.cog._wire import Done, Log
from cog_oci.server.endpoint import _Acceptance, _Reporter
from cog_oci.server.prediction import Prediction, Request
from tests.server.live import PATIENCE, assert_quick, event

STARTED = 'Starting prediction", "prediction_id": "{}'


def test_d20_a_prediction_answers_with_its_output_and_when_it_happened(plain):
    body = plain.predict(text="bob")
    assert body["status"] == "succeeded"
    assert body["output"] == "hello bob"
    assert body["logs"] == ""
    assert 0 <= body["metrics"]["predict_time"] < 5
    moments = [datetime.fromisoformat(body[name]) for name in ("created_at", "started_at", "completed_at")]
    assert moments == sorted(moments)
    assert "input" not in body
    assert "error" not in body


def test_an_empty_body_is_an_empty_input(plain):
    answer = plain.post("/predictions")
    assert (answer.status_code, answer.json()["output"]) == (200, "hello ")


def test_an_id_of_the_clients_choice_comes_back_and_unknown_keys_are_ignored(plain):
    body = {"id": "abc", "input": {"text": "x"}, "created_at": "2020-01-01T00:00:00Z", "version": "v", "extra": 1}
    assert plain.post("/predictions", body).json()["id"] == "abc"


def test_d10_d16_a_failed_prediction_keeps_its_logs_and_says_its_error_once(plain):
    body = plain.predict(op="fail", text="bad thing")
    assert body["status"] == "failed"
    assert body["error"] == "ValueError: bad thing"
    assert body["logs"] == "about to fail\n"
    assert body["metrics"]["m"] == 1
    assert "output" not in body


def test_an_error_that_cannot_say_itself_ends_the_prediction_and_not_the_worker(plain):
    pid = plain.predict(op="pid")["output"]
    assert plain.predict(op="fail_twice", text="no")["error"] == "UnspeakableError: (it cannot be printed)"
    assert plain.predict(op="pid")["output"] == pid


def test_sys_exit_ends_the_prediction_and_not_the_worker(plain):
    before = plain.predict(op="pid")["output"]
    assert plain.predict(op="leave")["error"] == "SystemExit: 3"
    assert plain.predict(op="pid")["output"] == before


def test_none_is_a_result(plain):
    body = plain.predict(op="quiet")
    assert body["output"] is None
    assert body["status"] == "succeeded"


def test_output_of_every_origin_is_in_the_logs_in_its_order(plain):
    assert plain.predict(op="mixed")["logs"] == "one\ntwo\nthree\nfour\nfive"


def test_a_model_may_reconfigure_its_streams_as_it_does_elsewhere(plain):
    assert plain.predict(op="reconfigure", text="é")["logs"] == "é\n"


def test_a_forked_child_prints_for_its_prediction_and_garbles_nothing(plain):
    logs = plain.predict(op="fork")["logs"]
    assert logs == "parent\n" + "child " * 20_000 + "\n" + "parent " * 20_000 + "\n"


def test_who_keeps_a_stream_in_a_forked_child_prints_and_takes_nothing_from_its_parent(plain):
    assert plain.predict(op="fork_logger")["logs"] == "parent\nkept\nchild\n"


def test_d11_a_line_without_an_end_stays_with_its_prediction(plain):
    plain.predict(op="mixed")
    assert plain.predict(op="quiet")["logs"] == ""


def test_a_thread_prints_for_the_prediction_that_started_it(plain):
    assert plain.predict(op="threads")["logs"] == "from a thread\n"


def test_a_thread_that_outlives_its_prediction_does_not_print_into_the_next(plain):
    plain.predict(op="straggle", seconds=0.1)
    body = plain.predict(op="sleep", seconds=0.4)
    assert body["logs"] == "begin\n"
    event(plain, "late line")


def test_d18_standard_input_is_empty(plain):
    assert plain.predict(op="stdin")["output"] == ""


def test_d17_numbers_that_json_lacks_are_null_and_big_integers_are_exact(plain):
    assert plain.predict(op="numbers")["output"] == [None, None, 2**70, 1.5]


def test_dates_decimals_and_sets_have_a_json_form(plain):
    assert plain.predict(op="days")["output"] == {"1": "2024-02-29", "2": 3, "set": [1]}


def test_an_output_without_a_json_form_is_named(plain):
    assert plain.predict(op="alien")["error"] == "TypeError: Object of type object is not JSON serializable"


def test_metrics_are_summed_nested_and_deleted(plain):
    answer = plain.post("/predictions", {"input": {"op": "metrics"}, "context": {"token": "t"}}).json()
    assert {k: v for k, v in answer["metrics"].items() if k != "predict_time"} == {
        "tokens": 3,
        "timing": {"load": 0.5},
        "list": [1],
    }
    assert answer["output"] == {"token": "t"}


def test_a_metric_keeps_its_type(plain):
    error = plain.predict(op="retype")["error"]
    assert error == "TypeError: Metric 'a' has type int, cannot set to str without deleting first"


@pytest.mark.parametrize(
    "identity",
    ["../../tmp/EVIL", "/etc/hostname", "a/b", "x" * 3000, "nul\0byte", "ünï 🎈", "..", "a/cancel", "?q#f", "%2F"],
    ids=lambda text: ascii(text[:12]),
)
def test_d3_d4_any_id_is_safe_and_leaves_nothing_behind(plain, identity):
    body = plain.post("/predictions", {"id": identity, "input": {"text": "x"}}).json()
    assert (body["id"], body["status"]) == (identity, "succeeded")
    path = f"/predictions/{requests.utils.quote(identity, safe='')}"
    if identity != "..":  # a client resolves that one itself
        body = plain.request("PUT", path, {"input": {"text": "y"}}).json()
        assert (body["id"], body["output"]) == (identity, "hello y")
        assert plain.post(f"{path}/cancel").status_code == 404
    assert [path for path in plain.temporary.rglob("*") if path.is_file()] == []


def test_half_a_surrogate_pair_from_a_model_is_escaped(plain):
    assert "\ud800" in str(plain.predict(op="surrogate")["output"])


def test_d1_one_connection_never_meets_a_409(plain):
    answers = [plain.post("/predictions", {"input": {"text": "x"}}).status_code for _ in range(200)]
    assert set(answers) == {200}


def test_quick_predictions_of_several_clients_share_one_slot(plain):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _once(plain, {"input": {"text": "x"}}), range(80)))
    assert {answer.status_code for answer in answers} == {200}


def test_a_model_that_is_really_busy_says_so(plain):
    with _running(plain, "busy", op="sleep", seconds=60):
        assert plain.health()["status"] == "BUSY"
        answer = plain.post("/predictions", {"input": {"text": "x"}})
        assert answer.status_code == 409
        assert answer.json() == {"error": "At capacity - all prediction slots busy", "status": "failed"}


def test_validation_comes_before_capacity(plain):
    with _running(plain, "busy", op="sleep", seconds=60):
        assert plain.post("/predictions", {"input": {"text": 5}}).status_code == 422


@pytest.mark.parametrize("op", ["sleep", "spin"])
def test_cancelling_interrupts_code_that_waits_and_code_that_computes(plain, op):
    def cancelled() -> float:
        answers = []
        body = {"id": "victim", "input": {"op": op, "seconds": 60}}
        thread = threading.Thread(target=lambda: answers.append(_once(plain, body).json()))
        since = len(plain.lines)
        thread.start()
        event(plain, '"message": "begin"' if op == "sleep" else STARTED.format("victim"), since=since)
        began = time.monotonic()
        assert plain.post("/predictions/victim/cancel").json() == {}
        thread.join()
        took = time.monotonic() - began
        (answer,) = answers
        assert answer["status"] == "canceled"
        assert answer["logs"] == ("begin\ncleanup\n" if op == "sleep" else "")
        plain.wait_for("READY")
        return took

    assert_quick(0.5, cancelled)
    assert plain.predict(text="after")["output"] == "hello after"


def test_a_model_that_swallows_its_cancellation_is_canceled_all_the_same(plain):
    with _running(plain, "stubborn", op="swallow", seconds=10) as ended:
        plain.post("/predictions/stubborn/cancel")
    assert ended[0] == "canceled"


def test_an_unknown_prediction_cannot_be_cancelled(plain):
    answer = plain.post("/predictions/nobody/cancel")
    assert (answer.status_code, answer.json()) == (404, {})


def test_a_client_that_hangs_up_cancels_its_prediction(plain):
    def left() -> float:
        since = len(plain.lines)
        client = http.client.HTTPConnection(*urlsplit(plain.url).netloc.split(":"), timeout=PATIENCE)
        body = json.dumps({"id": "gone", "input": {"op": "sleep", "seconds": 60}})
        client.request("POST", "/predictions", body, {"Content-Type": "application/json"})
        event(plain, '"message": "begin"', since=since)
        began = time.monotonic()
        client.close()
        plain.wait_for("READY")
        took = time.monotonic() - began
        assert event(plain, "cleanup", since=since)["fields"]["prediction_id"] == "gone"
        return took

    assert_quick(2, left)


@pytest.mark.parametrize(
    "prefer", ["respond-async", "Respond-Async", "respond-async, wait=0", "wait=0; x, respond-async"]
)
def test_a_client_may_prefer_an_early_answer(plain, prefer):
    identity = f"early-{prefer}"
    body = {"id": identity, "input": {"op": "sleep", "seconds": 0.1}}
    answer = plain.post("/predictions", body, headers={"Prefer": prefer})
    assert answer.status_code == 202
    assert answer.json()["id"] == identity
    assert answer.json()["status"] == "starting"
    event(plain, f'Prediction succeeded", "prediction_id": "{identity}')


def test_an_early_answer_waits_as_long_as_the_client_says(plain):
    answer = plain.post("/predictions", {"input": {"text": "x"}}, headers={"Prefer": "respond-async, wait=5"})
    assert (answer.status_code, answer.json()["output"]) == (200, "hello x")


def test_whoever_has_been_answered_at_once_costs_nothing_more(monkeypatch):
    prediction, answers = Prediction("x", Request()), []
    prediction.listen(_Acceptance(_Reporter(answers.append), None))
    prediction.start()
    assert [answer.status for answer in answers] == [202]
    for name in ("created_at", "to_bytes"):
        monkeypatch.delattr(Prediction, name)  # what it is shown by
    prediction.apply(Log(0, "stdout", "x"))
    prediction.apply(Done(0, "succeeded", 0.0))
    assert len(answers) == 1


def test_put_with_another_id_in_its_body_is_refused(plain):
    answer = plain.request("PUT", "/predictions/foo", {"id": "bar"})
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["msg"] == "prediction ID must match the ID supplied in the URL"
    assert detail["loc"] == ["body", "id"]


def test_put_again_while_it_runs_says_how_far_it_is(plain):
    given = {"op": "sleep", "seconds": 60}
    with _running(plain, "once", **given):
        _until_logs(plain, "once", given)
        answer = plain.request("PUT", "/predictions/once", {"input": given})
        assert answer.status_code == 202
        body = answer.json()
        assert body["input"] == given
        assert (body["logs"], body["status"], body["metrics"]) == ("begin\n", "processing", {})
        assert plain.request("PUT", "/predictions/once", {}).status_code == 202


def test_d24_the_same_id_with_another_input_is_a_conflict(plain):
    with _running(plain, "once", op="sleep", seconds=60):
        for method, path in (("PUT", "/predictions/once"), ("POST", "/predictions")):
            answer = plain.request(method, path, {"id": "once", "input": {"text": "other"}})
            assert answer.status_code == 409
            assert "once" in answer.json()["error"]


def test_an_ended_prediction_runs_again_when_it_is_put_again(plain):
    for text in ("a", "b"):
        answer = plain.request("PUT", "/predictions/again", {"input": {"text": text}})
        assert (answer.status_code, answer.json()["output"]) == (200, f"hello {text}")


def test_a_generated_id_is_one_of_cogs_kind(plain):
    assert re.fullmatch(r"pred_[0-9a-f]+", plain.predict()["id"])


def test_the_items_of_an_iterator_are_the_output(tokens):
    body = tokens.predict()
    assert body["output"] == ["c0 ", "c1 ", "c2 "]
    assert body["logs"] == "tick 0\ntick 1\ntick 2\n"
    assert tokens.predict(n=0)["output"] == []


def test_a_failed_iterator_keeps_what_it_gave(tokens):
    body = tokens.predict(fail_at=1)
    assert (body["status"], body["output"], body["error"]) == ("failed", ["c0 "], "ValueError: boom at 1")


def test_an_iterators_output_can_be_seen_while_it_runs(tokens):
    given = {"n": 2, "delay": 60.0}
    tokens.post("/predictions", {"id": "look", "input": given}, headers={"Prefer": "respond-async"})
    end = time.monotonic() + PATIENCE / 4  # long before there is more
    while "output" not in (body := tokens.request("PUT", "/predictions/look", {}).json()):
        assert time.monotonic() < end
    assert body["output"] == ["c0 "]
    tokens.post("/predictions/look/cancel")
    tokens.wait_for("READY")


class _running:  # noqa: N801 - reads as a sentence in a with statement
    """A prediction that is in flight inside the block and cancelled after it; gives the list of its final status."""

    def __init__(self, server, identity, **given):
        self.server, self.identity, self.given, self.status = server, identity, given, []

    def __enter__(self):
        self.thread = threading.Thread(target=self._run)
        since = len(self.server.lines)
        self.thread.start()
        event(self.server, STARTED.format(self.identity), since=since)
        return self.status

    def _run(self):
        self.status.append(_once(self.server, {"id": self.identity, "input": self.given}).json()["status"])

    def __exit__(self, *error):
        self.server.post(f"/predictions/{self.identity}/cancel")
        self.thread.join()


def _once(server, body):
    """A request on a connection of its own, as sessions are not for several threads."""
    return requests.post(f"{server.url}/predictions", json=body, timeout=PATIENCE)


def _until_logs(server, identity, given):
    end = time.monotonic() + PATIENCE / 4  # long before it ends
    while not server.request("PUT", f"/predictions/{identity}", {"input": given}).json().get("logs"):
        assert time.monotonic() < end
