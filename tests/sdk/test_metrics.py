"""What a model may record, and what it is told otherwise."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cog_oci.sdk.cog import _scope, current_scope
from cog_oci.sdk.cog._metrics import Metrics


@pytest.fixture
def changes():
    return []


@pytest.fixture
def metrics(changes):
    return Metrics(lambda *change: changes.append(change))


def test_every_change_is_told(metrics, changes):
    metrics["a"] = 1
    metrics.record("a", 2, mode="incr")
    metrics.record("list", "x", mode="append")
    del metrics["a"]
    assert changes == [("a", "replace", 1), ("a", "increment", 2), ("list", "append", "x"), ("a", "delete", None)]
    assert dict(metrics) == {"list": ["x"]}


def test_appending_to_a_single_value_makes_a_list(metrics):
    metrics["a"] = 1
    metrics.record("a", 2, mode="append")
    assert metrics["a"] == [1, 2]


def test_a_deleted_metric_may_change_its_type(metrics):
    metrics["a"] = 1
    with pytest.raises(TypeError, match="Metric 'a' has type int, cannot set to str without deleting first"):
        metrics["a"] = "x"
    del metrics["a"]
    metrics["a"] = "x"
    assert metrics["a"] == "x"


def test_not_a_number_is_left_out(metrics, changes):
    metrics["a"] = math.nan
    assert changes == []
    assert "a" not in metrics


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("predict_time", "'predict_time' is reserved by the runtime"),
        ("cog.x", "the 'cog.' prefix is reserved for system metrics"),
        ("_a", "metric name segment '_a' must start with a letter"),
        ("a_", "metric name segment 'a_' must end with a letter or digit"),
        ("a__b", "metric name segment 'a__b' must not contain consecutive underscores"),
        ("a b", "metric name segment 'a b' contains invalid character ' '"),
        (".a", "metric name must not start with a dot"),
        ("a..b", "metric name must not contain empty segments (consecutive dots)"),
        ("a.b.c.d.e", "metric name must have at most 4 dot-separated segments (got 5)"),
        ("a" * 129, "metric name must be 128 characters or fewer (got 129 characters)"),
        ("", "metric name must not be empty"),
    ],
)
def test_a_name_that_cannot_be_used_is_told_why(metrics, name, problem):
    with pytest.raises(ValueError) as caught:
        metrics[name] = 1
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("value", "mode", "error", "problem"),
    [
        (1, "zzz", ValueError, "Invalid metric mode: 'zzz'. Expected 'replace', 'incr', or 'append'."),
        ("x", "incr", TypeError, "Increment mode requires int or float, got str"),
        (
            None,
            "replace",
            TypeError,
            "Unsupported metric value type: NoneType. Expected bool, int, float, str, list, or dict.",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_told_why(metrics, value, mode, error, problem):
    with pytest.raises(error) as caught:
        metrics.record("a", value, mode=mode)
    assert str(caught.value) == problem


def test_outside_a_prediction_metrics_go_nowhere():
    current_scope().record_metric("a", 1)
    assert "a" not in current_scope().metrics
    assert dict(current_scope().context) == {}


def test_threads_of_a_prediction_share_its_metrics(monkeypatch):
    def slowly(changed):
        time.sleep(0.01)  # until the other threads ask as well
        return Metrics(changed)

    monkeypatch.setattr(_scope, "Metrics", slowly)
    scope = _scope.Scope({}, lambda *_: None)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: scope.metrics, range(4)))
    assert all(each is found[0] for each in found)
