"""Paragraphs and relations, as Debian writes them and as people do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.resolver._deb822 import Relation, at_blank_lines, field_of, paragraphs, parse_fields, parse_relations


def relations(text, architecture="amd64"):
    return parse_relations(text, architecture)


def test_groups_of_alternatives_with_versions():
    assert relations("libc6 (>= 2.38), default-mta | mail-transport-agent,a(<<1:2~rc1)") == (
        (Relation("libc6", ">=", "2.38"),),
        (Relation("default-mta"), Relation("mail-transport-agent")),
        (Relation("a", "<<", "1:2~rc1"),),
    )


def test_a_qualifier_belongs_to_its_alternative():
    assert relations("python3:any (>= 3.7~), perl:native") == (
        (Relation("python3", ">=", "3.7~", "any"),),
        (Relation("perl", qualifier="native"),),
    )


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("a [amd64]", True),
        ("a [arm64 armhf]", False),
        ("a [!arm64]", True),
        ("a [!amd64 !i386]", False),
        ("a [linux-any]", True),
        ("a [any-amd64]", True),
        ("a [hurd-any]", False),
        ("a <!nocheck>", True),
        ("a <cross>", False),
        ("a <stage1 !nodoc> <!cross>", True),
        ("a [amd64] <nocheck>", False),
    ],
)
def test_a_relation_counts_where_its_restrictions_hold(text, counts):
    assert relations(text) == (((Relation("a"),),) if counts else ())


def test_only_the_alternative_that_does_not_count_is_left_out():
    assert relations("a [arm64] | b") == ((Relation("b"),),)
    assert relations("a [arm64] | b", "arm64") == ((Relation("a"), Relation("b")),)


@pytest.mark.parametrize("text", ["a (> )", "a b", "a (1.0)", "(>= 1)", "a (>= 1", "a, | b"])
def test_what_is_no_relation_is_refused(text):
    with pytest.raises(ValueError, match="is not a relation between packages"):
        relations(text)


@given(
    st.builds(
        Relation,
        st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True),
        st.sampled_from(["<<", "<=", "=", ">=", ">>"]),
        st.from_regex(r"[0-9][A-Za-z0-9.+:~-]{0,8}", fullmatch=True),
        st.sampled_from([None, "any", "native"]),
    )
)
def test_a_relation_reads_as_it_is_written(relation):
    assert relations(str(relation)) == ((relation,),)


def test_fields_that_go_on_and_names_in_any_case():
    text = b"package: a\nDescription: short\n long\n .\n more\n# a comment\nSHA256: 00\n"

    assert parse_fields(text) == {"package": "a", "description": "short\nlong\n.\nmore", "sha256": "00"}


def test_one_field_is_found_wherever_it_stands():
    text = b"Package: a\nProvides: b (= 1), c\nX-Package: no\nVersion: 1"

    assert field_of(text, b"Package") == b"a"
    assert field_of(text, b"Provides") == b"b (= 1), c"
    assert field_of(text, b"Version") == b"1"
    assert field_of(text, b"Depends") is None


@given(st.lists(st.text("A: \n", max_size=4), max_size=12).map(lambda pieces: [piece.encode() for piece in pieces]))
def test_a_file_that_comes_in_pieces_has_the_same_paragraphs(pieces):
    whole = list(at_blank_lines(pieces))

    assert b"".join(whole) == b"".join(pieces)
    assert [row for piece in whole for row in paragraphs(piece)] == paragraphs(b"".join(pieces))


def test_paragraphs_end_at_blank_lines():
    assert paragraphs(b"A: 1\nB: 2\n\nA: 3\n\n\n") == [b"A: 1\nB: 2", b"A: 3"]
