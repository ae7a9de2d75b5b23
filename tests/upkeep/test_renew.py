"""A lock of one platform: what is fetched while uv is at work, and what becomes of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from threading import Event

import pytest

from cog_oci.config import Project
from cog_oci.errors import CogError
from cog_oci.oci import Platform
from cog_oci.progress import SILENT
from cog_oci.upkeep.renew import Renewal

SLOWLY = 100  # pieces of a body, each after a twentieth of a second


class Everywhere(dict):
    """The same page at each path that has no other."""

    def get(self, path, page=None):
        return super().get(path, self["*"])


@pytest.mark.parametrize("end", [None, KeyboardInterrupt])
def test_an_error_or_an_interrupt_does_not_wait_for_the_slow_downloads_beside_it(
    site, store, tmp_path, monkeypatch, end
):
    begun = {"debian": Event(), "python": Event()}
    sent = []

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(SLOWLY))
        handler.end_headers()
        for left in reversed(range(SLOWLY)):
            if not left:
                sent.append(handler.path)
            handler.wfile.write(b"x")
            begun[handler.path.split("/")[1]].set()
            time.sleep(0.05)  # nothing else makes a server slow

    def absent(handler):
        assert all(one.wait(10) for one in begun.values())
        handler.answer(404, b"")

    def interrupted(_process):
        assert all(one.wait(10) for one in begun.values())
        raise end

    site.pages = Everywhere({"*": slow, "/simple/nowhere/": absent})
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for name in ("COG_MIRROR_DEBIAN", "COG_MIRROR_DEBIAN_SECURITY"):
        monkeypatch.setenv(name, f"{site.url}/debian")
    monkeypatch.setenv("COG_PYTHON_MIRROR", f"{site.url}/python")
    if end is not None:
        monkeypatch.setattr("cog_oci.resolver._uv._ended", interrupted)
    (tmp_path / "cog.yaml").write_text(
        json.dumps({"build": {"python_version": "3.12", "python_packages": ["nowhere"]}, "run": "run.py:Runner"})
    )
    (tmp_path / "run.py").write_text("class Runner:\n    def run(self) -> str: ...\n")
    renewal = Renewal(Project.find(tmp_path), datetime(2026, 11, 1, tzinfo=UTC), store, SILENT)

    with pytest.raises(end or CogError) as told:
        renewal.platform(Platform("linux", "amd64"), None)

    assert sent == []
    assert end is not None or "nowhere" in str(told.value)
    assert not list((store.root / "tmp").iterdir())
