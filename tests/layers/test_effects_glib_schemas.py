"""Settings are compiled to the bytes that glib-compile-schemas writes, from what packages bring and from what laws make."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import struct
import subprocess
import time
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects.glib.hash_table import HashTable, string_hash
from cog_oci.layers._effects.glib.schemas import compiled
from cog_oci.layers._effects.glib.variant import is_type, serialise
from cog_oci.layers._effects.glib.variant_nodes import TextError
from cog_oci.layers._effects.glib.variant_text import parse
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file

FOLDER = "usr/share/glib-2.0/schemas"
GLIB = deb("libglib2.0-0t64", {f"{FOLDER}/a.gschema.xml": file(b"<schemalist/>")})
COLOURS = '<enum id="e"><value nick="red" value="1"/><value nick="blue" value="0x2"/></enum>'


def schema(keys: str, name: str = "a.b", more: str = 'path="/a/b/"') -> bytes:
    return f'<schemalist gettext-domain="d"><schema id="{name}" {more}>{keys}</schema></schemalist>'.encode()


def key(kind: str, default: str, name: str = "key", inside: str = "", l10n: str = "") -> str:
    return (
        f"<key name={quoteattr(name)} type={quoteattr(kind)}><default {l10n}>{escape(default)}</default>{inside}</key>"
    )


def read(data: bytes, start: int = 16) -> dict[str, object]:
    """A GVDB table by its published layout: values as bytes, tables as dicts, lists as names."""
    begin, _ = struct.unpack_from("<II", data, start)
    bloom, buckets = struct.unpack_from("<II", data, begin)
    assert bloom & 0x7FFFFFF == 0
    firsts = struct.unpack_from(f"<{buckets}I", data, begin + 8)
    rows = []
    while len(rows) < buckets:  # as many buckets as items
        at = begin + 8 + 4 * buckets + 24 * len(rows)
        number, parent, place, size, kind, *_ = struct.unpack_from("<IIIHcxII", data, at)
        rows.append((number, parent, data[place : place + size].decode(), kind, at + 16))
    found: dict[str, object] = {}
    for index, (number, parent, name, kind, at) in enumerate(rows):
        whole = (rows[parent][2] if parent < len(rows) else "") + name
        assert number == string_hash(whole.encode())
        bucket = number % buckets
        assert firsts[bucket] <= index < ([*firsts, buckets][bucket + 1])
        begins, ends = struct.unpack_from("<II", data, at)
        value = data[begins:ends]
        if kind == b"H":
            found[whole] = read(data, at)
        else:
            listed = kind == b"L"
            found[whole] = [rows[i][2] for i in struct.unpack(f"<{len(value) // 4}I", value)] if listed else value
    return found


def test_what_packages_describe_is_compiled_when_glib_is_there(store):
    described = deb("a", {f"{FOLDER}/org.a.gschema.xml": file(schema(key("b", "true") + key("s", "'x'", "other")))})

    found = entries_of(store, GLIB, described)
    without = entries_of(store, described)

    table = read(bytes(found[f"{FOLDER}/gschemas.compiled"].content.data))
    assert table == {
        "": ["a.b"],
        "a.b": {"": ["key", "other"], ".path": b"/a/b/\0\0s", "key": b"\1\0(b)", "other": b"x\0\0(s)"},
    }
    assert f"{FOLDER}/gschemas.compiled" not in without


def test_a_system_layer_compiles_again_what_it_adds_to(store):
    added = deb("a", {f"{FOLDER}/org.a.gschema.xml": file(schema(key("b", "true")))})

    found = entries_of(store, added, below=(GLIB,))

    assert "a.b" in read(bytes(found[f"{FOLDER}/gschemas.compiled"].content.data))
    assert f"{FOLDER}/gschemas.compiled" not in entries_of(store, deb("b"), below=(GLIB,))


def test_a_file_with_a_mistake_is_left_out_and_the_others_are_not():
    wrong = schema(key("i", "1") + key("b", "maybe", "other"), "wrong")

    assert read(compiled({"a.gschema.xml": wrong, "b.gschema.xml": schema(key("i", "1"))})).keys() == {"", "a.b"}


def test_a_distributor_overrides_defaults_of_all_desktops_and_of_one():
    defaults = b"# them\n[a.b]\nkey=2\nnone=1\n[a.b:GNOME]\nkey = 3\n[not.there]\nkey=1\n"

    found = read(compiled({"a.gschema.xml": schema(key("i", "1")), "z.gschema.override": defaults}))
    broken = read(compiled({"a.gschema.xml": schema(key("i", "1")), "z.gschema.override": defaults + b"no pair\n"}))

    desktops = serialise("v", ("(i(ya{sv}))", (2, (ord("d"), [("GNOME", ("i", 3))]))))
    assert found["a.b"]["key"] == desktops
    assert broken["a.b"]["key"] == b"\1\0\0\0\0(i)"


@given(st.lists(st.tuples(st.sampled_from([f"{n}x" for n in range(40)]), st.booleans()), max_size=120))
def test_a_table_has_what_was_put_in_and_not_taken_away(steps):
    table, expected = HashTable(), {}
    for number, (name, stays) in enumerate(steps):
        if stays or name not in expected:
            table.insert(name, number)
            expected[name] = number
        else:
            table.remove(name)
            del expected[name]

    assert dict(table.items()) == expected
    assert len(table) == len(expected)
    assert all(name in table and table.get(name) == number for name, number in expected.items())


def test_a_type_is_basic_or_made_of_types():
    every = {"".join(text) for size in range(5) for text in itertools.product("bsvam(){}", repeat=size)}

    assert {text for text in every if is_type(text)} == types(4)
    assert not {"*", "?", "r", "a*", "(r)", "z", "a"} & {text for text in every if is_type(text)}


def types(most: int) -> set[str]:
    """Every type's string of at most so many characters, of some basic types, built from the grammar."""
    found: set[str] = set()
    for _ in range(most):
        tuples = {f"({one}{other})" for one in {"", *found} for other in {"", *found}}
        entries = {f"{{{one}{other}}}" for one in "bs" for other in found}
        found |= {*"bsv", *(head + one for head in "am" for one in found), *tuples, *entries}
        found = {one for one in found if len(one) <= most}
    return found


@given(
    st.text("bi(<[{'\"}])>,:@ 01.-exjustnohigau\\", max_size=24), st.sampled_from(["i", "s", "as", "v", "a{sv}", "mi"])
)
def test_no_text_stops_the_build(text, kind):
    with contextlib.suppress(TextError):
        serialise(kind, parse(kind, text))


@pytest.mark.parametrize("text", ["<{[0]: 0}>", "<{just 1: 0}>", "<[1, 'a']>", "<[]>", "<nothing>", "<{<1>, 2}>"])
def test_what_says_no_type_is_no_variant(text):
    with pytest.raises(TextError):
        parse("v", text)


NUMBERS = [
    "0",
    "1",
    "-1",
    "+3",
    "007",
    "0x1F",
    "255",
    "256",
    "-32768",
    "65536",
    "4294967295",
    "1.5",
    "1e3",
    "-inf",
    "nan",
    "08",
]
WORDS = ["''", "'a'", '"b\\"c"', "'\\u00e9\\n'", "'/a/b'", "'ai'", "'red'", "'blue'", "'é'", "'x' "]


def texts(kind: str) -> st.SearchStrategy[str]:
    """Values of a type as they may be written, now and then with something wrong in them."""
    head = kind[0]
    if head == "b":
        return st.sampled_from(["true", "false", "boolean true"])
    if head in "ynqiuxthd":
        return st.sampled_from(
            [*NUMBERS, *(f"{word} 1" for word in ("byte", "int16", "uint32", "double")), f"@{head} 7"]
        )
    if head in "sog":
        return st.sampled_from([*WORDS, "objectpath '/x'", "signature 'a'"])
    if head == "v":
        return CONTENTS.map(lambda text: f"<{text}>")
    if head == "m":
        return st.one_of(st.just("nothing"), texts(kind[1:]), texts(kind[1:]).map(lambda text: f"just {text}"))
    if kind[:2] == "a{":
        pairs = st.tuples(texts(kind[2]), texts(kind[3:-1]))
        entries = st.lists(pairs, max_size=3).map(lambda them: ", ".join(f"{one}: {other}" for one, other in them))
        return entries.map(lambda text: f"{{{text}}}") | st.just(f"@{kind} {{}}")
    if head == "a":
        listed = st.lists(texts(kind[1:]), max_size=4).map(", ".join).map(lambda text: f"[{text}]")
        return listed | st.sampled_from(["b'x\\001'", 'b"yz"']) if kind == "ay" else listed | st.just(f"@{kind} []")
    inside = {
        "(is)": ("i", "s"),
        "(as(bd))": ("as", "(bd)"),
        "(bd)": ("b", "d"),
        "(s)": ("s",),
        "(y(nx))": ("y", "(nx)"),
        "(nx)": ("n", "x"),
    }
    parts = st.tuples(*map(texts, inside[kind]))
    return parts.map(lambda them: f"({', '.join(them)}{',' if len(them) == 1 else ''})")


CONTENTS = st.recursive(
    st.sampled_from([*NUMBERS, *WORDS, "true", "uint16 5", "nothing", "just 1", "@as []", "b'a'", "<1>"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda them: f"[{', '.join(them)}]"),
        st.lists(inner, min_size=2, max_size=3).map(lambda them: f"({', '.join(them)})"),
        st.tuples(inner, inner).map(lambda them: f"{{{them[0]}: {them[1]}}}"),
        inner.map(lambda text: f"just {text}"),
    ),
    max_leaves=4,
)
KINDS = [
    *"bynqiuxthdsogv",
    *("as", "ai", "ay", "ab", "ad", "aas", "ms", "mi", "mas", "mmi", "a{sv}", "a{is}", "a{sas}", "av"),
    *("(is)", "(as(bd))", "(s)", "a(is)", "(y(nx))", "a(y(nx))", "m(is)"),
]
names = st.from_regex(r"[a-z]([a-z0-9]|-[a-z0-9]){0,10}", fullmatch=True)
typed = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), texts(kind)))


@st.composite
def keys(draw) -> str:
    kind, default = draw(typed)
    l10n = draw(st.sampled_from(["", "", 'l10n="messages"', "l10n='time' context='c'", "context='c'"]))
    inside = ""
    if kind in "ynqiuxtd":
        inside = draw(st.sampled_from(["", "", '<range min="0"/>', '<range min="-5" max="300"/>', "<range max='1'/>"]))
    elif kind in {"s", "as", "ms"}:
        inside = draw(st.sampled_from(["", "", CHOICES, CHOICES + "<aliases><alias value='x' target='a'/></aliases>"]))
    if draw(st.integers(0, 9)) == 0:
        return f'<key name={quoteattr(draw(names))} enum="e"><default>{escape(default)}</default></key>'
    return key(kind, default, draw(names), inside + draw(st.sampled_from(["", "<summary>A</summary>"])), l10n)


CHOICES = "<choices><choice value='a'/><choice value=''/><choice value='longer than four'/></choices>"
several = st.lists(keys(), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """glib-compile-schemas on files of a folder of its own."""
    need("glib-compile-schemas")
    folder = tmp_path_factory.mktemp("compiler") / "schemas"

    def run(files: dict[str, bytes]) -> bytes:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        subprocess.run(
            ["glib-compile-schemas", folder], env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, check=True
        )
        return (folder / "gschemas.compiled").read_bytes()

    return run


@pytest.mark.oracle
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(several, min_size=1, max_size=40), st.lists(typed, max_size=6), st.sampled_from(["", ":GNOME"]))
def test_the_bytes_are_those_of_glib_s_compiler(compiler, files, overrides, desktop):
    described = {"a.enums.xml": f"<schemalist>{COLOURS}</schemalist>".encode()}
    described |= {f"{n}.gschema.xml": schema("".join(own), f"s.{n}") for n, own in enumerate(files)}
    described |= {f"k{n}.gschema.xml": schema(key(kind, text), f"k.{n}") for n, (kind, text) in enumerate(overrides)}
    rows = "".join(f"[s.{n}{desktop}]\nkey={text}\n" for n, (_, text) in enumerate(overrides))
    rows += "".join(f"[k.{n}{desktop}]\nkey={text}\n" for n, (_, text) in enumerate(overrides[1:]))
    described["z.gschema.override"] = rows.encode()

    assert compiled(described) == compiler(described)


@pytest.mark.parametrize(
    ("kind", "default"),
    [("i", "9" * 5000), ("d", "0x1p99999"), ("d", "0x1.2.3"), ("(" * 127 + "i" + ")" * 127, "x"), ("v", "<" * 500)],
)
def test_a_default_that_is_no_value_leaves_its_file_out(kind, default):
    assert compiled({"a.gschema.xml": schema(key(kind, default))}) == compiled({})


def test_an_enumeration_s_number_may_have_any_number_of_digits():
    file = f'<schemalist><enum id="e"><value nick="red" value="{"9" * 5000}"/></enum></schemalist>'.encode()

    assert compiled({"a.gschema.xml": file}) == compiled({})


def test_a_type_as_deep_as_there_are_is_measured_once_a_level():
    began = time.process_time()

    found = serialise("(" * 120 + "i" + ")" * 120, functools.reduce(lambda inner, _: (inner,), range(120), 1))

    assert found == b"\1\0\0\0"
    assert time.process_time() - began < 1


@pytest.mark.parametrize("begin", [b"<!--", b"<![CDATA["])
def test_what_begins_over_and_over_and_never_ends_is_looked_through_once(begin):
    began = time.process_time()

    assert compiled({"a.gschema.xml": b"<schemalist>" + begin * 20_000}) == compiled({})
    assert time.process_time() - began < 2


def test_an_override_may_have_any_bytes():
    files = {"a.gschema.xml": schema(key("ay", "b''")), "a.gschema.override": b"[a.b]\nkey=b'\xff'\n"}

    assert b"\xff\0" in compiled(files)
    assert compiled(files | {"b.gschema.override": b"[a.b:\xfe]\nkey=b'x'\n"}) == compiled(files)
