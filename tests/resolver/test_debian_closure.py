"""What has to be installed together. Laws over small universes: a closure is closed, free of conflicts, no larger than its
reasons, the same in any order of the demands; and where there is none, no set of packages would do.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.resolver._deb822 import Relation, parse_relations
from cog_oci.resolver._debian_closure import Demand, solve
from cog_oci.resolver._debian_index import PackageIndex
from cog_oci.resolver._debian_reasons import UnsatisfiableError
from tests.resolver.debian_archive import paragraph


def index_of(*paragraphs):
    index = PackageIndex("amd64")
    index.add("debian", "".join(paragraphs).encode())
    return index


def closure_of(index, *names, recommending=(), **settings):
    demands = [
        Demand(group[0], "cog.yaml", name in recommending) for name in names for group in parse_relations(name, "amd64")
    ]
    return solve(index, demands, **settings)


def chosen(index, *names, **settings):
    return {name: package.version for name, package in closure_of(index, *names, **settings).packages.items()}


def test_what_is_depended_on_comes_along_and_knows_who_needs_it():
    index = index_of(paragraph("a", depends="b", pre_depends="c (>= 1)"), paragraph("b", depends="c"), paragraph("c"))

    closure = closure_of(index, "a")

    assert list(closure.packages) == ["a", "b", "c"]
    assert closure.needed_by == {"a": ("cog.yaml",), "b": ("a",), "c": ("a", "b")}


def test_recommended_and_essential_packages_stay_out():
    index = index_of(paragraph("a", recommends="b"), paragraph("b"), paragraph("dpkg", essential="yes"))

    assert chosen(index, "a") == {"a": "1.0"}


def test_what_is_recommended_comes_along_where_it_is_asked_for_and_by_whatever_that_brings():
    index = index_of(
        paragraph("a", depends="b", recommends="c | e, gone"),
        paragraph("b", recommends="d (>= 1)"),
        *(paragraph(name) for name in "cdeg"),
        paragraph("f", recommends="g"),
    )

    closure = closure_of(index, "a", "f", recommending=["a"])

    assert list(closure.packages) == ["a", "b", "c", "d", "f"]
    assert closure.needed_by["c"] == ("a",)
    assert closure.needed_by["d"] == ("b",)


def test_what_is_recommended_and_does_not_fit_is_left_out():
    index = index_of(
        paragraph("a", recommends="b, c (>= 2), d"),
        paragraph("b", depends="gone"),
        paragraph("c", "1"),
        paragraph("d", conflicts="e"),
        paragraph("e"),
    )

    assert set(chosen(index, "a", "e", recommending=["a"])) == {"a", "e"}
    assert set(chosen(index, "a", recommending=["a"])) == {"a", "d"}


def test_what_is_kept_brings_no_recommendations():
    index = index_of(paragraph("base", recommends="extra"), paragraph("a", depends="base"), paragraph("extra"))
    base = closure_of(index, "base").packages

    assert set(chosen(index, "a", recommending=["a"], kept=base)) == {"a", "base"}
    assert set(chosen(index, "a", recommending=["a"])) == {"a", "base", "extra"}


def test_what_only_one_version_recommends_comes_with_that_version():
    index = index_of(paragraph("a", "1", recommends="b"), paragraph("a", "2", recommends="c"), *map(paragraph, "bc"))

    assert set(chosen(index, "a", recommending=["a"])) == {"a", "c"}
    assert set(chosen(index, "a (= 1)", recommending=["a (= 1)"])) == {"a", "b"}


def test_what_is_depended_on_beforehand_is_as_needed_as_all_else():
    index = index_of(paragraph("a", pre_depends="b (>= 2)"), paragraph("b", "1"))

    with pytest.raises(UnsatisfiableError, match=r"a 1.0 needs b \(>= 2\), and there is only b 1"):
        closure_of(index, "a")


def test_to_replace_files_of_a_package_is_not_to_refuse_it():
    index = index_of(paragraph("a", replaces="b"), paragraph("b"))

    assert set(chosen(index, "a", "b")) == {"a", "b"}


@pytest.mark.parametrize("multi_arch", ["no", "same", "foreign", "allowed"])
def test_a_dependency_on_ones_own_architecture_is_met_however_a_package_stands_to_others(multi_arch):
    index = index_of(
        paragraph("a", depends="b, b:amd64, c"),
        paragraph("b", multi_arch=multi_arch),
        paragraph("c", architecture="all"),
    )

    assert set(chosen(index, "a")) == {"a", "b", "c"}


def test_a_dependency_on_another_architecture_is_met_by_nobody():
    index = index_of(paragraph("a", depends="b:arm64"), paragraph("b", multi_arch="foreign"))

    with pytest.raises(UnsatisfiableError, match=r"a 1.0 needs b:arm64"):
        closure_of(index, "a")


def test_the_highest_version_wins_whatever_the_order_of_the_suites():
    index = index_of(paragraph("a", "1.9"), paragraph("a", "1.10"), paragraph("a", "1.10~rc1"))

    assert chosen(index, "a") == {"a": "1.10"}
    assert chosen(index, "a (<< 1.10)") == {"a": "1.10~rc1"}


def test_a_lower_version_is_taken_where_the_highest_does_not_fit():
    index = index_of(
        paragraph("a", depends="b (= 1)"), paragraph("b", "2"), paragraph("b", "1"), paragraph("c", depends="b")
    )

    assert chosen(index, "c", "a") == {"a": "1.0", "b": "1", "c": "1.0"}


def test_a_preferred_version_is_taken_before_the_highest_as_long_as_it_fits():
    index = index_of(
        paragraph("a", "2", depends="b"), paragraph("b", "1"), paragraph("b", "2"), paragraph("c", depends="b (>= 2)")
    )
    rank = {"1": 0}

    assert chosen(index, "a", rank=lambda package: rank.get(package.version, 1))["b"] == "1"
    assert chosen(index, "a", "c", rank=lambda package: rank.get(package.version, 1))["b"] == "2"


def test_the_first_alternative_that_exists_is_taken():
    index = index_of(paragraph("a", depends="gone | b | c"), paragraph("b"), paragraph("c"))

    assert chosen(index, "a") == {"a": "1.0", "b": "1.0"}


def test_an_alternative_that_is_there_already_is_taken_before_the_first():
    index = index_of(
        paragraph("a", depends="x, b | c"), paragraph("b"), paragraph("c"), paragraph("x", depends="y"),
        paragraph("y", depends="c"),
    )  # fmt: skip

    assert set(chosen(index, "a")) == {"a", "c", "x", "y"}


def test_what_comes_later_does_not_change_an_alternative_as_in_apt():
    index = index_of(paragraph("a", depends="b | c, x"), paragraph("b"), paragraph("c"), paragraph("x", depends="c"))

    assert set(chosen(index, "a")) == {"a", "b", "c", "x"}


def test_what_is_asked_for_counts_as_there_already():
    index = index_of(paragraph("a", depends="b | z"), paragraph("b"), paragraph("z"))

    assert set(chosen(index, "a", "z")) == {"a", "z"}


def test_of_several_providers_the_more_important_then_the_last_listed_is_taken_as_in_apt():
    providers = [paragraph(name, provides="v") for name in ("p", "r", "q")]
    important = paragraph("o", provides="v", priority="important")

    assert set(chosen(index_of(paragraph("a", depends="v"), *providers), "a")) == {"a", "q"}
    assert set(chosen(index_of(paragraph("a", depends="v"), important, *providers), "a")) == {"a", "o"}


def test_the_real_package_comes_before_those_that_provide_its_name():
    index = index_of(
        paragraph("a", depends="mta"), paragraph("abc", provides="mta", priority="required"), paragraph("mta")
    )

    assert set(chosen(index, "a")) == {"a", "mta"}


def test_a_provided_name_meets_a_versioned_relation_only_with_a_version_of_its_own():
    index = index_of(
        paragraph("a", depends="v (>= 2)"),
        paragraph("bare", "9", provides="v"),
        paragraph("low", provides="v (= 1)"),
        paragraph("right", provides="v (= 2)"),
    )

    assert set(chosen(index, "a")) == {"a", "right"}


def test_any_architecture_is_met_only_by_who_allows_it():
    index = index_of(
        paragraph("a", depends="python3:any"), paragraph("b", depends="c:any"), paragraph("c", multi_arch="foreign"),
        paragraph("python3", multi_arch="allowed"),
    )  # fmt: skip

    assert set(chosen(index, "a")) == {"a", "python3"}
    with pytest.raises(UnsatisfiableError):
        closure_of(index, "b")


def test_a_package_that_provides_and_refuses_a_name_does_not_refuse_itself():
    index = index_of(
        *(paragraph(name, provides="mta", conflicts="mta", replaces="mta") for name in ("exim", "postfix"))
    )

    assert set(chosen(index, "exim")) == {"exim"}
    with pytest.raises(UnsatisfiableError) as caught:
        closure_of(index, "exim", "postfix")
    assert caught.value.reasons == (
        "cog.yaml needs exim",
        "cog.yaml → postfix 1.0 refuses mta, which exim provides",
    )


def test_an_alternative_that_conflicts_is_left_for_the_next():
    index = index_of(paragraph("a", depends="b | c"), paragraph("b", breaks="d (<< 2)"), paragraph("c"), paragraph("d"))

    assert set(chosen(index, "a", "d")) == {"a", "c", "d"}


def test_a_break_of_old_versions_leaves_the_new_one_alone():
    index = index_of(paragraph("a", breaks="b (<< 2)"), paragraph("b", "1"), paragraph("b", "2"))

    assert chosen(index, "a", "b")["b"] == "2"


def test_a_choice_of_what_is_kept_stays_as_it_was():
    packages = [paragraph("a", depends="b | c"), paragraph("b"), paragraph("c"), paragraph("d", conflicts="b")]
    index = index_of(*packages)
    alone = closure_of(index, "a")

    assert set(chosen(index, "a", "c", kept=alone.packages)) == {"a", "b", "c"}
    assert set(chosen(index, "a", "d", kept=alone.packages)) == {"a", "c", "d"}


def test_the_chain_of_reasons_goes_from_who_asked_to_what_is_missing():
    index = index_of(paragraph("a", depends="b"), paragraph("b", "2", depends="c (>= 3) | d"), paragraph("c", "1"))

    with pytest.raises(UnsatisfiableError) as caught:
        closure_of(index, "a")

    assert caught.value.reasons == ("cog.yaml → a 1.0 → b 2 needs c (>= 3) | d, and there is only c 1",)
    assert "do not go together" in str(caught.value)


def test_a_long_chain_of_packages_is_no_deeper_than_a_short_one():
    chain = [paragraph(f"p{n}", depends=f"p{n + 1}") for n in range(1100)]  # Python gives up at 1000

    assert len(chosen(index_of(*chain, paragraph("p1100", depends="p0")), "p0")) == 1101


NAMES = "abcdef"
# Made once, and each relation is one draw: most of the time of these laws goes into drawing.
RELATED = st.sampled_from(
    [name + version for name in (*NAMES, "v", "w") for version in ("", "", "", " (>= 2)", " (<< 2)", " (= 1)")]
)
GROUPS = st.lists(st.lists(RELATED, min_size=1, max_size=3), max_size=2)
FIELDS = {
    "depends": GROUPS,
    "provides": st.lists(st.sampled_from(["v", "w", "v (= 2)", "w (= 1)"]), max_size=2, unique=True),
    "conflicts": st.lists(RELATED, max_size=1),
    "recommends": GROUPS,
    "breaks": st.lists(RELATED, max_size=1),
}
VERSIONS = st.sampled_from([(), ("1",), ("2",), ("1", "2")])
DEMANDS = st.lists(RELATED, min_size=1, max_size=3, unique=True)


@st.composite
def universes(draw):
    """(paragraphs, demands): up to six names in two versions, two virtual names, and every kind of relation."""
    paragraphs = []
    for name in NAMES:
        for version in draw(VERSIONS):
            fields = {key: draw(strategy) for key, strategy in FIELDS.items()}
            texts = {
                key: ", ".join(one if isinstance(one, str) else " | ".join(one) for one in value)
                for key, value in fields.items()
                if value
            }
            paragraphs.append(paragraph(name, version, **texts))
    return paragraphs, draw(DEMANDS)


def fits(index, packages, demands):
    """Whether this set meets every demand and dependency, one version a name, and nothing in it is refused."""
    groups = [(Relation(*demand),) for demand in demands] + [group for one in packages for group in one.depends]
    return all(any(one.meets(each, "amd64") for each in group for one in packages) for group in groups) and not any(
        other.name != one.name and other.meets(refused, "amd64")
        for one in packages
        for refused in one.conflicts
        for other in packages
    )


@settings(max_examples=300, deadline=None)
@given(universes(), st.randoms(use_true_random=False))
def test_a_closure_fits_and_is_the_same_in_any_order_of_demands(universe, shuffler):
    paragraphs, names = universe
    index = index_of(*paragraphs)
    demands = [group[0] for name in names for group in parse_relations(name, "amd64")]
    try:
        closure = closure_of(index, *names)
    except UnsatisfiableError as error:
        closure, reasons = None, error.reasons
        versions = [[None, *index.versions(name)] for name in NAMES]
        everything = ([one for one in some if one] for some in itertools.product(*versions))
        assert not any(fits(index, some, demands) for some in everything), reasons
    else:
        assert fits(index, closure.packages.values(), demands)
        assert all(needing for needing in closure.needed_by.values())

    shuffler.shuffle(names)
    again = index_of(*paragraphs)
    if closure is None:
        with pytest.raises(UnsatisfiableError) as caught:
            closure_of(again, *names)
        assert caught.value.reasons == reasons
    else:
        assert {name: str(package) for name, package in closure_of(again, *names).packages.items()} == {
            name: str(package) for name, package in closure.packages.items()
        }


@settings(max_examples=100, deadline=None)
@given(universes())
def test_recommendations_are_never_in_the_way(universe):
    paragraphs, names = universe
    index = index_of(*paragraphs)
    try:
        closure_of(index, *names)
    except UnsatisfiableError:
        with pytest.raises(UnsatisfiableError):
            closure_of(index, *names, recommending=names)
        return

    closure = closure_of(index, *names, recommending=names[:1])

    demands = [group[0] for name in names for group in parse_relations(name, "amd64")]
    assert fits(index, closure.packages.values(), demands)
    assert {name: str(one) for name, one in closure.packages.items()} == {
        name: str(one) for name, one in closure_of(index, *names[::-1], recommending=names[:1]).packages.items()
    }
