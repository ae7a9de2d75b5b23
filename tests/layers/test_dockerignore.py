"""`.dockerignore`, pattern by pattern; tests/images/test_dockerignore_oracle.py asks Docker the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cog_oci.errors import SourceError
from cog_oci.layers._dockerignore import Ignore, Verdict
from cog_oci.layers._project_files import project_files
from tests.layers.ignore_files import KEPT, LEFT_OUT, MISTAKEN, REFUSED, TREE


def write_tree(folder):
    for path in TREE:
        if path.endswith("/"):
            (folder / path).mkdir()
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(path)


def above(path: str) -> set[str]:
    parts = path.rstrip("/").split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}


EVERYTHING = {parent for path in TREE for parent in above(path)}


def expected(text: str) -> set[str]:
    """The paths that an ignore file of the tables leaves in the tree."""
    if text in LEFT_OUT:
        return {
            path
            for path in EVERYTHING
            if not any(
                path == out.rstrip("/") or (out.endswith("/") and path.startswith(out)) for out in LEFT_OUT[text]
            )
        }
    kept = {path for path in EVERYTHING for one in KEPT[text] if one.endswith("/") and path.startswith(one)}
    return kept.union(*map(above, KEPT[text]))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    write_tree(folder)
    return folder


@pytest.mark.parametrize("text", [*LEFT_OUT, *KEPT])
def test_an_ignore_file_means_what_it_means_to_docker(tree, text):
    (tree / ".dockerignore").write_text(text, newline="")

    assert {entry.path.removeprefix("src/") for entry in project_files(tree)} - {"src"} == expected(text)


@pytest.mark.parametrize(("text", "message"), [*REFUSED.items(), *MISTAKEN.items()])
def test_a_pattern_that_cannot_be_meant_is_refused(text, message):
    with pytest.raises(SourceError) as caught:
        Ignore(f"*.md\n {text}\n")

    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 2)
    assert problem.message == f"{text!r}: {message}"


def test_every_mistake_is_told():
    with pytest.raises(SourceError) as caught:
        Ignore("a\n!\n# [\n[b\n")

    assert [problem.line for problem in caught.value.problems] == [2, 4]


names = st.text("ab.*?[]!\\# ", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
pieces = st.sampled_from(["a", "b", "a*", "?", "*", "**", "[ab]", "!", "a/", "/", "b/", "**/"])
patterns = st.lists(pieces, min_size=1, max_size=5).map("".join)
ignore_files = st.lists(patterns, max_size=5).map("\n".join)


def read(text: str) -> Ignore:
    try:
        return Ignore(text)
    except SourceError:
        assume(False)
        raise


def verdict(ignore: Ignore, path: str) -> Verdict:
    parts = path.split("/")
    found = None
    for count in range(1, len(parts) + 1):
        found = ignore.judge("/".join(parts[:count]), found)
    return found


@given(ignore_files, paths, st.lists(names, min_size=1, max_size=2))
def test_nothing_is_wanted_below_a_folder_that_is_not_looked_into(text, folder, rest):
    ignore = read(text)
    assume(verdict(ignore, folder).excluded and not ignore.may_keep_below(folder))

    assert verdict(ignore, "/".join([folder, *rest])).excluded


@given(ignore_files, paths)
def test_without_exceptions_the_order_of_patterns_does_not_matter(text, path):
    lines = text.replace("!", "").split("\n")

    assert verdict(read("\n".join(lines)), path).excluded == verdict(read("\n".join(lines[::-1])), path).excluded


@given(ignore_files, paths)
def test_blank_lines_comments_and_blanks_around_say_nothing(text, path):
    noisy = "\ufeff# b\n\n" + "\r\n".join(f" {line}\t\n \n# a" for line in text.split("\n"))

    assert verdict(read(noisy), path).excluded == verdict(read(text), path).excluded


@given(paths, paths)
def test_a_name_with_a_backslash_before_every_sign_is_that_name_alone(named, path):
    assume(named.strip() == named and not named.startswith("/"))
    ignore = read(re.sub(r"([^\w/.])", r"\\\1", named))

    assert verdict(ignore, path).excluded == (path == named or path.startswith(named + "/"))


@given(ignore_files, paths)
def test_the_last_word_decides(text, path):
    assert not verdict(read(f"{text}\n!**"), path).excluded
    assert verdict(read(f"{text}\n**"), path).excluded
