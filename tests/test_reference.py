"""The pages that are made from the code are what the code is."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _pages():
    loader = SourceFileLoader("refresh_docs", str(ROOT / "scripts" / "refresh-docs"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("refresh_docs", loader))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module.PAGES


@pytest.mark.parametrize("name", ["commands.md", "cog-yaml.md"])
def test_a_page_of_reference_says_what_the_code_does(name, monkeypatch):
    for variable in ("COLUMNS", "LINES"):
        monkeypatch.delenv(variable, raising=False)

    assert (ROOT / "docs" / name).read_text() == _pages()[name](), "renew it: .venv/bin/python scripts/refresh-docs"


def test_every_command_shows_how_it_is_typed():
    page = _pages()["commands.md"]()
    sections = page.split("\n## cog-oci ")[1:]

    names = {text.partition("\n")[0]: text for text in sections if "Commands:" not in text}
    bare = [name for name, text in names.items() if not re.search(rf"^  .*cog-oci {name}\b", text, re.MULTILINE)]

    assert bare == []
