"""Replicate's way to log in, against a stand-in of the same form."""

from __future__ import annotations

import pytest

from cog_oci.errors import CogError
from cog_oci.transports._failures import RegistryError
from cog_oci.transports.replicate import token_page, username_of
from tests.transports.fake_registry import Answer, fake

VERIFY = "/cog/v1/verify-token"


@pytest.fixture
def site():
    def verify(request):
        return Answer(b'{"username": "me"}') if request.body == "token=good%26" else Answer(status=404)

    with fake() as found:
        found.pages["/cog/v1/display-token-url"] = Answer(b'{"url": "https://site.example.com/token"}')
        found.pages[VERIFY] = verify
        yield found


def test_the_page_of_the_token_and_whose_it_is_are_asked_for(site):
    assert token_page(site.host) == "https://site.example.com/token"
    assert username_of("good&", site.host) == "me"
    assert [request.method for request in site.seen] == ["GET", "POST"]


def test_a_token_of_nobody_is_refused_and_not_shown(site):
    with pytest.raises(CogError, match="does not know this token") as caught:
        username_of("secret", site.host)
    assert "secret" not in str(caught.value)


def test_a_token_for_the_api_is_told_before_it_goes_anywhere(site):
    with pytest.raises(CogError, match="looks like a Replicate API token"):
        username_of("r8_secret", site.host)
    assert site.seen == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=500), "HTTP 500"),
        (Answer(status=302, headers={"Location": "https://elsewhere.example.com/"}), "HTTP 302"),
        (Answer(b"{}"), "username"),
        (Answer(b"<html>"), "what .* says of the token"),
    ],
)
def test_a_token_follows_no_redirect_and_an_answer_is_checked(site, answer, says):
    site.pages[VERIFY] = answer

    with pytest.raises(CogError, match=says):
        username_of("good&", site.host)


def test_a_host_that_is_not_there_is_said():
    with pytest.raises(RegistryError, match="display-token-url: ConnectionError"):
        token_page("127.0.0.1:1")
