"""Names to addresses: what apt and uv are configured with, and an index in either of its forms."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher, NotFoundError, OfflineError
from cog_oci.indexes import Indexes
from cog_oci.lock import Deb, Source, Wheel
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
        list(origins.locate(replace(WHEEL, index="company")))


def test_downloads_that_begin_at_once_ask_uv_for_its_index_once(store, monkeypatch):
    asked: list[str] = []

    def slowly() -> str:
        if not answered:
            asked.append("uv")
            time.sleep(0.05)
            answered.append("http://127.0.0.1:1/simple")
        return answered[0]

    answered: list[str] = []
    monkeypatch.setattr("cog_oci.origins.default_index", slowly)
    origins = Origins(Fetcher(store, offline=True), NOW)

    def look() -> None:
        with pytest.raises(OfflineError):
            list(origins.locate(WHEEL))

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(look) for _ in range(4)]:
            job.result()

    assert asked == ["uv"]


def test_two_threads_may_look_for_uv_at_once():
    program = """
import sys, threading
sys.setswitchinterval(1e-6)
from cog_oci.origins import uv
found, errors = [], []

def look():
    try:
        found.append(uv())
    except Exception as error:
        errors.append(error)

threads = [threading.Thread(target=look) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
assert len(set(found)) == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_wheel_at_an_address_is_there_with_what_the_project_has_of_it(store):
    wheel = replace(WHEEL, index="", source=Source(url="https://x.example/demo_pkg-1-py3-none-any.whl"))
    full = "https://me:pw@x.example/demo_pkg-1-py3-none-any.whl?signed=1"
    origins = Origins(Fetcher(store), NOW, indexes=Indexes(direct={wheel.source.url: full}))

    assert list(origins.locate(wheel)) == [full]
    assert list(Origins(Fetcher(store), NOW).locate(wheel)) == [wheel.source.url]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source(path="wheels/demo_pkg-1-py3-none-any.whl"), "it is wheels/demo_pkg-1-py3-none-any.whl"),
        (Source(url="https://x.example/repo", commit="0" * 40), "it is built from source"),
        (Source(index="default", file="demo_pkg-1.tar.gz", sha256="0" * 64), "it is built from source"),
    ],
)
def test_what_no_index_has_says_where_it_can_be_had(origins, source, says):
    with pytest.raises(CogError, match=says) as caught:
        list(origins.locate(replace(WHEEL, index="", source=source)))
    assert "store import" in caught.value.hint


def test_what_a_page_says_of_its_files_is_read_in_both_forms(store, site):
    page = (
        '<a href="a-1.tar.gz#sha256='
        + "0" * 64
        + '" data-requires-python="&gt;=3.9" data-yanked="broken">a-1.tar.gz</a>'
        '<a href="a-1-py3-none-any.whl" data-core-metadata="sha256=00"><b></b>a-1-py3-none-any.whl</a><a>none</a>'
    ).encode()
    row = {"filename": "a-1.tar.gz", "url": "a-1.tar.gz", "hashes": {"sha256": "0" * 64}, "yanked": "broken"}
    site.pages["/html/a/"] = lambda handler: handler.answer(200, page, Content_Type="text/html")
    site.pages["/json/a/"] = json.dumps({"files": [row]}).encode()
    indexes = Indexes({"html": f"{site.url}/html", "json": f"{site.url}/json"})
    origins = Origins(Fetcher(store), NOW, indexes=indexes)

    source, wheel = origins.listed("a", "html")
    (same,) = origins.listed("A", "json")

    assert (source.file, source.address) == ("a-1.tar.gz", f"{site.url}/html/a/a-1.tar.gz")
    assert source.row == {"requires-python": ">=3.9", "yanked": "broken", "hashes": {"sha256": "0" * 64}}
    assert (wheel.file, wheel.row) == ("a-1-py3-none-any.whl", {"core-metadata": True})
    assert (same.address, same.row) == (f"{site.url}/json/a/a-1.tar.gz", row)
