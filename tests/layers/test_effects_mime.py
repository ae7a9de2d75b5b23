"""The shared MIME database is byte by byte the one that update-mime-database makes of the same XML files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects.hash_order import in_hash_order
from cog_oci.layers._effects.mime import mime_files
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file

SPACE = "http://www.freedesktop.org/standards/shared-mime-info"
NAMES = ("a/b", "text/plain", "image/x-y", "application/zip", "text/PLAIN", "own/x")


def package(*types: str) -> bytes:
    return f'<?xml version="1.0"?>\n<mime-info xmlns="{SPACE}">{"".join(types)}</mime-info>'.encode()


def kind(name: str, *inside: str) -> str:
    return f"<mime-type type={quoteattr(name)}>{''.join(inside)}</mime-type>"


def made(*sources: bytes) -> dict[str, bytes]:
    return mime_files({b"%d.xml" % index: source for index, source in enumerate(sources)}, "2.4")


def installed(store, *sources: tuple[str, bytes]) -> dict:
    files = {f"usr/share/mime/packages/{name}": file(data) for name, data in sources}
    return entries_of(store, deb("shared-mime-info", version="2.4-5+b2"), deb("other", files))


def text(entry) -> str:
    return bytes(entry.content.data).decode()


def test_a_type_has_its_place_in_every_list(store):
    glob, alias = (
        '<glob pattern="*.One" weight="60"/><glob pattern="Two" case-sensitive="true"/>',
        '<alias type="b/c"/>',
    )
    more = (
        '<sub-class-of type="c/d"/><icon name="i"/><generic-icon name="g"/><root-XML namespaceURI="u:" localName="l"/>'
    )
    source = package(kind("a/b", "<comment>Ä &amp; B</comment>", glob, alias, more))

    found = installed(store, ("own.xml", source))

    lists = {path.rpartition("/")[2]: entry for path, entry in found.items() if path.startswith("usr/share/mime/")}
    assert text(lists["globs"]).splitlines()[2:] == ["a/b:*.one", "a/b:Two"]
    assert text(lists["globs2"]).splitlines()[2:] == ["60:a/b:*.one", "50:a/b:Two:cs", "50:a/b:Two"]
    assert text(lists["aliases"]) == "b/c a/b\n"
    assert text(lists["subclasses"]) == "a/b c/d\n"
    assert text(lists["XMLnamespaces"]) == "u: l a/b\n"
    assert (text(lists["icons"]), text(lists["generic-icons"])) == ("a/b:i\n", "a/b:g\n")
    assert (text(lists["types"]), text(lists["version"])) == ("a/b\n", "2.4\n")
    assert "\n  <comment>Ä &amp; B</comment>\n" in text(found["usr/share/mime/a/b.xml"])
    assert all(entry.mode == 0o644 for entry in lists.values() if entry.kind == "file")


def test_rules_are_ordered_by_priority_and_written_with_their_bytes():
    inner = '<match type="little16" value="0x0102" offset="8" mask="0xff"/>'
    strong = f'<magic priority="80"><match type="string" value="P\\x4b\\003\\n" offset="0:4">{inner}</match></magic>'
    weak = '<magic><match type="host32" value="1" offset="2"/></magic>'

    magic = made(package(kind("a/weak", weak), kind("b/strong", strong)))["magic"]

    rows = b"[80:b/strong]\n>0=\0\4PK\3\n+5\n1>8=\0\2\2\1&\xff\0\n[50:a/weak]\n>2=\0\4\0\0\0\1~4\n"
    assert magic == b"MIME-Magic\0\n" + rows


def test_the_cache_finds_a_suffix_from_its_end():
    cache = made(package(kind("a/b", '<glob pattern="*.é"/>')))["mime.cache"]
    card = [int.from_bytes(cache[at : at + 4], "big") for at in range(0, len(cache), 4)]

    count, first = card[card[4] // 4 :][:2]
    letter, _, dot_at = card[first // 4 :][:3]
    dot, _, end_at = card[dot_at // 4 :][:3]
    zero, name_at, weight = card[end_at // 4 :][:3]

    assert card[0] == 0x00010002
    assert (count, chr(letter), chr(dot), zero, weight) == (1, "é", ".", 0, 50)
    assert cache[name_at:].startswith(b"a/b\0")


def test_a_later_file_replaces_a_description_and_the_override_is_the_last(store):
    sources = {name: package(kind("a/b", f"<comment>{name}</comment>")) for name in ("Override.xml", "a.xml", "z.xml")}

    found = text(installed(store, *sources.items())["usr/share/mime/a/b.xml"])

    assert found.count("<comment>") == 1
    assert "<comment>Override.xml</comment>" in found


@pytest.mark.parametrize("damaged", [b"", b"<mime-info", b'<mime-info><mime-type type="x/y"/></mime-info>', b"\xff"])
def test_a_damaged_file_leaves_the_others_as_they_are(damaged):
    source = package(kind("a/b", '<glob pattern="*.a"/>'))

    assert made(source, damaged) == made(source)


def test_after_an_element_that_is_wrong_the_rest_of_its_type_is_left_out():
    found = made(package(kind("a/b", '<glob pattern="*.a"/>', "<glob/>", '<glob pattern="*.b"/>'), kind("c/d")))

    assert found["globs"].splitlines()[2:] == [b"a/b:*.a"]
    assert found["types"] == b"a/b\nc/d\n"


def test_without_the_package_or_a_source_there_is_no_database(store):
    source = {"usr/share/mime/packages/own.xml": file(package(kind("a/b")))}

    assert "usr/share/mime/types" not in entries_of(store, deb("other", source))
    assert "usr/share/mime/types" not in entries_of(store, deb("shared-mime-info"))


def test_the_order_of_a_hash_table_has_every_key_once():
    keys = [b"%d" % number for number in range(1000)]

    assert sorted(in_hash_order(keys)) == sorted(keys)
    assert in_hash_order(keys[:3]) == in_hash_order(keys[:3])


# Of a pattern that is "*" only, the program reads what lies behind it in memory.
ATTRIBUTE = st.text(st.sampled_from("aB.*[?\\é€:/ 0"), min_size=1, max_size=6).filter(lambda text: text != "*")
TYPE_NAME = st.sampled_from((*NAMES, "none", "a/b/c", ""))
NUMBER = st.sampled_from(["0", "50", "100", "101", "-1", "x", "", "7 ", " 9", "+8", "0x10"])
OFFSET = st.sampled_from(["0", "4", "0:8", "8:4", "2:2", "a", "", "-3", "4:", "4:x", " 1", "0:100000"])
VALUE = st.one_of(
    st.sampled_from(["0x1234", "255", "256", "070", "08", "-1", "0xffffffff", "0x1ffff", "", "1 ", "\\x", "\\"]),
    st.text(st.sampled_from('aé\\x0178nt&<"\t\n'), max_size=8),
)
MASK = st.sampled_from([None, None, "0xff00", "0xf", "ff", "0x", "0xfffffffffffffffffff", "0xzz", "12"])
WORD = st.sampled_from(["string", "byte", "big16", "big32", "little16", "little32", "host16", "host32", "other", None])


@st.composite
def element(draw, tag: str, **attributes) -> str:
    values = {key.replace("_", "-"): draw(value) for key, value in attributes.items()}
    order = draw(st.permutations(list(values)))
    return f"<{tag}{''.join(f' {key}={quoteattr(values[key])}' for key in order if values[key] is not None)}/>"


def maybe(strategy):
    return st.one_of(strategy, strategy, strategy, st.none())


def filled(start, inside):
    """The element of `start` with elements in it, as they come or apart."""
    return st.builds(
        lambda one, many, gap: f"{one[:-2]}>{gap.join(['', *many, ''])}</{one[1:].partition(' ')[0].rstrip('/>')}>",
        start,
        inside,
        st.sampled_from(["", "\n  "]),
    )


MATCH = st.recursive(
    element("match", type=WORD, offset=maybe(OFFSET), value=maybe(VALUE), mask=MASK),
    lambda inner: filled(element("match", type=WORD, offset=OFFSET, value=VALUE), st.lists(inner, max_size=2)),
    max_leaves=4,
)
TREE_MATCH = element(
    "treematch",
    path=maybe(ATTRIBUTE),
    type=st.sampled_from([None, "file", "directory", "link", "other"]),
    executable=maybe(st.sampled_from(["true", "false"])),
    match_case=maybe(st.just("true")),
    non_empty=maybe(st.just("true")),
    mimetype=maybe(ATTRIBUTE),
)
TEXT = st.text(st.sampled_from("aé<>&\"'\r\n\t "), max_size=6).map(
    lambda value: value.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")
)
COMMENT = st.builds(
    lambda language, inside: (
        f"<comment{f' xml:lang={quoteattr(language)}' if language is not None else ''}>{inside}</comment>"
    ),
    st.sampled_from([None, None, "de", "fr", ""]),
    st.one_of(
        TEXT,
        st.sampled_from(
            ["<![CDATA[<x>]]>a", "<!-- c --><i/>", "<?p q?>", "<b>x<i/></b>", "<b><i/> </b>", "<b><i/><i>t</i></b>"]
        ),
    ),
)
FOREIGN = st.sampled_from(
    [
        "<acronym>A</acronym>",
        "<expanded-acronym>A A</expanded-acronym>",
        "<unknown/>",
        "<glob-deleteall/>",
        "<magic-deleteall/>",
        '<x:e xmlns:x="urn:x" x:a="1"><x:f/><comment/></x:e>',
        '<o:e o:a="1" b="2"><o:f/></o:e>',
        '<comment o:a="1">x<o:f/></comment>',
        '<e xmlns="">t</e>',
        '<e xmlns="urn:e"><f/><g xmlns="urn:g"/></e>',
        "<!-- between -->",
        "text",
        '<alias type="none"/>',
        "<alias/>",
    ]
)
FIELD = st.one_of(
    COMMENT,
    FOREIGN,
    element("glob", pattern=ATTRIBUTE, weight=maybe(NUMBER), case_sensitive=maybe(st.sampled_from(["true", "false"]))),
    element(
        "glob", pattern=st.sampled_from(["*.a", "*.A", "*.ab", "*.tar.a", "Make", "make", "*~", "r*[0-9]", "", "*.é"])
    ),
    filled(element("magic", priority=maybe(NUMBER)), st.lists(MATCH, max_size=3)),
    filled(element("treemagic", priority=maybe(NUMBER)), st.lists(TREE_MATCH, max_size=3)),
    element("alias", type=st.sampled_from(NAMES)),
    element("sub-class-of", type=st.sampled_from(NAMES)),
    element("icon", name=maybe(ATTRIBUTE)),
    element("generic-icon", name=maybe(ATTRIBUTE)),
    element(
        "root-XML",
        namespaceURI=maybe(st.sampled_from(["u:", "", "u v"])),
        localName=maybe(st.sampled_from(["l", "", "m"])),
    ),
)
TYPE = st.builds(lambda name, fields: kind(name, *fields), TYPE_NAME, st.lists(FIELD, max_size=8))
DOCTYPE = st.sampled_from(
    [
        "",
        '<!DOCTYPE mime-info [<!ATTLIST glob weight CDATA "30"><!ATTLIST magic priority CDATA "7"><!ATTLIST comment xml:lang CDATA "nl">]>',
    ]
)


@st.composite
def sources(draw) -> list[bytes]:
    found = []
    for _ in range(draw(st.integers(1, 2))):
        types = "".join(draw(st.lists(TYPE, max_size=5)))
        root = f'<mime-info xmlns="{SPACE}" xmlns:o="urn:o">\n{types}</mime-info>\n'
        found.append(f'<?xml version="1.0" encoding="UTF-8"?>{draw(DOCTYPE)}{root}'.encode())
    return found


def database_of(sources: dict[str, bytes]) -> dict[str, bytes]:
    """What the program makes of XML files."""
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "packages").mkdir()
        for name, data in sources.items():
            (folder / "packages" / name).write_bytes(data)
        env = {**os.environ, "PKGSYSTEM_ENABLE_FSYNC": "0"}
        subprocess.run(["update-mime-database", folder], env=env, check=True, capture_output=True, timeout=60)
        shutil.rmtree(folder / "packages")
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    finally:
        shutil.rmtree(folder)


@pytest.mark.oracle
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sources())
def test_update_mime_database_writes_the_same(drawn):
    need("update-mime-database")
    named = {f"{index}.xml": source for index, source in enumerate(drawn)}
    theirs = database_of(named)

    ours = mime_files({name.encode(): source for name, source in named.items()}, theirs["version"].decode().strip())

    assert ours == theirs


@pytest.mark.oracle
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(
            st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_characters="/%"), min_size=1, max_size=12
        ),
        min_size=5,
        max_size=400,
        unique=True,
    )
)
def test_glib_goes_over_many_keys_in_the_same_order(names):
    need("update-mime-database")
    # Names have no "%": libxml2 takes the name of a document's file for a URI.
    source = package(*(kind(f"a/{name}", '<icon name="i"/>') for name in names))

    theirs = database_of({"a.xml": source})["icons"]

    assert made(source)["icons"] == theirs


@pytest.mark.oracle
def test_the_database_of_this_machine_is_written_the_same():
    need("update-mime-database")
    found = {path.name: path.read_bytes() for path in Path("/usr/share/mime/packages").glob("*.xml")}
    theirs = database_of(found)

    ours = mime_files({os.fsencode(name): data for name, data in found.items()}, theirs["version"].decode().strip())

    assert ours.keys() == theirs.keys()
    assert [path for path in ours if ours[path] != theirs[path]] == []
    assert len(ours) > 500


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000])
def test_a_number_may_have_any_number_of_digits(number):
    found = made(package(kind("a/b", f'<glob pattern="*.x" weight="{number}"/><comment>left out</comment>')))

    assert b"left out" not in found["a/b.xml"]


@pytest.mark.parametrize(("depth", "counts"), [(257, True), (258, False), (5000, False)])
def test_a_file_with_more_elements_in_each_other_than_libxml2_takes_is_left_out(depth, counts):
    rules = '<match type="string" offset="0" value="x">' * (depth - 3) + "</match>" * (depth - 3)

    assert ("a/b.xml" in made(package(kind("a/b", f"<magic>{rules}</magic>")))) is counts


def test_entities_that_multiply_leave_their_file_out():
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = b'<!DOCTYPE mime-info [<!ENTITY l0 "ha">%b]>' % entities.encode() + package(
        kind("a/c", "<comment>&l9;</comment>")
    )

    assert made(bomb, package(kind("a/b"))) == made(package(kind("a/b")))


def test_documents_of_types_lie_where_their_names_lead(store):
    found = installed(store, ("a.xml", package(*map(kind, ("../beside", "/top", "mime.cache/in-a-file")))))

    assert {"usr/share/beside.xml", "usr/share/mime/top.xml"} <= found.keys()
    assert not [path for path in found if ".." in path or "//" in path or "mime.cache/" in path]
