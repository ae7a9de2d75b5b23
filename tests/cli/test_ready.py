"""How a project becomes an image that an engine has: with its code mounted where that can be, else with it inside."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from cog_oci import identified
from cog_oci.cli._launch import Where
from cog_oci.cli._options import image_options, memory
from cog_oci.cli._ready import at_hand, named, ready
from cog_oci.config import Project
from cog_oci.engines import ENGINES, EngineError
from cog_oci.errors import CogError
from cog_oci.lock import Lock
from cog_oci.model import read_model
from cog_oci.oci import Platform
from cog_oci.store import Store
from cog_oci.workshop import Workshop
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures


@dataclass
class Engine:
    """Takes what it is offered, and keeps it."""

    here: bool = True
    name: str = "docker"
    architecture: str = "amd64"
    taken: list = field(default_factory=list)

    def is_here(self):
        return self.here

    def having(self, offer, store):
        return next((found for name, found in self.taken if (name, found.id) == (offer.name, offer.image.digest)), None)

    def take(self, offer, store, progress):
        found = SimpleNamespace(id=offer.image.digest, image=offer.image, labels=offer.image.config.labels)
        self.taken.append((offer.name, found))
        self.relatives = offer.relatives
        return found


def where(**how) -> Where:
    return Where(engine="auto", platform=None, network=None, gpus=None, variables=(), **how)


@pytest.fixture
def found(project, cache):  # noqa: F811 - fixtures
    """A project with a lock, and nothing in its image but the code."""
    lock_by_hand(project)
    return Project.find(project)


@pytest.fixture
def shop(cache):  # noqa: F811 - a fixture
    return Workshop(Store(cache))


def test_a_change_of_the_code_is_no_other_image(found, shop):
    engine = Engine()
    first = ready(found, where(), engine, shop)
    with (found.folder / "run.py").open("a") as file:
        file.write("# changed\n")
    again = ready(found, where(), engine, shop)

    assert first.image is again.image
    assert len(engine.taken) == 1
    assert first.project == found.folder
    assert "code" not in [layer.name for layer in first.image.image.layers]
    assert not (found.folder / ".cog").exists()  # nothing reads it unless a server starts


def test_while_only_code_changes_neither_the_lock_nor_the_layers_are_looked_into(found, shop, monkeypatch):
    engine = Engine()
    first = ready(found, where(), engine, shop)
    ready(found, where(), engine, shop)  # the first time that the lock knows every layer
    with monkeypatch.context() as patched:
        patched.setattr("cog_oci.lock.Lock.read", None)
        patched.setattr("cog_oci.build.identify", None)
        assert ready(found, where(), engine, shop).image is first.image

    (found.folder / "cog.yaml").write_text(found.file.read_text() + "environment: [A=b]\n")
    other = ready(Project.find(found.folder), where(), engine, shop)

    assert "A=b" in other.image.image.config_document.decode()


@pytest.mark.parametrize("changed", ["cog.yaml", "cog.lock"])
def test_what_is_changed_while_an_image_is_made_is_not_what_it_was_made_of(found, shop, changed):
    class Slow(Engine):
        def take(self, offer, store, progress):
            if changed == "cog.yaml":
                found.file.write_text(found.file.read_text() + "environment: [A=b]\n")
            else:
                lock = Lock.read(found.lock_path)
                replace(lock, as_of="2001-02-03T00:00:00Z").write(found.lock_path)
            return super().take(offer, store, progress)

    ready(found, where(), engine := Slow(), shop)
    again = Project.find(found.folder)

    assert identified.recall(_question(again), memory()) is None
    if changed == "cog.yaml":
        assert "A=b" in ready(again, where(), engine, shop).image.image.config_document.decode()


def _question(found):
    return identified.question_of(found, Platform.parse("linux/amd64"), image_options(found, mounted=True))


def test_an_image_is_at_hand_once_the_engine_has_it_and_as_long_as_only_code_changes(found, shop, monkeypatch):
    engine = Engine()
    monkeypatch.setitem(ENGINES, "docker", lambda: engine)

    def is_at_hand() -> bool:
        return at_hand(Project.find(found.folder), where(), shop) is not None

    assert not is_at_hand()
    image = ready(found, where(), engine, shop).image
    (found.folder / "run.py").write_text("changed")
    assert at_hand(found, where(), shop)[1].image is image

    assert at_hand(found, where(mount=False), shop) is None
    assert at_hand(found, replace(where(), platform="linux/riscv64"), shop) is None
    engine.here = False
    assert not is_at_hand()
    engine.here = True
    engine.taken.clear()
    assert not is_at_hand()


def test_what_is_wrong_is_said_by_who_builds_and_not_by_who_only_looks(found, shop, monkeypatch):
    engine = Engine()
    ready(found, where(), engine, shop)

    def broken(offer, store):
        raise EngineError("docker", "it does not answer")

    monkeypatch.setattr(engine, "having", broken)
    monkeypatch.setitem(ENGINES, "docker", lambda: engine)

    assert at_hand(found, where(), shop) is None


def test_an_image_that_the_engine_has_lost_is_given_to_it_again(found, shop):
    engine = Engine()
    for _ in range(3):
        ready(found, where(), engine, shop)
        engine.taken.clear()

    assert ready(found, where(), engine, shop).image is not None
    assert len(engine.taken) == 1


def test_a_server_finds_the_interface_in_the_folder(found, shop):
    model = read_model(found)

    ready(found, where(), Engine(), shop, serves=model)

    assert json.loads((found.folder / ".cog" / "openapi_schema.json").read_bytes()) == model.document
    assert (found.folder / ".cog" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(("engine", "how"), [(Engine(here=False), {}), (Engine(), {"mount": False})])
def test_code_that_cannot_or_shall_not_be_mounted_is_in_the_image(found, shop, engine, how):
    made = ready(found, where(**how), engine, shop)

    assert made.project is None
    assert [layer.name for layer in made.image.image.layers][-1] == "code"
    assert "run.cog.openapi_schema" in made.image.labels


def test_a_folder_that_the_interface_cannot_be_written_to_is_not_mounted(found, shop):
    (found.folder / ".cog").write_text("a file where the folder would be")

    assert ready(found, where(), Engine(), shop, serves=read_model(found)).project is None


def test_the_two_images_of_a_project_know_each_other(found, shop):
    engine = Engine()
    ready(found, where(), engine, shop)
    base, (whole,) = engine.taken[-1][0], engine.relatives
    ready(found, where(mount=False), engine, shop)

    assert (engine.taken[-1][0], engine.relatives) == (whole, (base,))
    assert base.path == f"{whole.path}-base"


def test_another_architecture_is_refused_by_name_and_from_the_project(found, shop):
    engine = Engine(architecture="arm64")
    labels = {"run.cog.openapi_schema": "{}"}
    engine.find = lambda *_: SimpleNamespace(labels=labels, architecture="amd64")

    with pytest.raises(CogError, match="the image is for linux/amd64, and docker here runs linux/arm64"):
        named("some/image", engine, shop)
    engine.find = lambda *_: SimpleNamespace(labels={}, architecture="arm64")
    with pytest.raises(CogError, match=r"has no label run\.cog\.openapi_schema"):
        named("some/image", engine, shop)
