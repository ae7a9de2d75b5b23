"""What a model's document promises is kept: the requests that it allows, and ones that it does not, are made up from it."""

from __future__ import annotations

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
)

from tests.server.live import live_server

# Models that do nothing but say what they were given; none of them fetches what it is pointed at.
MODELS = ("limits", "optional", "structured")
REFUSED = {400, 404, 413, 415}
"""Statuses of HTTP itself, which Cog's documents leave out, and so do ours, which are the same. What is wrong with a body
as such is said in text, for 422 too; the documents know 422 as JSON only."""
ELSEWHERE = ("webhook", "output_file_prefix")
"""Fields that make the server talk to a third party."""


@pytest.fixture(scope="module", params=MODELS)
def server(request):
    with live_server(request.param) as running:
        yield running


def test_what_the_document_allows_is_accepted_and_answered_as_it_says(server):
    operations = _operations(server)
    assert {operation.label for operation in operations} >= {"GET /", "GET /health-check", "POST /predictions"}
    for operation in operations:
        assert _statuses(operation, GenerationMode.POSITIVE, positive_data_acceptance)
    assert server.health()["status"] == "READY"


def test_what_the_document_does_not_allow_is_answered_as_it_says(server):
    operation = next(each for each in _operations(server) if each.label == "POST /predictions")
    statuses = _statuses(operation, GenerationMode.NEGATIVE)
    assert statuses & {400, 415, 422}
    assert server.health()["status"] == "READY"


def _operations(server):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return [each.ok() for each in schema.get_all_operations()]


def _statuses(operation, mode, *more):
    """The statuses of the answers to requests made up for this operation; each was what the document says."""
    found = set()
    declared = {int(code) for code in operation.definition.raw["responses"]}
    promises = [not_a_server_error, content_type_conformance, response_headers_conformance, response_schema_conformance]

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case):
        if isinstance(case.body, dict):
            for field in ELSEWHERE:
                case.body.pop(field, None)
        response = case.call(session=session)
        found.add(response.status_code)
        assert response.status_code in declared | REFUSED, response.text
        in_text = response.status_code >= 400 and response.headers["content-type"][0].startswith("text/plain")
        undeclared = in_text or response.status_code not in declared
        # The documents don't say that `input` is required where one of its fields is.
        whole = not isinstance(case.body, dict) or "input" in case.body
        checks = [not_a_server_error] if undeclared else [*promises, *(more if whole else ())]
        case.validate_response(response, checks=checks)

    with requests.Session() as session:
        session.trust_env = False
        each()
    return found
