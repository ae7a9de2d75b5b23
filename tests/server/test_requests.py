"""Requests as they come: routes, methods, malformed bodies, invalid inputs."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

JSON = {"Content-Type": "application/json"}


def test_the_index_names_the_routes(plain):
    index = plain.request("GET", "/").json()
    assert index["cog_version"] == "0.23.1"
    assert index["predictions_idempotent_url"] == "/predictions/{prediction_id}"
    assert index["healthcheck_url"] == "/health-check"


def test_the_schema_is_served_as_it_is_written(plain):
    document = json.loads((plain.folder / ".cog/openapi_schema.json").read_text())
    assert plain.request("GET", "/openapi.json").json() == document


@pytest.mark.parametrize("path", ["/nothing", "/redoc", "/predictions/", "/health-check/"])
def test_an_unknown_path_is_an_empty_404(plain, path):
    answer = plain.request("GET", path)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predictions", "POST"),
        ("POST", "/predictions/x", "GET,HEAD,PUT"),
        ("OPTIONS", "/predictions", "POST"),
        ("POST", "/health-check", "GET,HEAD"),
        ("DELETE", "/shutdown", "POST"),
    ],
)
def test_a_wrong_method_is_told_which_are_right(plain, method, path, allowed):
    answer = plain.request(method, path)
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, allowed, b"")


def test_head_is_get_without_a_body(plain):
    answer = plain.request("HEAD", "/health-check")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("content", "status", "text"),
    [
        (b"{bad", 400, "Failed to parse the request body as JSON: "),
        (b"", 400, "Failed to parse the request body as JSON: "),
        (b"\xff\xfe", 400, "Failed to parse the request body as JSON: "),
        (b"[" * 100_000, 400, "Failed to parse the request body as JSON: "),
        (b'{"input": {"text": NaN}}', 400, "as JSON: expected value at line 1 column 20"),
        (b'{"input": {"seconds": 1e999}}', 400, "as JSON: number out of range"),
        (b'{"input": {"text": "' + b"x" * 70_000 + b'", "seconds": 1e999}}', 400, "as JSON: number out of range"),
        (b'{"input": {"text": "\\ud800"}}', 400, "as JSON: "),
        (b'{"id": 5}', 422, "into the target type: id: invalid type: integer `5`, expected a string"),
        (b"[1]", 422, "into the target type: invalid type: sequence"),
        (b'{"webhook": 5}', 422, "webhook: invalid type: integer `5`, expected a string"),
        (b'{"context": {"a": 1}}', 422, "context.a: invalid type: integer `1`, expected a string"),
        (b'{"context": null}', 422, "context: invalid type: null, expected a map"),
        (
            b'{"webhook_events_filter": ["start", "nope"]}',
            422,
            "webhook_events_filter[1]: unknown variant `nope`, expected one of `start`, `output`, `logs`, `completed`",
        ),
    ],
)
def test_a_malformed_body_is_told_what_is_wrong_with_it(plain, content, status, text):
    answer = plain.request("POST", "/predictions", data=content, headers=JSON)
    assert answer.status_code == status
    assert text in answer.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_what_does_not_claim_to_be_json_is_not_read(plain, content_type):
    answer = plain.request("POST", "/predictions", data=b"{}", headers={"Content-Type": content_type})
    assert (answer.status_code, answer.text) == (415, "Expected request with `Content-Type: application/json`")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.x+json", None])
def test_json_has_many_names(plain, content_type):
    answer = plain.request("POST", "/predictions", data=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 200


def test_a_body_over_100_mib_is_refused_before_it_is_read(plain):
    parts = urlsplit(plain.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.putrequest("POST", "/predictions")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(101 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.read() == b"Failed to buffer the request body: length limit exceeded"
    connection.close()


def test_the_connection_of_a_client_that_has_gone_is_let_go_at_once(plain):
    descriptors = Path(f"/proc/{plain.popen.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(30):
        requests.get(f"{plain.url}/health-check", timeout=10).close()
    end = time.monotonic() + 3
    while len(list(descriptors.iterdir())) > before + 3:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_large_body_and_a_large_answer_pass(plain):
    text = "x" * (20 << 20)
    assert plain.predict(text=text)["output"] == "hello " + text


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"s": 5}, {"s": '5 is not of type "string"'}),
        (
            {"choice": "q", "f": "x", "i": 0},
            {
                "choice": '"q" is not one of ["red","green"]',
                "f": '"x" is not of type "number"',
                "i": "0 is less than the minimum of 1",
            },
        ),
        ({"i": 11}, {"i": "11 is greater than the maximum of 10"}),
        ({"i": 3.5}, {"i": '3.5 is not of type "integer"'}),
        ({"i": True}, {"i": 'true is not of type "integer"'}),
        ({"b": 1}, {"b": '1 is not of type "boolean"'}),
        ({"s": "a"}, {"s": '"a" is shorter than 2 characters'}),
        ({"s": "abcdef"}, {"s": '"abcdef" is longer than 5 characters'}),
        ({"s": "ABC"}, {"s": '"ABC" does not match "^[a-z]+$"'}),
        ({"s": None}, {"s": 'null is not of type "string"'}),
        ({"strings": [5]}, {"strings/0": '5 is not of type "string"'}),
        ({"i": 10**20}, {"i": "100000000000000000000 is greater than the maximum of 10"}),
        ([], {"__root__": '[] is not of type "object"'}),
    ],
)
def test_an_invalid_input_is_told_field_by_field(types, given, problems):
    answer = types.post("/predictions", {"input": given})
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert {item["loc"][2]: item["msg"] for item in detail} == problems
    assert all(item["type"] == "value_error" for item in detail)


def test_a_missing_field_is_required(files):
    answer = files.post("/predictions", {"input": {}})
    assert answer.json() == {
        "detail": [{"loc": ["body", "input", "text"], "msg": "Field required", "type": "value_error.missing"}]
    }


def test_types_are_what_the_model_declares(types):
    output = types.predict(i=3.0, f=1, maybe=None, unknown="dropped")["output"]
    assert (output["i"], output["f"], output["maybe"]) == ("3", "1.0", "None")


def test_defaults_are_pythons_and_are_not_shared(types):
    for _ in range(2):
        output = types.predict()["output"]
        assert output["strings"] == "['x', 'mine']"
        assert (output["s"], output["things"], output["maybe"]) == ("'ab'", "{'k': 1}", "None")
