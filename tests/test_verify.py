"""What is wrong with an image is found, located and named; what is right with it is reproduced from its lock."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
import zlib
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path

import pytest
import zstandard

from cog_oci import build
from cog_oci.blobs import open_plain
from cog_oci.build_steps import Step
from cog_oci.bytecode import CannotCompileError
from cog_oci.config import Project
from cog_oci.errors import CogError
from cog_oci.layers import realise, render
from cog_oci.layers.ca import CERTIFICATES
from cog_oci.lock import Interpreter, Lock, PlatformLock, Source
from cog_oci.making import fetch
from cog_oci.oci import Image, LayerBlob, MediaType, Platform, sha256
from cog_oci.plan import Plan, make_plan
from cog_oci.resolver.base import Base
from cog_oci.store import Store
from cog_oci.transports.sources import open_source
from cog_oci.verify import _verify, compare_images, fitting, verify
from cog_oci.verify._rebuild import open_bench
from tests.conftest import keep_wheel, make_wheel
from tests.transports.stored import write_index, write_layout

AMD64 = Platform.parse("linux/amd64")
MEDIA = {"gzip": MediaType.LAYER_GZIP, "zstd": MediaType.LAYER_ZSTD, "none": MediaType.LAYER}


def project_with_lock(folder: Path, store: Store) -> Project:
    """A project with a model, two small wheels, and a lock that fits it."""
    folder.mkdir()
    (folder / "cog.yaml").write_text("run: run.py:Runner\nenvironment: [MODE=fast]\n")
    (folder / "run.py").write_text(
        "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self) -> str:\n        return ''\n"
    )
    (folder / "données.txt").write_text("é" * 2000)
    text = "\n".join(f"NUMBER_{n} = {n * 7919 % 1000}" for n in range(3000)).encode()
    wheels = tuple(
        keep_wheel(store, make_wheel(folder.parent, name, {f"{name}/__init__.py": b"", f"{name}/data.py": text}))
        for name in ("first", "second")
    )
    found = Project.find(folder)
    base = Base("3.13", "amd64")
    parts = PlatformLock(
        inputs={**found.lock_inputs(), **base.lock_inputs()},
        interpreter=Interpreter(source="debian", suite=base.suite, version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=(),
        wheels=wheels,
        server=(),
    )
    Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts}).write(found.lock_path)
    return found


@dataclass
class Sample:
    """An image that was built, with everything that is around it."""

    project: Project
    shop: build.Workshop
    image: Image
    lock: bytes
    layout: Path

    def put(self, image: Image, *blobs: bytes, locked: bool = True) -> Path:
        """Another image into the layout, beside this one; it becomes the one that the layout names."""
        extra = [image.manifest_document, image.config_document, *([self.lock] if locked else []), *blobs]
        for data in extra:
            (self.layout / "blobs/sha256" / sha256(data)[7:]).write_bytes(data)
        write_index(self.layout, [image.descriptor.to_json()])
        return self.layout

    @cached_property
    def plan(self) -> Plan:
        """What the project makes of the lock."""
        return fitting(self.project, self.image.stored())

    def look(self, image: Image | None = None, *, project: bool = True):
        """The report on the image that the layout names."""
        if image is None:
            self.put(self.image)
        with open_source(str(self.layout)) as source:
            (found,) = source.images()
            return verify(source, found, self.shop, self.plan if project else None)

    def plain(self, number: int) -> bytes:
        """The tar of a layer."""
        descriptor = self.image.layers[number].descriptor
        with self.shop.store.path(descriptor.digest).open("rb") as blob:
            return open_plain(blob, descriptor.media_type).read()

    def with_layer(self, number: int, plain: bytes, compression: str = "gzip") -> tuple[Image, bytes]:
        """The image with another tar in place of a layer, consistent in all its documents; and that layer's blob."""
        blob = render(self.image.layers[number].name, io.BytesIO(plain), self.shop.store, compression=compression)
        layers = (*self.image.layers[:number], blob, *self.image.layers[number + 1 :])
        return replace(self.image, layers=layers), self.shop.store.path(blob.descriptor.digest).read_bytes()


def sample_in(folder: Path, compression: str = "gzip") -> Sample:
    shop = build.Workshop(Store(folder / "store"))
    project = project_with_lock(folder / "project", shop.store)
    locked = Lock.read(project.lock_path)
    built = build.build(project, AMD64, locked, shop, build.Options(compression=compression))
    layout = write_layout(folder / "layout", shop.store, built.image)
    return Sample(project, shop, built.image, built.lock.data, layout)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    """An image in gzip, which tests leave as it is."""
    return sample_in(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def one_bench(sample, monkeypatch):
    """What was made again once is not made a third time, so that hundreds of images can be looked at."""
    from contextlib import nullcontext

    with open_bench(sample.shop, partial(fetch, None, AMD64, Lock.from_bytes(sample.lock, ""))) as bench:
        monkeypatch.setattr(_verify, "open_bench", lambda *_: nullcontext(bench))
        yield bench


@cache
def starts(plain: bytes) -> list[tuple[int, str]]:
    """Where each member of one of our tars begins, as Python's own tarfile sees it."""
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return [*((member.offset, "/" + member.name) for member in archive), (len(plain) - 1024, "the end")]


def owner(plain: bytes, at: int) -> str:
    """The member that has this byte."""
    return next(path for start, path in reversed(starts(plain)) if start <= at)


def test_an_image_of_its_lock_is_reproduced_whole(sample):
    report = sample.look()

    assert [(one.layer, one.outcome) for one in report.layers] == [
        (layer.name, "reproduced") for layer in sample.image.layers
    ]
    assert (report.problems, report.is_good) == ((), True)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_other_envelopes_are_reproduced_byte_for_byte(tmp_path, compression):
    report = sample_in(tmp_path, compression).look()

    assert {(one.outcome, one.reasons) for one in report.layers} == {("reproduced", ())}


def test_without_the_project_its_code_is_not_rebuilt_and_says_why(sample):
    report = sample.look(project=False)

    *made, code = report.layers
    assert {one.outcome for one in made} == {"reproduced"}
    assert (code.outcome, code.reasons) == ("not rebuilt", ("it is made from the project's files",))
    assert report.is_good


def test_each_of_200_mutations_of_a_layer_is_named_with_its_place(sample, one_bench):
    chosen = random.Random(20_261_124)
    plains = [sample.plain(number) for number in range(len(sample.image.layers))]
    for turn in range(200):
        number = chosen.randrange(len(plains))
        plain = bytearray(plains[number])
        at = chosen.randrange(len(plain))
        plain[at] ^= chosen.randrange(1, 256)
        image, blob = sample.with_layer(number, bytes(plain), "none" if turn % 10 else "gzip")
        sample.put(image, blob)

        report = sample.look(image)

        assert [one.outcome for one in report.layers] == [
            "differs" if other == number else "reproduced" for other in range(len(plains))
        ]
        assert report.problems == ()
        place = owner(plains[number], at)
        reasons = report.layers[number].reasons
        assert reasons
        assert all(reason.startswith(f"{place}: ") for reason in reasons), (number, at, reasons)
        assert not report.is_good
        _remove(sample, image, number)


def _remove(sample: Sample, image: Image, number: int) -> None:
    for digest in (image.descriptor.digest, image.config_descriptor.digest, image.layers[number].descriptor.digest):
        (sample.layout / "blobs/sha256" / digest[7:]).unlink()


def inflated(blob: bytes, compression: str) -> int:
    """How much of the tar can be told from these bytes."""
    made = 0
    while blob and compression != "none":
        one = zlib.decompressobj(31) if compression == "gzip" else zstandard.ZstdDecompressor().decompressobj()
        made += len(one.decompress(blob))
        blob = one.unused_data
    return made + len(blob)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_each_mutation_of_a_blob_is_named_with_layer_and_path(tmp_path, monkeypatch, compression):
    from contextlib import nullcontext

    sample = sample_in(tmp_path, compression)
    chosen = random.Random(7)
    plains = [sample.plain(number) for number in range(len(sample.image.layers))]
    with open_bench(sample.shop, partial(fetch, None, AMD64, Lock.from_bytes(sample.lock, ""))) as bench:
        monkeypatch.setattr(_verify, "open_bench", lambda *_: nullcontext(bench))
        for _ in range(30):
            number = chosen.randrange(len(sample.image.layers))
            layer = sample.image.layers[number]
            file = sample.layout / "blobs/sha256" / layer.descriptor.digest[7:]
            good = file.read_bytes()
            at = chosen.randrange(len(good))
            file.write_bytes(good[:at] + bytes([good[at] ^ chosen.randrange(1, 256)]) + good[at + 1 :])

            verdict = sample.look().layers[number]

            file.write_bytes(good)
            assert (verdict.layer, verdict.outcome) == (layer.name, "damaged")
            assert verdict.reasons[1].startswith(f"its blob differs at byte {at} of {len(good)}, in ")
            plain = plains[number]
            start = owner(plain, min(inflated(good[:at], compression), len(plain) - 1))
            where = verdict.reasons[1].partition(", in ")[2].split(" to ")
            order = [path for _, path in starts(plain)]
            assert order.index(where[0]) <= order.index(start) <= order.index(where[-1]), (at, verdict)


def test_a_blob_that_is_cut_short_is_damaged(sample):
    layer = sample.image.layers[-1]
    file = sample.layout / "blobs/sha256" / layer.descriptor.digest[7:]
    good = file.read_bytes()
    file.write_bytes(good[:-10])
    try:
        verdict = sample.look().layers[-1]
    finally:
        file.write_bytes(good)

    assert verdict.outcome == "damaged"
    assert f"expected {len(good)} bytes, got {len(good) - 10}" in verdict.reasons[0]


def test_damage_is_located_without_a_good_blob_too(sample):
    layer = sample.image.layers[-1]
    file = sample.layout / "blobs/sha256" / layer.descriptor.digest[7:]
    good = file.read_bytes()
    file.write_bytes(good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
    try:
        verdict = sample.look(project=False).layers[-1]
    finally:
        file.write_bytes(good)

    assert verdict.outcome == "damaged"
    assert "the one that the image names" in verdict.reasons[0]
    assert "gzip stream is damaged" in verdict.reasons[1]
    assert "it can be read up to " in verdict.reasons[1]


def test_a_layer_in_an_envelope_of_somebody_else_is_reproduced_and_says_so(sample):
    image, blob = sample.with_layer(1, sample.plain(1))
    sample.put(image, blob)

    verdict = sample.look(image).layers[1]

    assert verdict.outcome == "reproduced"
    assert verdict.reasons[0] == "in an envelope of another making"
    assert "its blob differs at byte" in verdict.reasons[1]


def test_a_layer_that_the_configuration_names_wrongly_is_said(sample):
    layers = list(sample.image.layers)
    layers[0] = replace(layers[0], diff_id=layers[1].diff_id)
    image = replace(sample.image, layers=tuple(layers))
    sample.put(image)

    report = sample.look(image)

    assert report.layers[0].outcome == "damaged"
    assert "the configuration names diff ID" in report.layers[0].reasons[0]
    assert {one.outcome for one in report.layers[1:]} == {"reproduced"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.env.update(MODE="slow"), 'config: Env.MODE is "slow" instead of "fast"'),
        (lambda c: c.env.update(MORE="1"), "config: Env.MORE is not expected"),
        (lambda c: c.labels.pop("run.cog.has_init"), "config: Labels.run.cog.has_init is missing"),
    ],
)
def test_a_configuration_that_was_changed_is_named_by_its_fields(sample, change, said):
    config = replace(sample.image.config, env=dict(sample.image.config.env), labels=dict(sample.image.config.labels))
    change(config)
    image = replace(sample.image, config=config)
    sample.put(image)

    report = sample.look(image)

    assert report.problems == (said,)
    assert not report.is_good
    assert sample.look(image, project=False).problems == ()


def test_the_history_is_held_against_the_layers_without_the_project_as_well(sample):
    layers = (replace(sample.image.layers[0], name="base of somebody"), *sample.image.layers[1:])
    image = replace(sample.image, layers=layers)
    sample.put(image)

    assert sample.look(image, project=False).problems == (
        'config: history.0.created_by is "cog-oci base of somebody" instead of "cog-oci server"',
    )


def labelled(sample: Sample, label: str | None) -> Image:
    labels = {**sample.image.config.labels, "run.cog.lock": label}
    labels = {name: value for name, value in labels.items() if value is not None}
    return replace(sample.image, config=replace(sample.image.config, labels=labels))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, "the image has no label run.cog.lock"),
        ("sha256:" + "0" * 64, "is not kept with the image"),
        ("latest", "'latest' is not a sha256 digest"),
        (sha256(b"{}"), "the image's lock: as_of: Field required"),
    ],
)
def test_an_image_without_a_lock_that_can_be_read_is_not_good(sample, label, said):
    image = labelled(sample, label)
    sample.put(image, b"{}")

    report = sample.look(image, project=False)

    assert said in report.problems[0]
    assert {one.outcome for one in report.layers} == {"not rebuilt"}
    assert not report.is_good


def test_a_lock_that_was_changed_is_not_believed(sample):
    file = sample.layout / "blobs/sha256" / sha256(sample.lock)[7:]
    sample.put(sample.image)
    file.write_bytes(sample.lock.replace(b"first-1.0", b"first-1.1"))

    with open_source(str(sample.layout)) as source:
        report = verify(source, source.images()[0], sample.shop)
    file.write_bytes(sample.lock)

    assert "label run.cog.lock" in report.problems[0]
    assert "expected sha256:" in report.problems[0]
    assert not report.is_good


def test_a_lock_that_did_not_travel_is_taken_from_the_project(sample):
    sample.put(sample.image)
    (sample.layout / "blobs/sha256" / sha256(sample.lock)[7:]).unlink()

    with open_source(str(sample.layout)) as source:
        (found,) = source.images()
        report = verify(source, found, sample.shop, fitting(sample.project, found))
        alone = verify(source, found, sample.shop)

    assert report.is_good
    assert "is not kept with the image" in alone.problems[0]


def test_a_project_with_another_lock_does_not_fit(tmp_path, sample):
    folder = tmp_path / "project"
    shutil.copytree(sample.project.folder, folder)
    other = Project.find(folder)
    replace(Lock.read(other.lock_path), as_of="2025-01-01T00:00:00Z").write(other.lock_path)

    with pytest.raises(CogError, match="not the lock that the image was made from"):
        fitting(other, sample.image.stored())


def test_code_that_was_changed_is_named(tmp_path, sample):
    folder = tmp_path / "project"
    shutil.copytree(sample.project.folder, folder)
    (folder / "données.txt").write_text("é" * 1000 + "e" + "é" * 999 + "x")
    (folder / "new.py").write_text("")
    sample.put(sample.image)

    with open_source(str(sample.layout)) as source:
        (found,) = source.images()
        report = verify(source, found, sample.shop, fitting(Project.find(folder), found))

    assert report.layers[-1].reasons == (
        "/src/données.txt: content byte 2000 of 4000 is 0xc3 instead of 0x65",
        "/src/new.py: is missing",
    )


def test_what_the_machine_remembers_of_layers_is_not_believed(tmp_path):
    sample = sample_in(tmp_path)
    for record in (sample.shop.store.root / "layers").iterdir():
        known = json.loads(record.read_bytes())
        wrong = sample.image.layers[-1].descriptor
        known["descriptor"] = {**known["descriptor"], "digest": wrong.digest, "size": wrong.size}
        record.write_text(json.dumps(known))

    assert sample.look().is_good
    assert not [path for path in sample.shop.store.root.iterdir() if path.name.startswith("verify-")]


def test_an_artifact_that_was_changed_on_this_machine_is_fetched_anew(tmp_path, site, monkeypatch):
    sample = sample_in(tmp_path)
    wheel = Lock.read(sample.project.lock_path).platform(AMD64).wheels[0]
    kept = sample.shop.store.path(wheel.digest)
    data = kept.read_bytes()
    kept.write_bytes(data[:-1] + b"!")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    site.pages["/simple/first/"] = json.dumps({"files": [{"filename": wheel.file, "url": "/wheel"}]}).encode()
    site.pages["/wheel"] = data

    assert sample.look().is_good
    assert "/wheel" in site.asked


def test_what_cannot_be_had_leaves_its_layers_as_they_are_and_the_others_are_made_again(tmp_path, site, monkeypatch):
    sample = sample_in(tmp_path)
    wheel = Lock.read(sample.project.lock_path).platform(AMD64).wheels[0]
    sample.shop.store.path(wheel.digest).unlink()
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")

    report = sample.look()

    assert [verdict.outcome for verdict in report.layers] == ["reproduced", "not rebuilt", "reproduced"]
    assert "what it is made from cannot be had here: " in report.layers[1].reasons[0]
    assert f"the index page of {wheel.name}" in report.layers[1].reasons[0]
    assert report.problems == ("not made again, for want of what it takes: python",)
    assert not report.is_good


def test_without_a_network_nothing_is_asked_of_it(tmp_path, site, monkeypatch):
    sample = sample_in(tmp_path)
    wheel = Lock.read(sample.project.lock_path).platform(AMD64).wheels[0]
    sample.shop.store.path(wheel.digest).unlink()
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")

    report = replace(sample, shop=replace(sample.shop, offline=True)).look()

    assert report.layers[1].outcome == "not rebuilt"
    assert not site.asked


def test_a_wheel_of_the_project_is_taken_from_there(tmp_path):
    sample = sample_in(tmp_path)
    locked = Lock.read(sample.project.lock_path)
    parts = locked.platform(AMD64)
    first, *others = parts.wheels
    own = replace(first, index="", source=Source(path=f"wheels/{first.file}"))
    locked = replace(locked, platforms={str(AMD64): replace(parts, wheels=(own, *others))})
    locked.write(sample.project.lock_path)
    built = build.build(sample.project, AMD64, locked, sample.shop)
    (sample.project.folder / "wheels").mkdir()
    sample.shop.store.path(own.digest).rename(sample.project.folder / own.source.path)
    # The file is code as well: what is asked is what becomes of the layer of wheels.
    sample = Sample(sample.project, sample.shop, built.image, built.lock.data, sample.layout)
    sample.put(built.image, *(sample.shop.store.path(one.descriptor.digest).read_bytes() for one in built.image.layers))

    with open_source(str(sample.layout)) as source:
        (found,) = source.images()
        there = verify(source, found, sample.shop, project=sample.project)
        elsewhere = verify(source, found, sample.shop)

    assert there.layers[1].outcome == "reproduced"
    assert there.is_good
    assert elsewhere.layers[1].outcome == "not rebuilt"
    assert f"wheels/{own.file} is a file of the project, which is not here" in elsewhere.layers[1].reasons[0]


def test_certificates_of_this_machine_are_not_the_images(sample):
    plan = fitting(sample.project, sample.image.stored(), build.Options(certificates=(b"mine",)))

    assert [layer.recipe for layer in plan.layers] == [layer.recipe for layer in sample.plan.layers]


def test_an_image_with_certificates_that_nobody_gives_is_said_to_need_them(sample):
    layers = (*sample.image.layers[:-1], replace(sample.image.layers[0], name=CERTIFICATES), sample.image.layers[-1])

    with pytest.raises(CogError, match="COG_CA_CERT is not set here"):
        fitting(sample.project, replace(sample.image, layers=layers).stored())


def test_the_commands_in_the_history_are_those_of_the_lock_without_the_project_as_well(tmp_path):
    sample = sample_in(tmp_path)
    locked = Lock.read(sample.project.lock_path)
    steps = (Step(phase="run", command="echo x > /etc/x", network=True),)
    locked = replace(locked, platforms={str(AMD64): replace(locked.platform(AMD64), steps=steps)})
    plan = make_plan(sample.project, AMD64, locked)
    empty = render("build.run 1", io.BytesIO(bytes(1024)), sample.shop.store)
    blobs = [empty if layer.name == empty.name else realise(layer, sample.shop.store) for layer in plan.layers]
    image, lock = plan.image(blobs)
    sample = Sample(sample.project, sample.shop, image, lock.data, sample.layout)
    sample.put(image, sample.shop.store.path(empty.descriptor.digest).read_bytes())

    report = sample.look(image, project=False)

    assert report.problems == ()
    assert report.layers[2].reasons == ("taken as recorded: it uses the network",)


def test_an_image_with_a_layer_too_many_is_said(sample):
    extra = sample.image.layers[0]
    image = replace(sample.image, layers=(*sample.image.layers, extra))
    sample.put(image)

    assert "the image has 4 layers, and 3 are made of its lock" in sample.look(image).problems


def test_weights_in_layers_of_their_own_are_reproduced(tmp_path):
    sample = sample_in(tmp_path)
    (sample.project.folder / "model.bin").write_bytes(b"w" * (11 << 20))
    locked = Lock.read(sample.project.lock_path)
    built = build.build(sample.project, AMD64, locked, sample.shop, build.Options(separate_weights=True))
    sample = Sample(sample.project, sample.shop, built.image, built.lock.data, sample.layout)
    sample.put(built.image, *(sample.shop.store.path(one.descriptor.digest).read_bytes() for one in built.image.layers))

    report = sample.look(built.image)

    assert len(report.layers) == 4
    assert {one.outcome for one in report.layers} == {"reproduced"}


def test_compiled_python_that_this_host_cannot_make_is_not_rebuilt(sample, one_bench, monkeypatch):
    def refuse(*_):
        raise CannotCompileError(AMD64, "this host has another processor")

    sample.put(sample.image)
    make = one_bench.make
    monkeypatch.setattr(
        one_bench, "make", lambda layer, kind: refuse() if layer.name == "python" else make(layer, kind)
    )

    verdict = sample.look(sample.image).layers[1]

    assert (verdict.outcome, len(verdict.reasons)) == ("not rebuilt", 1)
    assert "this host has another processor" in verdict.reasons[0]


def test_an_image_of_another_version_is_noted(sample):
    labels = {**sample.image.config.labels, "run.cog.version": "0.23.1+cog-oci.0.0.9"}
    image = replace(sample.image, config=replace(sample.image.config, labels=labels))
    sample.put(image)

    assert "made by cog-oci 0.0.9" in sample.look(image, project=False).notes[0]


def against(sample: Sample, image: Image, folder: Path, *blobs: bytes):
    other = write_layout(folder / "other", sample.shop.store, sample.image)
    sample.put(image, *blobs)
    with open_source(str(other)) as one, open_source(str(sample.layout)) as two:
        return compare_images(one.images()[0], one, two.images()[0], two)


def test_an_image_is_the_same_as_itself_in_another_envelope(tmp_path, sample):
    image, blob = sample.with_layer(1, sample.plain(1), "zstd")
    report = against(sample, image, tmp_path, blob)

    assert {one.outcome for one in report.layers} == {"the same"}
    assert report.is_good


def test_two_images_are_compared_by_their_members_and_fields(tmp_path, sample):
    plain = bytearray(sample.plain(2))
    at = plain.index(b"class Runner")
    plain[at] ^= 1
    image, blob = sample.with_layer(2, bytes(plain))
    config = replace(image.config, env={**image.config.env, "PATH": "/bin"})
    report = against(sample, replace(image, config=config), tmp_path, blob)

    assert [one.outcome for one in report.layers] == ["the same", "the same", "differs"]
    assert report.layers[2].reasons[0].startswith("/src/run.py: content byte ")
    assert any(problem.startswith('config: Env.PATH is "/bin" instead of "/opt/venv') for problem in report.problems)
    assert not report.is_good


def test_layers_that_one_image_lacks_are_named(tmp_path, sample):
    first, second, third = sample.image.layers
    added = LayerBlob("added", second.diff_id, second.descriptor, second.uncompressed_size)
    report = against(sample, replace(sample.image, layers=(first, second, added)), tmp_path)

    assert [(one.layer, one.outcome) for one in report.layers] == [
        (first.name, "the same"),
        (second.name, "the same"),
        (third.name, "differs"),
        ("added", "differs"),
    ]
    assert report.layers[2].reasons == ("the layer is missing",)
    assert report.layers[3].reasons == ("the layer is not expected",)


def test_a_blob_that_is_damaged_in_one_of_two_places_is_located_by_the_other(tmp_path, sample):
    layer = sample.image.layers[1]
    other = write_layout(tmp_path / "other", sample.shop.store, sample.image)
    file = other / "blobs/sha256" / layer.descriptor.digest[7:]
    good = file.read_bytes()
    at = len(good) // 2
    file.write_bytes(good[:at] + bytes([good[at] ^ 8]) + good[at + 1 :])
    sample.put(sample.image)

    with open_source(str(other)) as one, open_source(str(sample.layout)) as two:
        report = compare_images(two.images()[0], two, one.images()[0], one)

    assert report.layers[1].outcome == "damaged"
    assert report.layers[1].reasons[0].startswith(f"in {other}: its blob is not the one that the image names")
    assert report.layers[1].reasons[1].startswith(f"its blob differs at byte {at} of {len(good)}, in /opt/venv/")


def test_a_report_is_json_for_machines(sample):
    document = json.loads(json.dumps(sample.look().to_json()))

    assert document["good"] is True
    assert document["digest"] == sample.image.digest
    assert document["layers"][0] == {
        "name": "server",
        "diff_id": sample.image.layers[0].diff_id,
        "outcome": "reproduced",
        "reasons": [],
    }
