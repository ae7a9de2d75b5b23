"""Answers, as every route gives them."""

from __future__ import annotations

import json
from typing import Any

from quart import Response

__all__ = ["json_answer", "text_answer"]


def json_answer(body: Any, status: int = 200) -> Response:
    """`body` as JSON: UTF-8 as it is, escapes only for what UTF-8 does not have (halves of surrogate pairs)."""
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    return Response(content, status, content_type="application/json")


def text_answer(text: str, status: int) -> Response:
    """A sentence, for who wrote the client."""
    return Response(text, status, content_type="text/plain; charset=utf-8")
