"""A token on everything but what probes ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.server.authorization import Authorization
from cog_oci.server.settings import SettingsError, read_settings
from tests.server.live import live_server

TOKEN = "s3cret.~+/=="
STUB = {"COG_PREDICT_TYPE_STUB": "run.py:Runner"}


@pytest.fixture(scope="module", params=["", "1"], ids=["at the door", "in Quart"])
def guarded(request):
    with live_server("plain", COG_AUTH_TOKEN=TOKEN, COG_HTTP_STOCK=request.param) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predictions"),
        ("PUT", "/predictions/one"),
        ("GET", "/predictions/one"),
        ("POST", "/predictions/one/cancel"),
        ("POST", "/trainings"),
        ("POST", "/shutdown"),
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/no-such-thing"),
        ("DELETE", "/predictions"),
        ("GET", "/livez/"),
        ("GET", "//livez"),
        ("GET", "/livez/..%2fmetrics"),
    ],
)
@pytest.mark.parametrize("header", [None, f"Bearer {TOKEN}x"])
def test_nothing_is_done_without_the_token(guarded, method, path, header):
    answer = guarded.request(method, path, {"input": {}}, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == ('Bearer error="invalid_token"' if header else "Bearer")
    assert answer.json()["status"] == "failed"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("header", ["Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}, {TOKEN}"])
def test_a_header_that_only_looks_like_it_is_refused(guarded, header):
    assert guarded.post("/predictions", {"input": {}}, headers={"Authorization": header}).status_code == 401


def test_a_refused_body_is_not_waited_for_and_no_request_is_lost_behind_it(guarded):
    for size in range(0, 20_000, 1000):
        assert guarded.post("/predictions", {"input": {"text": "a" * size}}).status_code == 401
        assert guarded.request("GET", "/livez").status_code == 200


@pytest.mark.parametrize("path", ["/health-check", "/livez", "/readyz"])
def test_probes_need_no_token(guarded, path):
    assert guarded.request("GET", path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_whoever_has_the_token_is_served(guarded, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    answer = guarded.post("/predictions", {"input": {"text": "you"}}, headers=headers)
    assert (answer.status_code, answer.json()["output"]) == (200, "hello you")
    for path in ("/", "/docs", "/openapi.json", "/metrics"):
        assert guarded.request("GET", path, headers=headers).status_code == 200


def test_the_model_does_not_see_the_token():
    with live_server("environment", COG_AUTH_TOKEN=TOKEN, OTHER="seen") as server:
        answer = server.post("/predictions", {"input": {}}, headers={"Authorization": f"Bearer {TOKEN}"})
        seen = answer.json()["output"]
        assert seen["OTHER"] == "seen"
        assert "COG_AUTH_TOKEN" not in seen


@given(
    st.text(st.characters(max_codepoint=255), max_size=30),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_exactly_the_token_is_taken(header, token):
    authorization = Authorization(token)
    assert authorization.allows(f"Bearer {token}")
    assert not authorization.allows(None)
    assert authorization.allows(header) is (header[:7].lower() == "bearer " and header[7:].strip(" ") == token)


def test_without_a_token_everybody_is_let_in():
    assert read_settings([], STUB).auth_token is None
    assert Authorization(None).allows(None)


@pytest.mark.parametrize("token", ["", "two words", "with a newline\n", "\u00fcnicode", "\t"])
def test_a_token_that_cannot_be_one_is_no_open_door(token):
    with pytest.raises(SettingsError, match="COG_AUTH_TOKEN"):
        read_settings([], {**STUB, "COG_AUTH_TOKEN": token})
