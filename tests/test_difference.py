"""What differs: nothing between equals, the opposite the other way round, and all of it by name."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.contents import Contents, LayerContents, Member
from cog_oci.difference import (
    Installed,
    LayerChange,
    PackageChange,
    Placed,
    ValueChange,
    carried_locks,
    compare_configs,
    compare_files,
    compare_image_layers,
    compare_images,
    compare_locks,
    compare_packages,
    compare_sources,
)
from cog_oci.errors import CogError
from cog_oci.layers._tar import Entry
from cog_oci.lock import Deb, Interpreter, Lock, PlatformLock, RecordedLayer, Rendering, Requires, Wheel
from cog_oci.oci import Attachment, MediaType, sha256
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from tests.image_maker import Listed, made, member, of_tars, tar
from tests.transports.stored import NAME

AMD = "linux/amd64"


def wheel(name: str, version: str, size: int = 10, mark: str = "") -> Wheel:
    file = f"{name}-{version}-py3-none-any.whl"
    return Wheel(
        name=name, version=version, file=file, sha256=sha256((file + mark).encode())[7:], size=size, index="default"
    )


def deb(name: str, version: str, size: int = 10, layer: str = "base") -> Deb:
    return Deb(
        name=name,
        version=version,
        file=f"pool/{name}_{version}.deb",
        sha256=sha256(f"{name} {version}".encode())[7:],
        size=size,
        archive="debian",
        architecture="amd64",
        layer=layer,
    )


def lock(*packages: Wheel | Deb, as_of: str = "2026-01-01T00:00:00Z", **changes) -> Lock:
    parts = PlatformLock(
        inputs=changes.pop("inputs", {"cog.yaml": "sha256:1"}),
        interpreter=Interpreter(source="debian", suite="trixie", version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=tuple(sorted((one for one in packages if isinstance(one, Deb)), key=lambda one: one.name)),
        wheels=tuple(sorted((one for one in packages if isinstance(one, Wheel)), key=lambda one: one.name)),
        server=changes.pop("server", ()),
        **changes,
    )
    return Lock(as_of=as_of, platforms={"linux/amd64": parts})


packages = st.builds(wheel, st.sampled_from("abc"), st.sampled_from("12"), mark=st.sampled_from("xy"))
debs = st.builds(deb, st.sampled_from("abc"), st.sampled_from("12"), layer=st.sampled_from(["base", "system"]))
platform_locks = st.builds(
    lambda found, inputs, server, bytecode: lock(*found, inputs=inputs, server=server, bytecode=bytecode).platforms[
        AMD
    ],
    st.lists(packages | debs, max_size=3, unique_by=lambda one: (type(one), one.name)),
    st.dictionaries(st.sampled_from("pq"), st.sampled_from("12")),
    st.lists(packages, max_size=1).map(tuple),
    st.booleans(),
)
locks = st.builds(
    Lock,
    version=st.just(1),
    as_of=st.sampled_from("12"),
    platforms=st.dictionaries(st.sampled_from([AMD, "linux/arm64"]), platform_locks, min_size=1),
)


def swapped(change):
    return type(change)(
        **{**{name: getattr(change, name) for name in change.__slots__}, "before": change.after, "after": change.before}
    )


@settings(max_examples=30, deadline=None)
@given(locks)
def test_a_lock_does_not_differ_from_itself(one):
    assert compare_locks(one, one).equal


@settings(max_examples=60, deadline=None)
@given(locks, locks)
def test_the_other_way_round_is_the_opposite(one, other):
    there, back = compare_locks(one, other), compare_locks(other, one)

    assert there.equal == back.equal
    assert (there.added, there.removed) == (back.removed, back.added)
    for name, platform in there.platforms.items():
        assert [swapped(change) for change in platform.inputs] == list(back.platforms[name].inputs)
        assert [(c.kind, c.name, c.before, c.after, -c.size) for c in platform.packages] == [
            (c.kind, c.name, c.after, c.before, c.size) for c in back.platforms[name].packages
        ]
        assert (platform.before, platform.after) == (back.platforms[name].after, back.platforms[name].before)


@settings(max_examples=100, deadline=None)
@given(locks, locks)
def test_locks_are_equal_when_everything_in_them_is(one, other):
    assert compare_locks(one, other).equal == (one == other)


def test_packages_are_told_apart_by_what_became_of_them():
    before = lock(
        wheel("same", "1"), wheel("up", "1.9", 100), wheel("gone", "1", 7), wheel("again", "2", 5), deb("libc6", "1")
    )
    after = lock(
        wheel("same", "1"),
        wheel("up", "1.10", 150),
        wheel("new", "3", 9),
        wheel("again", "2", 6, "x"),
        deb("libc6", "2", 30),
    )

    found = compare_locks(before, after).platforms["linux/amd64"]

    assert found.packages == (
        PackageChange("debian", "libc6", "1", "2", 20),
        PackageChange("python", "again", "2", "2", 1),
        PackageChange("python", "gone", "1", None, -7),
        PackageChange("python", "new", None, "3", 9),
        PackageChange("python", "up", "1.9", "1.10", 50),
    )
    assert (found.before, found.after, found.new) == (10 + 100 + 7 + 5 + 10, 10 + 150 + 9 + 6 + 30, 150 + 9 + 6 + 30)


def test_a_package_of_the_server_is_not_one_of_the_models():
    found = compare_locks(lock(wheel("quart", "1")), lock(server=(wheel("quart", "1"),)))

    assert [(one.kind, one.before, one.after) for one in found.platforms["linux/amd64"].packages] == [
        ("python", "1", None),
        ("server", None, "1"),
    ]


def test_two_packages_of_one_name_are_paired_and_none_is_lost():
    before = [Installed("python", "x", "1", 5), Installed("python", "x", "2", 5), Installed("python", "x", "3", 5)]
    after = [Installed("python", "x", "2", 5), Installed("python", "x", "4", 5)]

    assert compare_packages(before, after) == (
        PackageChange("python", "x", "1", "4", 0),
        PackageChange("python", "x", "3", None, -5),
    )


def test_everything_else_that_a_lock_says_is_compared():
    before = lock(deb("git", "1", layer="base"), deb("gone", "1"), inputs={"a": "1", "b": "2"})
    after = lock(
        deb("git", "1", layer="system"), as_of="2026-02-02T00:00:00Z", inputs={"b": "3", "c": "4"}, bytecode=True
    )

    found = compare_locks(before, after)

    assert found.settings == (ValueChange("as_of", "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"),)
    platform = found.platforms["linux/amd64"]
    assert platform.inputs == (ValueChange("a", "1", None), ValueChange("b", "2", "3"), ValueChange("c", None, "4"))
    assert platform.settings == (
        ValueChange("bytecode", "false", "true"),
        ValueChange("debs.git.layer", "base", "system"),
    )


def test_what_a_gpu_image_requires_is_told_value_by_value():
    def requiring(cuda: str, driver: str) -> Lock:
        needs = Requires(cuda=cuda, driver=driver, driver_for_ptx="570.26", capabilities=("8.0", "9.0"))
        one = lock()
        return replace(one, platforms={name: replace(parts, requires=needs) for name, parts in one.platforms.items()})

    found = compare_locks(requiring("12.8", "525"), requiring("13.0", "580")).platforms["linux/amd64"]

    assert found.settings == (
        ValueChange("requires.cuda", "12.8", "13.0"),
        ValueChange("requires.driver", "525", "580"),
    )
    added = compare_locks(lock(), requiring("12.8", "525")).platforms["linux/amd64"].settings
    assert ValueChange("requires.driver", None, "525") in added
    assert ValueChange("requires.capabilities", None, '["8.0","9.0"]') in added


def test_the_record_of_layers_is_told_of_only_when_one_recipe_made_two():
    def recorded(recipe: str, diff: str) -> RecordedLayer:
        blobs = {"gzip": Rendering(made_by="x", digest=sha256(b"blob"), size=1)}
        return RecordedLayer(name="base", recipe=recipe * 64, diff_id=sha256(diff.encode()), size=1, blobs=blobs)

    none, one = lock(), lock(layers=(recorded("a", "1"),))

    assert compare_locks(none, one).equal
    assert compare_locks(one, lock(layers=(recorded("b", "2"),))).equal
    assert compare_locks(one, lock(layers=(recorded("a", "2"),))).platforms["linux/amd64"].settings == (
        ValueChange("layers.base", sha256(b"1"), sha256(b"2")),
    )


def test_platforms_that_only_one_lock_has_are_named():
    one = lock()
    both = replace(one, platforms={**one.platforms, "linux/arm64": one.platforms["linux/amd64"]})

    assert compare_locks(one, both).added == ("linux/arm64",)
    assert compare_locks(both, one).removed == ("linux/arm64",)
    assert not compare_locks(one, both).equal


def layered(store, *names: str, compression: str = "gzip"):
    """An image whose layers hold a file with the text after the colon."""
    pairs = [name.partition(":") for name in names]
    return made(
        store, *(Listed(name, [Entry.file("f", text * 200)]) for name, _, text in pairs), compression=compression
    ).stored()


def test_layers_are_followed_by_what_they_are_and_then_by_name(store):
    before = layered(store, "base:1", "a:2", "b:3", "c:4", "old:5")
    after = layered(store, "base:1", "b:3", "a:2", "c:44", "new:6")
    sizes = {layer.name: layer.descriptor.size for image in (before, after) for layer in image.layers}

    found = compare_image_layers(before, after)

    assert [(one.state, one.name) for one in found.layers] == [
        ("same", "base"),
        ("moved", "b"),
        ("same", "a"),
        ("changed", "c"),
        ("added", "new"),
        ("removed", "old"),
    ]
    assert found.layers[-1] == LayerChange("removed", "old", sizes["old"], None)
    assert found.to_move == sizes["c"] + sizes["new"] + len(after.config) + len(after.manifest)
    assert found.whole == sum(layer.descriptor.size for layer in after.layers) + len(after.config) + len(after.manifest)


def test_another_envelope_is_the_same_layer_and_has_to_move(store):
    before, after = layered(store, "base:1"), layered(store, "base:1", compression="zstd")

    found = compare_image_layers(before, after)

    assert [one.state for one in found.layers] == ["envelope"]
    assert found.to_move == after.layers[0].descriptor.size + len(after.manifest)
    assert compare_image_layers(before, before).to_move == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=6), st.lists(st.sampled_from("abcde"), max_size=6))
def test_every_layer_of_both_sides_is_told_of_once(before, after):
    from cog_oci.oci import Descriptor, DiffID, Platform, StoredImage, StoredLayer

    def image(letters):
        layers = tuple(
            StoredLayer(
                letter, DiffID(sha256(letter.encode())), Descriptor(MediaType.LAYER, sha256(letter.encode()), 1)
            )
            for letter in letters
        )
        return StoredImage(Platform("linux", "amd64"), Descriptor(MediaType.MANIFEST, sha256(b""), 0), b"", b"", layers)

    found = compare_image_layers(image(before), image(after)).layers

    assert [one.name for one in found if one.after is not None] == after
    assert sorted(one.name for one in found if one.before is not None) == sorted(before)
    assert {one.state for one in found} <= {"same", "moved", "added", "removed"}


def test_configurations_are_compared_value_by_value():
    before = {
        "architecture": "amd64",
        "rootfs": {"diff_ids": ["1"]},
        "config": {
            "Env": ["A=1", "B=2=3", "C="],
            "Cmd": ["x"],
            "Labels": {"l": "1", "m": "2"},
            "User": "",
            "Volumes": None,
        },
    }
    after = {
        "architecture": "arm64",
        "rootfs": {"diff_ids": ["2"]},
        "config": {
            "Env": ["A=1", "B=4", "D=5"],
            "Cmd": ["x", "y"],
            "Labels": {"l": "1", "n": "3"},
            "Healthcheck": {"Test": ["NONE"]},
        },
    }

    assert compare_configs(before, after) == (
        ValueChange("Cmd", '["x"]', '["x", "y"]'),
        ValueChange("Env.B", "2=3", "4"),
        ValueChange("Env.C", "", None),
        ValueChange("Env.D", None, "5"),
        ValueChange("Healthcheck.Test", None, '["NONE"]'),
        ValueChange("Labels.m", "2", None),
        ValueChange("Labels.n", None, "3"),
        ValueChange("architecture", "amd64", "arm64"),
    )
    assert compare_configs(before, before) == ()
    assert compare_configs({"config": None}, {}) == ()
    assert compare_configs({"config": {"Env": 5}}, {}) == (ValueChange("Env", "5", None),)


def test_another_order_of_variables_is_a_difference_and_a_new_variable_is_none_of_order():
    def having(*names: str) -> dict:
        return {"config": {"Env": [f"{name}=1" for name in names]}}

    assert compare_configs(having("A", "B"), having("B", "A")) == (ValueChange("Env", "A B", "B A"),)
    assert compare_configs(having("A", "B"), having("X", "A", "B")) == (ValueChange("Env.X", None, "1"),)


def contents(*members: Member) -> Contents:
    return Contents((LayerContents(members, 0, {}),))


def file(path: str = "f", **fields) -> Member:
    return Member(**{"path": path, "kind": "file", "mode": 0o644, "size": 1, "sha256": "1", **fields})


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (file(), file(sha256="2"), ("content",)),
        (file(), file(size=2, sha256="2"), ("content",)),
        (file(), file(mode=0o755), ("mode",)),
        (file(), file(uid=1), ("owner",)),
        (file(), file(gid=1), ("owner",)),
        (file(), file(attributes=(("a", "b"),)), ("attributes",)),
        (file(), file(sha256="2", mode=0o600, gid=3), ("content", "mode", "owner")),
        (file(), Member(path="f", kind="symlink", mode=0o777, target="x"), ("type",)),
        (file(), Member(path="f", kind="directory", mode=0o755), ("type", "mode")),
        (Member(path="f", kind="symlink", target="x"), Member(path="f", kind="symlink", target="y"), ("target",)),
        (Member(path="f", kind="symlink", mode=0o777), Member(path="f", kind="symlink", mode=0o755), ()),
        (
            Member(path="f", kind="character device", target="1:3"),
            Member(path="f", kind="character device", target="1:5"),
            ("target",),
        ),
        (file(), file(), ()),
    ],
)
def test_a_file_differs_in_what_it_differs_in(before, after, what):
    found = compare_files(contents(before), contents(after))

    assert [one.what for one in found.changes] == ([what] if what else [])
    assert found.touched == 0


def test_files_come_and_go_and_time_stamps_are_only_counted():
    found = compare_files(
        contents(file("a", size=5), file("b", mtime=1), file("c", mtime=1, sha256="9")),
        contents(file("b", mtime=2), file("c", mtime=2), file("d", size=7)),
    )

    assert [(one.path, one.before is None, one.after is None, one.size) for one in found.changes] == [
        ("a", False, True, -5),
        ("c", False, False, 0),
        ("d", True, False, 7),
    ]
    assert found.touched == 1


def test_a_hard_link_and_a_copy_are_the_same_file():
    link = Member(path="b", kind="hardlink", target="a")

    assert compare_files(contents(file("a"), link), contents(file("a"), file("b"))).changes == ()


def write(store, folder, *images, attached=()):
    path = folder / f"{len(list(folder.glob('*.tar')))}.tar"
    archive.write_file(path, Archive([one.stored() for one in images], NAME, attached), store)
    return str(path)


def carrying(store, folder, locked: Lock, *layers: Listed, architecture: str = "amd64"):
    """An image with its lock in it, as an archive."""
    data = locked.to_bytes()
    image = made(store, *layers, architecture=architecture, labels={"run.cog.lock": sha256(data)})
    attached = Attachment(image.descriptor, MediaType.LOCK, data).blobs
    return write(store, folder, image, attached=attached)


BASE = Listed("base", [Entry.file("etc/os", "os")])


def test_images_are_compared_as_a_container_sees_them(store, tmp_path):
    one = write(store, tmp_path, made(store, BASE, Listed("code", [Entry.file("src/run.py", "1")])))
    other = write(
        store,
        tmp_path,
        made(store, BASE, Listed("code", [Entry.file("src/run.py", "22"), Entry.file("etc/.wh.os", "")])),
    )

    with open_source(one) as before, open_source(other) as after:
        found = compare_sources(before, after)

    image = found.platforms["linux/amd64"]
    assert not found.equal
    assert [(change.path, change.what, change.size) for change in image.files.changes] == [
        ("etc/os", (), -2),
        ("src/run.py", ("content",), 1),
    ]
    assert [layer.state for layer in image.layers.layers] == ["same", "changed"]


def test_the_locks_that_both_images_carry_say_which_packages_they_have(store, tmp_path):
    one = carrying(store, tmp_path, lock(wheel("numpy", "1.0", 100)), BASE)
    other = carrying(store, tmp_path, lock(wheel("numpy", "2.0", 150), inputs={"cog.yaml": "sha256:2"}), BASE)

    with open_source(one) as before, open_source(other) as after:
        found = compare_sources(before, after).platforms["linux/amd64"]

    assert found.packages == (PackageChange("python", "numpy", "1.0", "2.0", 50),)
    assert found.lock.platforms["linux/amd64"].inputs == (ValueChange("cog.yaml", "sha256:1", "sha256:2"),)
    assert found.files.changes == ()


def site(version: str, size: int) -> Listed:
    info = f"s/numpy-{version}.dist-info"
    return Listed(
        "python",
        [Entry.file(f"{info}/RECORD", f"numpy.py,,\n{info[2:]}/RECORD,,\n"), Entry.file("s/numpy.py", "x" * size)],
    )


def test_without_locks_the_layers_say_which_packages_they_have(store, tmp_path):
    one = write(store, tmp_path, made(store, BASE, site("1.0", 50)))
    other = carrying(store, tmp_path, lock(), BASE, site("2.0", 80))

    with open_source(one) as before, open_source(other) as after:
        found = compare_sources(before, after).platforms["linux/amd64"]

    assert found.lock is None
    assert found.packages == (PackageChange("python", "numpy", "1.0", "2.0", 30),)
    assert {change.package for change in found.files.changes if change.path.startswith("s/numpy") and change.size} == {
        "numpy"
    }


def test_without_locks_and_without_looking_the_label_says_which_packages_they_have(store, tmp_path):
    one, other = (
        write(
            store,
            tmp_path,
            made(store, BASE, site(version, 1), labels={"run.cog.pip_freeze": f"Num_Py=={version}\n-e .\n"}),
        )
        for version in ("1.0", "2.0")
    )

    with open_source(one) as before, open_source(other) as after:
        found = compare_sources(before, after, files=False).platforms["linux/amd64"]

    assert found.files is None
    assert found.packages == (PackageChange("python", "num-py", "1.0", "2.0", 0),)


class Guarded:
    """A place whose layers must not be read."""

    name = "guarded"
    reference = None

    def __init__(self, *images) -> None:
        self._images = list(images)

    def images(self):
        return self._images

    def find(self, digest):
        return None

    def attached(self, image, artifact_type):
        return []

    def blob(self, descriptor):
        raise AssertionError("a layer was read")


def test_no_layer_is_read_when_all_are_the_same_or_nobody_asks(store):
    one = made(store, BASE, env={"A": "1"}).stored()
    other = made(store, BASE, env={"A": "2"}).stored()
    third = made(store, site("1", 1)).stored()

    found = compare_images(Placed(Guarded(), one), Placed(Guarded(), other))
    quick = compare_images(Placed(Guarded(), one), Placed(Guarded(), third), files=False)

    assert found.config == (ValueChange("Env.A", "1", "2"),)
    assert found.files.changes == ()
    assert not found.equal
    assert quick.files is None


def test_an_image_in_another_envelope_is_equal(store):
    one, other = (made(store, BASE, compression=envelope).stored() for envelope in ("gzip", "zstd"))

    found = compare_sources(Guarded(one), Guarded(other))

    assert found.equal
    assert found.platforms["linux/amd64"].layers.to_move > 0


def test_platforms_are_paired_and_two_single_images_always_are(store):
    amd, arm = (made(store, BASE, architecture=architecture).stored() for architecture in ("amd64", "arm64"))

    several = compare_sources(Guarded(amd, arm), Guarded(arm))
    single = compare_sources(Guarded(amd), Guarded(arm))

    assert (several.added, several.removed, list(several.platforms)) == ((), ("linux/amd64",), ["linux/arm64"])
    assert not several.equal
    assert list(single.platforms) == ["linux/amd64 → linux/arm64"]
    assert single.platforms["linux/amd64 → linux/arm64"].config == (ValueChange("architecture", "amd64", "arm64"),)


def test_the_lock_of_an_image_can_be_had_and_its_absence_is_said(store, tmp_path):
    locked = lock(wheel("numpy", "1.0"))

    with open_source(carrying(store, tmp_path, locked, BASE)) as source:
        assert carried_locks(source) == locked
    with (
        open_source(write(store, tmp_path, made(store, BASE))) as source,
        pytest.raises(CogError, match="does not carry the lock that it was made from"),
    ):
        carried_locks(source)


def test_images_of_others_are_compared_too(store, tmp_path):
    one = of_tars(
        store, tar(member("./f", b"1", uid=0), member("dev/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3))
    )
    other = of_tars(
        store,
        tar(member("f", b"1", uid=5, mtime=3), member("./dev/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    )

    paths = [write(store, tmp_path, image) for image in (one, other)]
    with open_source(paths[0]) as before, open_source(paths[1]) as after:
        found = compare_sources(before, after).platforms["linux/amd64"]

    assert [(change.path, change.what) for change in found.files.changes] == [("f", ("owner",))]
