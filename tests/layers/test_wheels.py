"""Which wheel is in which layer: few layers, no blob too large, and a change that moves only its own."""

from __future__ import annotations

import tarfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.blobs import open_plain
from cog_oci.layers import realise, wheels
from cog_oci.layers.wheels import group
from cog_oci.lock import Wheel
from tests.conftest import keep_wheel, make_wheel

names = st.from_regex(r"[a-z]{2,8}(-[a-z]{1,5})?", fullmatch=True)
sizes = st.one_of(st.integers(0, 3 << 20), st.integers(0, 3 << 30))


def wheel(name: str, size: int) -> Wheel:
    return Wheel(name=name, version="1", file=f"{name}-1-py3-none-any.whl", sha256="0" * 64, size=size, index="x")


def locked(packages: dict[str, int]) -> tuple[Wheel, ...]:
    return tuple(wheel(name, size) for name, size in sorted(packages.items()))


def grouped(packages: dict[str, int]):
    return group("3.13", "/usr/bin/python3.13", locked(packages))


@given(st.dictionaries(names, sizes, max_size=60))
def test_every_wheel_is_in_one_layer_or_whole_in_its_parts(packages):
    layers = grouped(packages)

    found = [(one.name, layer.part) for layer in layers for one in layer.wheels]
    assert sorted(name for name, (part, _) in found if part == 1) == sorted(packages)
    for name in packages:
        parts = [part for other, part in found if other == name]
        assert parts == [(number, len(parts)) for number in range(1, len(parts) + 1)]
    assert [layer.skeleton for layer in layers] == [False] * (len(layers) - 1) + [True]
    assert len({layer.name for layer in layers}) == len(layers)


@given(st.dictionaries(names, st.integers(0, 1 << 20), min_size=1, max_size=80), names, st.integers(0, 1 << 20))
def test_a_small_wheel_that_comes_or_goes_moves_no_other(packages, name, size):
    more = {**packages, name: size}
    before = {one.name: layer.number for layer in grouped(packages) for one in layer.wheels}
    after = {one.name: layer.number for layer in grouped(more) for one in layer.wheels}

    # As long as the number of groups stays: it goes by their size, and these stay far below the next step.
    if max(after.values()) == max(before.values()):
        assert {key: value for key, value in after.items() if key in before and key != name} == {
            key: value for key, value in before.items() if key != name
        }


def test_an_image_of_hundreds_of_wheels_has_few_layers():
    layers = grouped({f"package-{number}": number << 17 for number in range(400)})

    assert len(layers) <= 12 + 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=4000), min_size=1, max_size=30), st.integers(2, 5))
def test_a_wheel_in_parts_is_the_whole_wheel_and_no_part_is_much_larger_than_its_share(tmp_path_factory, files, count):
    from cog_oci.store import Store

    folder = tmp_path_factory.mktemp("parts")
    store = Store(folder / "store")
    one = keep_wheel(store, make_wheel(folder, "demo", {f"demo/f{n}": data for n, data in enumerate(files)}))

    def paths(layer) -> set[str]:
        blob = realise(layer, store)
        with (
            store.path(blob.descriptor.digest).open("rb") as file,
            tarfile.open(fileobj=open_plain(file, blob.descriptor.media_type), mode="r|") as tar,
        ):
            return {member.name for member in tar if member.isfile()}

    whole = paths(wheels.WheelLayer("3.13", "/usr/bin/python3.13", (one,)))
    parts = [
        paths(wheels.WheelLayer("3.13", "/usr/bin/python3.13", (one,), part=(number, count)))
        for number in range(1, count + 1)
    ]

    assert set().union(*parts) == whole
    assert sum(map(len, parts)) == len(whole)


def test_a_wheel_of_several_gigabytes_is_in_several_blobs():
    (first, second, third, _) = grouped({"huge": (2 << 30) + 1})

    assert [layer.name for layer in (first, second, third)] == ["python huge 1/3", "python huge 2/3", "python huge 3/3"]
    assert len({layer.recipe for layer in (first, second, third)}) == 3
