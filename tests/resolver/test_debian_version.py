"""The order of versions. Laws: it is total, `~` is less than the end, and leading zeros do not count."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.resolver._debian_version import holds, version_key
from tests.conftest import need

ASCENDING = [
    "0~~",
    "0~",
    "0",
    "0.1",
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0~bpo1",
    "1.0",
    "1.0-1~deb12u1",
    "1.0-1",
    "1.0-1+b2",
    "1.0-1+b10",
    "1.0-1.1",
    "1.0a",
    "1.0+dfsg",
    "1.0.0",
    "1.2-3-1",
    "1.10",
    "1:0.1",
    "2:0",
]
PARTS = st.text("0123456789abzAZ.+~", max_size=8)


@st.composite
def versions(draw):
    epoch = draw(st.sampled_from(["", "0:", "1:", "12:"]))
    revision = draw(st.sampled_from(["", "-"])) and "-" + draw(PARTS.filter(bool))
    return f"{epoch}{draw(st.integers(0, 30))}{draw(PARTS)}{revision}"


def test_versions_that_policy_and_practice_put_in_order():
    shuffled = random.Random(1).sample(ASCENDING, len(ASCENDING))

    assert sorted(shuffled, key=version_key) == ASCENDING
    assert len(set(map(version_key, ASCENDING))) == len(ASCENDING)


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "01.00"), ("1.0", "1.0-0"), ("0:1", "1"), ("1.", "1.0"), ("1.0-0", "1.0-")]
)
def test_two_ways_to_write_one_version(one, other):
    assert holds(one, "=", other)


@given(versions(), versions())
def test_of_two_versions_exactly_one_is_less_or_they_are_equal(one, other):
    assert [holds(one, "<<", other), holds(one, "=", other), holds(one, ">>", other)].count(True) == 1
    assert holds(one, "<<", other) == holds(other, ">>", one)
    assert holds(one, "<=", other) == (not holds(one, ">>", other))


@given(versions(), versions(), versions())
def test_less_is_transitive(one, two, three):
    low, middle, high = sorted([one, two, three], key=version_key)

    assert holds(low, "<=", middle)
    assert holds(middle, "<=", high)
    assert holds(low, "<=", high)


@given(versions())
def test_a_tilde_makes_less_of_a_version_and_anything_else_more(version):
    assert holds(version + "~", "<<", version)
    assert holds(version + "+b1", ">>", version)


@pytest.mark.oracle
def test_the_order_is_that_of_dpkg():
    need("dpkg")
    drawn = random.Random(20_260)
    alphabet = "0129az.+~"

    def version():
        epoch = drawn.choice(["", "", "0:", "2:"])
        upstream = drawn.choice("0123") + "".join(drawn.choices(alphabet, k=drawn.randint(0, 5)))
        revision = drawn.choice(["", "-" + "".join(drawn.choices(alphabet, k=drawn.randint(1, 4)))])
        return epoch + upstream + revision

    pairs = [(version(), version()) for _ in range(300)]
    pairs += [
        (one, drawn.choice([one + "~", one + "0", one + ".0", "0" + one])) for one, _ in pairs[:60] if ":" not in one
    ]
    for one, other in pairs:
        for relation, word in (("<<", "lt"), ("=", "eq")):
            answer = subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False).returncode == 0
            assert holds(one, relation, other) == answer, (one, word, other)
