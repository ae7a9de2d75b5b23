"""What follows from the same states of the archives is worked out once."""

from __future__ import annotations

import json

import pytest

from cog_oci.config import Project
from cog_oci.lock import Archive
from cog_oci.progress import SILENT
from cog_oci.resolver import debian
from cog_oci.resolver.base import Base
from cog_oci.upkeep import debs
from tests.resolver.test_python import NOW

BASE = Base("3.13", "amd64")


@pytest.fixture
def asked(monkeypatch):
    """Every question that reaches the resolver, whose archives are as of a date that can be moved."""
    questions: list[tuple[str, ...]] = []

    class Resolver:
        date = "2026-11-01"
        suites = ()

        def __init__(self, *_: object, **__: object) -> None:
            pass

        @property
        def archives(self) -> tuple[Archive, ...]:
            return (Archive(name="debian", suite="trixie", date=self.date, inrelease="0" * 64),)

        def resolve(self, base, system, *_: object, **__: object) -> debian.Resolution:
            questions.append(tuple(system))
            return debian.Resolution(BASE.pinned_debs, self.archives)

    monkeypatch.setattr(debian, "DebianResolver", Resolver)
    return questions, Resolver


def resolve(store, *system: str) -> debian.Resolution:
    folder = store.root.parent
    (folder / "cog.yaml").write_text(json.dumps({"build": {"python_version": "3.13", "system_packages": system}}))
    project = Project.find(folder)
    return debs.resolve_debs(BASE, project, (), {}, as_of=NOW, store=store, progress=SILENT)


def test_the_same_question_of_the_same_states_is_asked_once(store, asked):
    first = resolve(store, "gcc")

    assert resolve(store, "gcc") == first
    assert first.debs == BASE.pinned_debs
    assert asked[0] == [("gcc",)]


def test_other_packages_and_other_states_are_other_questions(store, asked):
    questions, resolver = asked
    resolve(store, "gcc")
    resolve(store, "ffmpeg")
    resolver.date = "2026-11-02"

    assert resolve(store, "gcc").archives[0].date == "2026-11-02"
    assert questions == [("gcc",), ("ffmpeg",), ("gcc",)]
