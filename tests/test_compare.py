"""Laws: streams that differ in any byte compare unequal, and the difference is put where the byte lies."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.compare import Difference, compare_blobs, compare_configs, compare_layers, path_at
from cog_oci.layers import render
from cog_oci.layers._tar import END, Bytes, Entry, header, in_order, padding
from cog_oci.oci import canonical_json, sha256

LONG = "opt/" + "d" * 90 + "/" + "é" * 60 + "/"
ENTRIES = (
    Entry.file("a", b"x" * 1000),
    Entry.file("b/empty", b""),
    Entry.file("b/full", b"y" * 512, mode=0o755),
    Entry.symlink("b/link", "full"),
    Entry(path="b/twin", kind="hardlink", target="b/full"),
    Entry.file(LONG + "file", b"z" * 700),
    Entry.symlink("usr/far", LONG + "file"),
    Entry(path="usr/owned", uid=3_000_000, gid=5, content=Bytes(b"w" * 10)),
    Entry.directory("usr/sticky", mode=0o1777),
)
paths = st.lists(st.sampled_from(["a", "b", "é", "lib" * 40, "x.py", "__init__.py"]), min_size=1, max_size=3).map(
    "/".join
)
contents = st.one_of(st.binary(max_size=40), st.integers(0, 3).map(lambda n: b"q" * 511 + bytes([n]) * n))
entries = st.builds(Entry.file, paths, contents, st.sampled_from([0o644, 0o755]))
trees = st.lists(entries, max_size=8, unique_by=lambda entry: entry.path)


def members(*found: Entry) -> list[tuple[str, bytes]]:
    """Each member of a layer: its path, and its bytes from header to padding."""
    made = []
    for entry in found:
        data = b"".join(map(bytes, entry.content.chunks())) if entry.content else b""
        made.append(("/" + entry.path, header(entry) + data + padding(len(data))))
    return made


def tar(*found: Entry) -> bytes:
    """These entries in the order given."""
    return b"".join(data for _, data in members(*found)) + END


def differences(expected: bytes, actual: bytes) -> list[str]:
    return [str(one) for one in compare_layers(io.BytesIO(expected), io.BytesIO(actual))]


def owners(*found: Entry) -> list[str]:
    """The path that each byte of the tar belongs to."""
    owned = [path for path, data in members(*found) for _ in data]
    return owned + ["the end"] * len(END)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_a_flipped_byte_is_put_where_it_lies(data):
    sample = in_order(ENTRIES)
    good, owned = bytearray(tar(*sample)), owners(*sample)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good.copy()
    bad[at] ^= data.draw(st.integers(1, 255))

    found = compare_layers(io.BytesIO(good), io.BytesIO(bad))

    assert [difference.path for difference in found] == [owned[at]] * len(found)
    assert found
    assert differences(bad, good)


def test_every_single_byte_of_a_small_layer_is_told_apart():
    sample = [Entry.directory("a"), Entry.file("a/" + "é" * 60, b"content"), Entry.file("z", b"")]
    good, owned = tar(*sample), owners(*sample)

    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 0x11]) + good[at + 1 :]
        found = compare_layers(io.BytesIO(good), io.BytesIO(bad))
        assert [one.path for one in found] == [owned[at]] * len(found), (at, list(map(str, found)))
        assert found, at


@settings(max_examples=120, deadline=None)
@given(trees, trees, st.randoms(use_true_random=False), st.booleans())
def test_layers_compare_equal_only_when_every_byte_is(one, other, order, shuffled):
    expected, actual = (in_order(_compatible(tree)) for tree in (one, other))
    if shuffled:
        actual = expected.copy()
        order.shuffle(actual)

    assert (differences(tar(*expected), tar(*actual)) == []) == (tar(*expected) == tar(*actual))


def test_a_member_that_is_missing_before_another_with_records_of_the_same_length_is_no_other_name():
    whole = in_order([Entry.file("é/a/é", b""), Entry.file("é/x.py", b"")])
    less = [entry for entry in whole if entry.path != "é/a"]

    assert differences(tar(*whole), tar(*less)) == ["/é/a: is missing"]


@settings(max_examples=60, deadline=None)
@given(trees, st.data())
def test_members_that_are_missing_or_added_are_named_and_nothing_else(tree, data):
    whole = in_order(_compatible(tree))
    gone = data.draw(st.sets(st.sampled_from(whole))) if whole else set()
    less = [entry for entry in whole if entry not in gone]

    assert sorted(differences(tar(*whole), tar(*less))) == sorted(f"/{entry.path}: is missing" for entry in gone)
    assert sorted(differences(tar(*less), tar(*whole))) == sorted(f"/{entry.path}: is not expected" for entry in gone)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(tar(*ENTRIES)) - 1))
def test_a_stream_that_breaks_off_differs(at):
    good = tar(*in_order(ENTRIES))

    assert differences(good, good[:at])
    assert differences(good[:at], good)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_what_is_no_tar_at_all_is_compared_all_the_same(one, other):
    assert (differences(one, other) == []) == (one == other)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_flips_in_tars_of_other_writers_are_located_too(form):
    out = io.BytesIO()
    starts: list[tuple[int, str]] = []
    with tarfile.open(fileobj=out, mode="w", format=form, pax_headers={"comment": "of all"}) as archive:
        for name in ("./z", "./a/" + "n" * 90, "b" * (90 if form == tarfile.USTAR_FORMAT else 200), "./a"):
            starts.append((out.tell() if starts else 0, "/" + name.removeprefix("./")))
            member = tarfile.TarInfo(name)
            member.size, member.uname, member.mtime = 700, "someone", 1_700_000_000
            archive.addfile(member, io.BytesIO(b"c" * 700))
        starts.append((out.tell(), "the end"))
    good = out.getvalue()
    chosen = random.Random(3)

    assert differences(good, good) == []
    for _ in range(300):
        at = chosen.randrange(len(good))
        bad = good[:at] + bytes([good[at] ^ chosen.randrange(1, 256)]) + good[at + 1 :]
        found = {one.path for one in compare_layers(io.BytesIO(good), io.BytesIO(bad))}
        assert next(path for start, path in reversed(starts) if start <= at) in found, at


def _compatible(tree: list[Entry]) -> list[Entry]:
    """Without files that are folders of other files."""
    folders = {entry.path.rsplit("/", n)[0] for entry in tree for n in range(1, entry.path.count("/") + 1)}
    return [entry for entry in tree if entry.path not in folders]


def changed(block: bytes, start: int, value: bytes) -> bytes:
    """A header block with another value at `start`, and the checksum that it then has."""
    block = block[:start] + value + block[start + len(value) :]
    return block[:148] + b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32) + block[156:]


@pytest.mark.parametrize(
    ("start", "value", "said"),
    [
        (0, b"c", "header field name is 'c' instead of 'a'"),
        (100, b"0000755\0", "header field mode is 0755 instead of 0644"),
        (108, b"0000007\0", "header field uid is 7 instead of 0"),
        (116, b"0000010\0", "header field gid is 8 instead of 0"),
        (136, b"00000000001\0", "header field mtime is 1 instead of 315619200"),
        (156, b"7", "header field typeflag is '7' instead of '0'"),
        (157, b"x", "header field linkname is 'x' instead of ''"),
        (257, b"ustar ", "header field magic is 'ustar ' instead of 'ustar'"),
        (263, b"01", "header field version is '01' instead of '00'"),
        (265, b"me", "header field uname is 'me' instead of ''"),
        (297, b"us", "header field gname is 'us' instead of ''"),
        (329, b"0000001\0", "header field devmajor is 1 instead of 0"),
        (337, b"0000002\0", "header field devminor is 2 instead of 0"),
        (511, b"x", f"header field unused bytes is {bytes(11) + b'x'!r} instead of {bytes(12)!r}"),
        (140, b" ", r"header field mtime is b'0226 773600\x00' instead of b'02263773600\x00'"),
    ],
)  # fmt: skip
def test_every_field_of_a_header_is_named(start, value, said):
    good = tar(Entry.file("a", b"12345"), Entry.file("d", b""))
    bad = changed(good[:512], start, value) + good[512:]

    assert differences(good, bad) == [f"/a: {said}"]


def test_a_prefix_and_a_checksum_are_named_too():
    deep = "p" * 80 + "/" + "n" * 80
    good = tar(Entry.file(deep, b""), Entry.file("z", b""))
    prefixed = changed(good[:512], 345, b"q") + good[512:]
    summed = good[:148] + b"777777" + good[154:]

    assert differences(good, prefixed)[0].startswith(f"/{deep}: header field prefix is 'q")
    assert len(differences(good, prefixed)) == 1
    assert len(differences(good, summed)) == 1
    assert f"/{deep}: header field chksum is 262143 instead of " in differences(good, summed)[0]


def test_a_larger_content_is_a_size_and_the_rest_stays_in_step():
    good = tar(Entry.file("a", b"1" * 700), Entry.file("b", b"2"), Entry.file("c", b"3"))
    bad = tar(Entry.file("a", b"1" * 2000), Entry.file("b", b"2"), Entry.file("c", b"4"))

    assert differences(good, bad) == [
        "/a: header field size is 2000 instead of 700",
        "/c: content byte 0 of 1 is 0x34 instead of 0x33",
    ]


def test_pax_records_are_named():
    name = "é" * 70
    good = tar(Entry.file(name, b"1"), Entry.file("ê", b"2"))
    renamed = good.replace(b" path=" + "é".encode(), b" path=" + "è".encode(), 1)
    rekeyed = good.replace(b" path=", b" qath=", 1)
    longer = good.replace(b"150 path=", b"151 path=", 1)

    assert differences(good, renamed) == [f"/{name}: PAX record path is 'è{'é' * 69}' instead of '{name}'"]
    assert differences(good, rekeyed) == [
        f"/{name}: PAX record path is missing",
        f"/{name}: PAX record qath is not expected",
    ]
    assert len(differences(good, longer)) == 1
    assert f"/{name}: PAX record path is '151 path=" in differences(good, longer)[0]


def test_a_size_beyond_all_that_follows_is_no_endless_work():
    good = tar(Entry.file("a", b"1" * 700))
    huge = changed(good[:512], 124, b"\x80" + b"\xff" * 11) + good[512:]

    assert differences(huge, huge) == []
    assert differences(huge, huge[:-1] + b"\1") == [f"/a: content byte 2047 of {2**88 - 1} is 0x01 instead of 0x00"]
    assert f"/a: header field size is {2**88 - 1} instead of 700" in differences(good, huge)


def test_padding_and_the_end_are_places():
    good = bytearray(tar(Entry.file("a", b"123"), Entry.file("b", b"")))
    good[512 + 100] = 7
    good[-1] = 9

    assert differences(tar(Entry.file("a", b"123"), Entry.file("b", b"")), bytes(good)) == [
        "/a: padding byte 97 after the content is 0x07 instead of 0x00",
        "the end: byte 1023 after the last member is 0x09 instead of 0x00",
    ]
    assert differences(tar(), tar() + bytes(512)) == ["the end: byte 1024 after the last member is not expected"]
    assert differences(tar(), END[:512]) == ["the end: byte 512 after the last member is missing"]


def test_another_order_is_said_at_the_member_where_it_departs():
    one, two, three = (Entry.file(name, name.encode()) for name in "abc")

    assert differences(tar(one, two, three), tar(two, one, three)) == [
        "/b: place in the order of members is 0 instead of 1"
    ]
    assert differences(tar(three, one), tar(Entry.file("a", b"x"), three)) == [
        f"/a: content is {sha256(b'x')} instead of {sha256(b'a')}",
        "/a: place in the order of members is 0 instead of 1",
    ]


def test_a_member_is_moved_past_and_compared_when_the_order_is_somebody_elses():
    foreign = [Entry.file(name, name.encode() * 600) for name in ("z", "m", "a", "k")]

    assert differences(tar(*foreign), tar(*foreign[:1], *foreign[2:])) == ["/m: is missing"]
    assert differences(tar(*foreign), tar(*foreign)) == []


class Endless(io.RawIOBase):
    """A stream of pieces that are made when they are asked for."""

    def __init__(self, *pieces: tuple[bytes, int]) -> None:
        self._pieces = [(piece, count) for piece, count in pieces if count]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._pieces:
            return b""
        piece, count = self._pieces[0]
        self._pieces[0:1] = [(piece, count - 1)] if count > 1 else []
        return piece


def test_memory_does_not_grow_with_the_files():
    size = 96 << 20
    entry = Entry(path="big", content=_Sized(size))
    mebibyte = bytes(1 << 20)
    good = Endless((header(entry), 1), (mebibyte, 96), (END, 1))
    bad = Endless((header(entry), 1), (mebibyte, 90), (mebibyte[:-1] + b"\1", 1), (mebibyte, 5), (END, 1))
    tracemalloc.start()
    try:
        found = compare_layers(good, bad)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert list(map(str, found)) == [f"/big: content byte {(91 << 20) - 1} of {size} is 0x01 instead of 0x00"]
    assert peak < 16 << 20


class _Sized:
    def __init__(self, size: int) -> None:
        self.size = size


LETTERS = bytes(b"etaoin shrdlu"[n % 13] for n in range(256))


def noise(size: int, seed: int) -> bytes:
    """Bytes that compress about as far as text does."""
    return random.Random(seed).randbytes(size).translate(LETTERS)


FILES = in_order([Entry.file(f"lib/f{n:02}", noise(n * 3000, n)) for n in range(12)])


def one_member(plain: bytes) -> bytes:
    return gzip.compress(plain, mtime=0)


def many_members(plain: bytes) -> bytes:
    return b"".join(gzip.compress(plain[at : at + 20_000], mtime=0) for at in range(0, len(plain), 20_000))


def frames(plain: bytes) -> bytes:
    one = zstandard.ZstdCompressor(write_checksum=True)
    return b"".join(one.compress(plain[at : at + 50_000]) for at in range(0, len(plain), 50_000))


def inflated(blob: bytes) -> int:
    """How much of the tar can be told from these bytes."""
    made = 0
    while blob:
        inflater = zlib.decompressobj(31)
        made += len(inflater.decompress(blob))
        blob = inflater.unused_data
    return made


@pytest.mark.parametrize("packed", [one_member, many_members])
def test_an_offset_of_a_gzip_blob_has_the_path_that_inflating_so_far_leads_to(packed):
    plain = tar(*FILES)
    blob, owned = packed(plain), owners(*FILES)

    for at in random.Random(5).sample(range(len(blob)), 60):
        where = path_at(io.BytesIO(blob), at).split(" to ")
        assert owned[min(inflated(blob[:at]), len(plain) - 1)] in where, at
        assert len(where) <= 2


@pytest.mark.parametrize("packed", [frames, zstandard.ZstdCompressor(threads=1).compress])
def test_an_offset_of_a_zstd_blob_has_the_paths_of_its_block(packed):
    plain = tar(*FILES)
    blob, owned = packed(plain), owners(*FILES)
    order = list(dict.fromkeys(owned))

    for at in random.Random(6).sample(range(len(blob)), 30):
        where = path_at(io.BytesIO(blob), at).split(" to ")
        start = _unzstd(blob[:at])
        assert order.index(where[0]) <= order.index(owned[min(start, len(plain) - 1)]) <= order.index(where[-1]), at


def _unzstd(blob: bytes) -> int:
    made = 0
    while blob:
        one = zstandard.ZstdDecompressor().decompressobj()
        made += len(one.decompress(blob))
        blob = one.unused_data
    return made


def test_an_offset_of_a_plain_blob_is_one_of_the_tar():
    plain, owned = tar(*FILES), owners(*FILES)

    for at in (0, 511, 512, 40_000, len(plain) - 1025, len(plain) - 1024, len(plain) - 1):
        assert path_at(io.BytesIO(plain), at) == owned[at]


def test_our_own_envelopes_are_searched_as_well(store):
    plain = tar(*FILES)
    for compression in ("gzip", "zstd", "none"):
        made = render("x", io.BytesIO(plain), store, compression=compression)
        with store.path(made.descriptor.digest).open("rb") as blob:
            assert path_at(blob, made.descriptor.size - 1).endswith("the end")
            assert path_at(blob, 11).split(" to ")[0] == "/lib"


def test_blobs_differ_at_an_offset():
    data = noise(3 << 20, 1)

    assert compare_blobs(io.BytesIO(data), io.BytesIO(data)) is None
    for at in (0, 1, (1 << 20) - 1, 1 << 20, len(data) - 1):
        other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert compare_blobs(io.BytesIO(data), io.BytesIO(other)) == at
    assert compare_blobs(io.BytesIO(data), io.BytesIO(data[:-5])) == len(data) - 5
    assert compare_blobs(io.BytesIO(data), io.BytesIO(data + b"x")) == len(data)


def test_fields_of_a_configuration_are_named():
    expected = {
        "architecture": "amd64",
        "config": {
            "Env": ["PATH=/bin", "A=1"],
            "Cmd": ["x", "y"],
            "Labels": {"l": "1"},
            "ExposedPorts": {"5000/tcp": {}},
        },
        "history": [{"created_by": "cog-oci base"}],
    }
    actual = {
        "architecture": "arm64",
        "config": {
            "Env": ["PATH=/sbin", "A=1", "B=2"],
            "Cmd": ["x"],
            "Labels": {"l": "2"},
            "ExposedPorts": {"5000/tcp": {}},
        },
        "history": [{"created_by": "cog-oci other"}],
    }

    assert [str(one) for one in compare_configs(expected, actual)] == [
        'config: architecture is "arm64" instead of "amd64"',
        'config: Env.PATH is "/sbin" instead of "/bin"',
        "config: Cmd.1 is missing",
        'config: Labels.l is "2" instead of "1"',
        'config: history.0.created_by is "cog-oci other" instead of "cog-oci base"',
        "config: Env.B is not expected",
    ]  # fmt: skip


values = st.sampled_from(
    [None, False, 0, 1, "", "a", [], {}, ["a"], {"a": 1}, {"a.b": 1}, {"a": {"b": 1}}, {"": 0}, [[]]]
)
configs = st.builds(
    lambda env, labels, other: {"config": {"Env": env, "Labels": labels}, "os": other},
    st.lists(st.sampled_from(["A=1", "A=2", "B=1", "B"]), max_size=3),
    values,
    values,
)


@settings(max_examples=300, deadline=None)
@given(configs, configs)
def test_configurations_compare_equal_only_when_they_are(one, other):
    assert (compare_configs(one, other) == []) == (canonical_json(one) == canonical_json(other))


def test_a_long_value_is_cut_to_where_it_begins_to_differ():
    one, other = ({"config": {"Labels": {"l": "x" * 5000 + tail + "y" * 5000}}} for tail in ("1", "2"))

    (found,) = compare_configs(one, other)

    assert len(str(found)) < 400
    assert "2yyy" in str(found)


def test_a_difference_reads_as_a_sentence():
    assert str(Difference("/a", "", None, "a member")) == "/a: is not expected"
    assert str(Difference("/a", "header field uid", "0", "1")) == "/a: header field uid is 1 instead of 0"
