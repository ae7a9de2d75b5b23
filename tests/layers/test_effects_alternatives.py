"""Alternatives are those that update-alternatives makes, links and records alike."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.layers._effects.alternatives import Choice, parse_call
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, lay_out

AWK = """#!/bin/sh
set -e
if [ "$1" = "configure" ]; then
    update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \\
        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\
        --slave /usr/bin/nawk nawk /usr/bin/mawk || true
fi
exit 0
"""
GAWK = "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\n"
MAWK_DEB = deb("mawk", {"usr/bin/mawk": file(b"m", 0o755)}, scripts={"postinst": AWK})
GAWK_DEB = deb("gawk", {"usr/bin/gawk": file(b"g", 0o755)}, scripts={"postinst": GAWK})


def test_links_lead_through_etc_alternatives(store):
    found = entries_of(store, MAWK_DEB)

    assert found["usr/bin/awk"].target == "/etc/alternatives/awk"
    assert found["etc/alternatives/awk"].target == "/usr/bin/mawk"
    assert found["etc/alternatives/nawk"].target == "/usr/bin/mawk"


def test_a_slave_whose_file_was_left_out_gets_no_link(store):
    found = entries_of(store, MAWK_DEB)

    assert "etc/alternatives/awk.1.gz" not in found
    assert b"awk.1.gz" in found["var/lib/dpkg/alternatives/awk"].content.data


def test_the_highest_priority_wins_also_from_the_layer_above(store):
    found = entries_of(store, GAWK_DEB, below=(MAWK_DEB,))

    assert found["etc/alternatives/awk"].target == "/usr/bin/gawk"
    assert "usr/bin/awk" not in found, "the link itself is the same as below"
    assert found["var/lib/dpkg/alternatives/awk"].content.data.decode().split("\n") == [
        *("auto", "/usr/bin/awk", "awk.1.gz", "/usr/share/man/man1/awk.1.gz", "nawk", "/usr/bin/nawk", ""),
        *("/usr/bin/gawk", "10", "", ""),
        *("/usr/bin/mawk", "5", "/usr/share/man/man1/mawk.1.gz", "/usr/bin/mawk"),
        *("", ""),
    ]


def test_a_lower_priority_above_changes_only_the_record(store):
    found = entries_of(store, MAWK_DEB, below=(GAWK_DEB,))

    assert not {"usr/bin/awk", "etc/alternatives/awk"} & set(found)
    assert "var/lib/dpkg/alternatives/awk" in found


def test_an_offer_of_a_file_that_nobody_brings_is_an_error(store):
    with pytest.raises(CogError, match="offers /usr/bin/gawk as awk"):
        entries_of(store, deb("gawk", scripts={"postinst": GAWK}))


@pytest.mark.parametrize(
    "line",
    [
        'update-alternatives --install /usr/bin/x x "$path" 10',
        "update-alternatives --install /usr/bin/x x `which y` 10",
        "update-alternatives --install /usr/bin/x x /usr/bin/y high",
        "update-alternatives --install /usr/bin/x x /usr/bin/y 10 --slave /usr/bin/z z",
        "update-alternatives --set x /usr/bin/y",
        "echo update-alternatives --install /usr/bin/x x /usr/bin/y 10",
        "update-alternatives --install '/usr/bin/x",
    ],
)
def test_only_literal_calls_are_interpreted(line):
    assert parse_call(line) is None


def test_a_comment_ends_a_call_and_continues_nothing(store):
    script = (
        "update-alternatives --quiet \\\n  --install /usr/bin/cc cc /usr/bin/gcc 20 \\\n  # --slave x \\\n"
        "update-alternatives --install /usr/bin/c99 c99 /usr/bin/gcc 20\n"
    )

    found = entries_of(store, deb("gcc", {"usr/bin/gcc": file(b"g")}, scripts={"postinst": script}))

    assert {"usr/bin/cc", "usr/bin/c99"} <= set(found)


def test_what_follows_a_call_on_its_line_does_not_belong_to_it(store):
    script = "update-alternatives --install /usr/bin/x x /usr/bin/y -5 || true\n"

    found = entries_of(store, deb("x", {"usr/bin/y": file(b"y")}, scripts={"postinst": script}))

    assert found["var/lib/dpkg/alternatives/x"].content.data == b"auto\n/usr/bin/x\n\n/usr/bin/y\n-5\n\n"


@pytest.mark.parametrize("rest", [[], ["--slave", "/a", "b"], ["--follower", "/a", "b", "/c"]])
def test_a_call_has_a_priority_and_whole_slaves(rest):
    words = ["--install", "/usr/bin/x", "x", "/usr/bin/y", "5" if rest else "five", *rest]

    assert parse_call(words) is None


def test_a_file_that_a_package_has_in_the_place_of_the_link_stays(store):
    script = "update-alternatives --install /usr/bin/x x /usr/bin/y 5\n"

    found = entries_of(
        store, deb("x", {"usr/bin/x": file(b"x"), "usr/bin/y": file(b"y")}, scripts={"postinst": script})
    )

    assert found["usr/bin/x"].kind == "file"
    assert found["etc/alternatives/x"].target == "/usr/bin/y"


words = st.text("abc", min_size=1, max_size=3)
choices = st.builds(
    lambda name, path, priority, slaves: Choice(
        name,
        f"/usr/bin/{name}",
        f"/usr/lib/{path}",
        priority,
        {f"{name}-{s}": (f"/usr/bin/{name}-{s}", f"/usr/lib/{s}") for s in slaves},
    ),
    st.sampled_from(["one", "two"]),
    words,
    st.integers(-3, 3),
    st.sets(words, max_size=2),
)


@pytest.mark.oracle
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(choices, min_size=1, max_size=4, unique_by=lambda c: (c.name, c.path)))
def test_update_alternatives_makes_the_same(store, tmp_path, offered):
    need("update-alternatives")
    program = shutil.which("update-alternatives", path="/usr/bin:/usr/sbin:/bin:/sbin")
    calls = [
        ["update-alternatives", "--install", c.link, c.name, c.path, str(c.priority)]
        + [word for name, (link, path) in c.slaves.items() for word in ("--slave", link, name, path)]
        for c in offered
    ]
    present = {c.path for c in offered} | {path for c in offered[:1] for _, path in c.slaves.values()}
    files = {path[1:]: file(b"x", 0o755) for path in present}
    postinst = "".join(shlex.join(call) + "\n" for call in calls)
    ours = entries_of(store, deb("a", files, scripts={"postinst": postinst}))
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    lay_out(entries_of(store, deb("a", files)), root)
    for folder in ("etc/alternatives", "var/lib/dpkg/alternatives", "usr/bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)

    for call in calls:
        subprocess.run([program, "--root", root, "--log", "/dev/null", *call[1:]], check=True, capture_output=True)

    theirs = {str(path.relative_to(root)): str(path.readlink()) for path in root.rglob("*") if path.is_symlink()}
    assert {path: entry.target for path, entry in ours.items() if entry.kind == "symlink"} == theirs
    for name in {c.name for c in offered}:
        record = f"var/lib/dpkg/alternatives/{name}"
        assert ours[record].content.data == (root / record).read_bytes()
