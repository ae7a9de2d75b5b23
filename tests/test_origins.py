"""Names to addresses: what apt and uv are configured with, and an index in either of its forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher, NotFoundError
from cog_oci.lock import Deb, Wheel
from cog_oci.origins import Origins, default_index

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHEEL = Wheel(
    name="Demo_Pkg", version="1", file="demo_pkg-1-py3-none-any.whl", sha256="0" * 64, size=1, index="default"
)


@pytest.fixture
def origins(store, tmp_path, monkeypatch):
    monkeypatch.delenv("COG_MIRROR_DEBIAN", raising=False)
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    return Origins(Fetcher(store), NOW, apt=tmp_path / "apt")


def test_the_mirrors_of_apt_come_before_the_snapshot(origins, tmp_path):
    apt = tmp_path / "apt"
    (apt / "sources.list").write_text(
        "# deb http://off/debian x main\ndeb [arch=amd64] http://one/debian trixie main\n"
    )
    (apt / "sources.list.d" / "a.sources").write_text(
        "Types: deb\n# URIs: http://no/debian\nURIs: http://two/debian/ http://two/debian-security\nSuites: x\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://three/debian\n"
    )

    assert origins.archive("debian") == [
        "http://one/debian",
        "http://two/debian/",
        "https://snapshot.debian.org/archive/debian/20260102T030405Z",
    ]
    assert origins.archive("debian-security")[0] == "http://two/debian-security"


def test_a_variable_comes_before_what_apt_says(origins, monkeypatch):
    monkeypatch.setenv("COG_MIRROR_DEBIAN", "http://mine/debian")
    deb = Deb(
        name="a",
        version="1",
        file="pool/a.deb",
        sha256="0" * 64,
        size=1,
        archive="debian",
        architecture="all",
        layer="base",
    )

    assert list(origins.locate(deb)) == ["http://mine/debian/pool/a.deb"]


@pytest.fixture
def index(site, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    default_index.cache_clear()
    yield site
    default_index.cache_clear()


def test_a_wheel_is_found_on_an_index_that_speaks_json(origins, index):
    page = {"files": [{"filename": WHEEL.file, "url": f"../../files/{WHEEL.file}"}]}
    index.pages["/simple/demo-pkg/"] = json.dumps(page).encode()

    assert list(origins.locate(WHEEL)) == [f"{index.url}/files/{WHEEL.file}"]


def test_a_wheel_is_found_on_an_index_that_speaks_html(origins, index):
    index.pages["/simple/demo-pkg/"] = f'<a href="/files/x.whl#sha256=00">{WHEEL.file}</a>'.encode()

    assert list(origins.locate(WHEEL)) == [f"{index.url}/files/x.whl"]


def test_a_wheel_that_the_index_has_no_more_is_said_by_name(origins, index):
    index.pages["/simple/demo-pkg/"] = b'{"files": []}'

    with pytest.raises(NotFoundError, match=r"cannot fetch demo_pkg-1-py3-none-any.whl"):
        list(origins.locate(WHEEL))


def test_an_index_that_is_not_configured_here_is_named(origins):
    with pytest.raises(CogError, match="'company'"):
        list(origins.locate(WHEEL.model_copy(update={"index": "company"})))
