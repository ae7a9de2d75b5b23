"""The page behind `/docs`: one document with all that it needs, which reads openapi.json in the browser.

It asks nothing of the network but this server, and its policy allows nothing else: the scripts and the style sheet are
known by their hashes (CSP Level 3 §2.3.1), and no text can become markup (Trusted Types).
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

__all__ = ["Page", "docs_page"]

_FOLDER = Path(__file__).with_name("pages")
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w.]+)">')
_SCRIPT = re.compile(r'<script src="([\w.]+)"></script>')


@dataclass(frozen=True, slots=True)
class Page:
    """A document in UTF-8, and the `Content-Security-Policy` that it is to be served with."""

    content: bytes
    policy: str


@cache
def docs_page() -> Page:
    """`pages/docs.html` with its style sheet and its scripts inside."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def inline(tag: str, found: re.Match[str]) -> str:
        text = (_FOLDER / found[1]).read_text("utf-8")
        hashes[tag].append(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'")
        return f"<{tag}>{text}</{tag}>"

    document = (_FOLDER / "docs.html").read_text("utf-8")
    document = _STYLE.sub(lambda found: inline("style", found), document)
    document = _SCRIPT.sub(lambda found: inline("script", found), document)
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(hashes["script"]),
        "style-src": " ".join(hashes["style"]),
        "connect-src": "'self'",
        "img-src": "data:",
        "media-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return Page(document.encode(), "; ".join(f"{name} {value}" for name, value in policy.items()))
