"""Which package brings a library: by Contents files, else by the names that Debian gives."""

from __future__ import annotations

import gzip

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.resolver.bringers import bringers
from cog_oci.resolver.debian import DebianResolver
from tests.resolver.debian_archive import NOW, Publication, paragraph, suite_of

CONTENTS = """\
usr/lib/i386-linux-gnu/libGL.so.1                         libs/a
usr/lib/x86_64-linux-gnu/debug/libGL.so.1                 libs/b
usr/lib/x86_64-linux-gnu/libGL.so.1                       libs/libgl1-vendor,libs/libgl1
usr/lib/x86_64-linux-gnu/libGL.so.1.7.0                   libs/c
usr/lib/x86_64-linux-gnu/notlibGL.so.1                    libs/d
usr/share/a folder/libodd.so.3                            non-free/libs/odd
"""


@pytest.fixture
def world(site, store, tmp_path, monkeypatch):
    """An archive of one suite that a lock was made from; asked for libraries it answers with packages."""
    suite = suite_of(tmp_path)
    monkeypatch.setattr("cog_oci.resolver.bringers.suites", lambda release: (suite,))
    packages = paragraph("libgl1") + paragraph("libglib2.0-0t64") + paragraph("libsm6") + paragraph("other")
    contents = gzip.compress(CONTENTS.encode(), mtime=0)
    published = Publication(site, packages=packages, also={"main/Contents-amd64.gz": contents}).publish()
    fetcher = Fetcher(store)
    resolver = DebianResolver(fetcher, store, [suite], "amd64", lambda _: [published.url], NOW)
    archives = resolver.resolve(["other"], []).archives

    def ask(*libraries, offline=False):
        where = {"fetcher": Fetcher(store, offline=offline), "store": store, "addresses": lambda _: [published.url]}
        return bringers(libraries, "trixie", archives, "amd64", **where)

    ask.site = site
    return ask


def test_the_package_that_has_it_where_the_linker_looks_is_taken_and_of_several_the_one_with_the_shortest_name(world):
    assert world("libGL.so.1") == {"libGL.so.1": "libgl1"}


def test_a_library_in_an_odd_place_is_better_than_none(world):
    assert world("libodd.so.3", "libnone.so.1") == {"libodd.so.3": "odd"}


@pytest.mark.parametrize(
    ("library", "package"), [("libglib-2.0.so.0", "libglib2.0-0t64"), ("libSM.so.6", "libsm6"), ("libfoo.so.6", None)]
)
def test_offline_a_name_is_guessed_and_only_said_if_there_is_such_a_package(world, library, package):
    assert world(library, offline=True) == ({library: package} if package else {})


def test_contents_are_fetched_once(world):
    world("libGL.so.1")
    before = len(world.site.asked)
    world("libodd.so.3")

    assert world.site.asked[before:] == []


def test_an_archive_that_has_lost_its_contents_gives_names(world):
    world.site.pages.clear()

    assert world("libGL.so.1") == {"libGL.so.1": "libgl1"}


def test_the_list_of_another_state_is_none_and_the_name_is_guessed(world):
    world.site.pages.update({path: b"longer" * 1000 for path in world.site.pages if "Contents" in path})

    assert world("libSM.so.6") == {"libSM.so.6": "libsm6"}
