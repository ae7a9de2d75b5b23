"""Who asked for what: chains that end at a root, and a tree in which each package is opened once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.reasons import Reasons
from tests.test_difference import AMD, deb, lock, wheel


def asked(package, *by: str):
    return replace(package, needed_by=by)


PARTS = lock(
    asked(wheel("torch", "2.5"), "cog.yaml", "vision"),
    asked(wheel("vision", "0.2"), "cog.yaml"),
    asked(wheel("numpy", "2"), "torch", "vision"),
    asked(deb("libc6", "1"), "bash"),
    asked(deb("bash", "5"), "base"),
    server=(wheel("quart", "1"),),
).platforms[AMD]


def test_each_that_asked_is_shown_with_its_way_to_a_root_roots_first():
    reasons = Reasons(PARTS)

    assert reasons.chains(reasons.find("torch")[0]) == [("cog.yaml",), ("vision", "cog.yaml")]
    assert reasons.chains(reasons.find("numpy")[0]) == [("torch", "cog.yaml"), ("vision", "cog.yaml")]
    assert reasons.chains(reasons.find("libc6")[0]) == [("bash", "base")]
    assert reasons.chains(reasons.find("quart")[0]) == [("the server",)]


def test_a_python_package_is_found_in_any_spelling():
    assert [one.artifact.name for one in Reasons(PARTS).find("NumPy")] == ["numpy"]
    assert Reasons(PARTS).find("LIBC6") == []


def test_the_tree_opens_each_package_once():
    rows = [(depth, name, known) for depth, name, _, known in Reasons(PARTS).tree("python")]

    assert rows == [
        (0, "cog.yaml", False),
        (1, "torch", False),
        (2, "numpy", False),
        (1, "vision", False),
        (2, "numpy", False),
        (2, "torch", True),
    ]


BUILT = replace(
    PARTS,
    builders=(
        asked(wheel("numpy", "1"), "torch", "vision"),
        asked(wheel("setuptools", "70"), "torch"),
        asked(wheel("setuptools", "80"), "vision"),
    ),
)


def test_what_packages_are_built_with_is_found_in_every_version_with_the_way_from_what_it_builds():
    reasons = Reasons(BUILT)

    assert [str(one) for one in reasons.find("setuptools")] == ["setuptools 70", "setuptools 80"]
    assert "setuptools" in reasons.names()
    package, builder = reasons.find("numpy")
    assert (package.kind, builder.kind) == ("python", "builder")
    assert reasons.chains(builder) == [("torch", "cog.yaml"), ("vision", "cog.yaml")]
    assert reasons.chains(package) == Reasons(PARTS).chains(package)


def test_the_tree_of_builders_has_each_below_everything_that_it_builds():
    rows = [(depth, str(package or name), known) for depth, name, package, known in Reasons(BUILT).tree("builder")]

    assert rows == [
        (0, "torch", False),
        (1, "numpy 1", False),
        (1, "setuptools 70", False),
        (0, "vision", False),
        (1, "numpy 1", False),
        (1, "setuptools 80", False),
    ]
    assert not list(Reasons(PARTS).tree("builder"))


names = st.sampled_from(["a", "b", "c", "d"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.lists(names | st.just("cog.yaml"), max_size=3), min_size=1))
def test_whoever_needs_whom_every_chain_ends_and_the_tree_has_all_that_cog_yaml_reaches(graph):
    known = {name: [one for one in by if one == "cog.yaml" or one in graph] for name, by in graph.items()}
    reasons = Reasons(lock(*(asked(wheel(name, "1"), *by) for name, by in known.items())).platforms[AMD])

    reached, waiting = set(), ["cog.yaml"]
    while waiting:
        below = waiting.pop()
        waiting += [name for name, by in known.items() if below in by and name not in reached]
        reached |= {name for name, by in known.items() if below in by}

    assert {name for _, name, package, _ in reasons.tree("python") if package} == reached
    for name in reached:
        assert any(chain[-1] == "cog.yaml" for chain in reasons.chains(reasons.find(name)[0]))
