"""The page for people: complete in itself, and true to the routes."""

from __future__ import annotations

import re
from base64 import b64decode
from hashlib import sha256
from unittest.mock import Mock

from cog_oci.layers.server import ServerLayer
from cog_oci.server.app import create_app
from cog_oci.server.page import docs_page


def text() -> str:
    return docs_page().content.decode()


def test_the_page_needs_nothing_from_anywhere():
    assert not re.findall(r"<(?:script|img|iframe|object)[^>]*\bsrc=", text())
    assert not re.findall(r'<link[^>]*href="(?!data:,)', text())
    assert not re.findall(r"@import|\burl\(|https?://\w", text())


def test_the_policy_knows_exactly_what_is_in_the_page():
    for tag in ("script", "style"):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text(), re.DOTALL)
        assert inside
        allowed = re.search(rf"{tag}-src ([^;]*)", docs_page().policy)[1].split()
        assert [b64decode(word[8:-1]) for word in allowed] == [sha256(part.encode()).digest() for part in inside]
    assert "unsafe" not in docs_page().policy
    assert not re.findall(r"\bstyle=|\bon\w+=", re.sub(r"<(script|style)>.*?</\1>", "", text(), flags=re.DOTALL))


def test_no_text_can_become_markup():
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", text())


def test_the_page_is_in_the_image():
    files = dict(ServerLayer("3.13", ())._files)
    for name in set(
        re.findall(
            r'(?:src|href)="([\w.]+\.(?:js|css))"', files["opt/cog/server/cog_oci/server/pages/docs.html"].decode()
        )
    ):
        assert f"opt/cog/server/cog_oci/server/pages/{name}" in files


def test_the_page_is_served_with_its_policy(plain):
    answer = plain.request("GET", "/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == docs_page().policy
    assert answer.content == docs_page().content
    assert plain.request("GET", "/").json()["docs_url"] == "/docs"


def test_every_endpoint_of_the_server_is_on_the_page():
    app = create_app(Mock(document=None))
    listed = set(re.findall(r'\["(\w+)", "(/[^"]*)"', text()))
    for rule in app.url_map.iter_rules():
        kind = "training" if "trainings" in rule.rule else "prediction"
        path = rule.rule.replace("<id:identity>", f"{{{kind}_id}}")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert (method, path) in listed
