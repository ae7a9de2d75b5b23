"""Laws: any order in, one stream out; what other readers see is what was put in."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.layers import _tar
from cog_oci.layers._tar import Bytes, DuplicatePathError, Entry
from cog_oci.oci import EPOCH

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."}
)
paths = st.lists(names, min_size=1, max_size=5).map("/".join)
modes = st.sampled_from([0o644, 0o755, 0o600, 0o4755, 0o1777])


@st.composite
def trees(draw):
    """Entries whose paths do not get in one another's way."""
    entries: dict[str, Entry] = {}
    for path in draw(st.lists(paths, unique=True, max_size=12)):
        parents = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if path in entries or any(p in entries for p in parents) or any(k.startswith(path + "/") for k in entries):
            continue
        kind = draw(st.sampled_from(["file", "symlink"]))
        if kind == "file":
            entries[path] = Entry(path=path, mode=draw(modes), content=Bytes(draw(st.binary(max_size=1500))))
        else:
            entries[path] = Entry.symlink(path, draw(paths))
    return list(entries.values())


def write(entries: list[Entry]) -> bytes:
    out = io.BytesIO()
    for entry in _tar.in_order(entries):
        out.write(_tar.header(entry))
        if entry.content is not None:
            out.write(b"".join(entry.content.chunks()))
            out.write(_tar.padding(entry.size))
    out.write(_tar.END)
    return out.getvalue()


@settings(max_examples=50, deadline=None)
@given(trees(), st.randoms())
def test_any_order_in_gives_one_stream(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)

    assert write(entries) == write(shuffled)


@settings(max_examples=50, deadline=None)
@given(trees())
def test_another_reader_sees_what_was_put_in(entries):
    with tarfile.open(fileobj=io.BytesIO(write(entries))) as archive:
        members = archive.getmembers()
        found = {member.name: member for member in members}
        assert len(found) == len(members)
        for entry in entries:
            member = found[entry.path]
            assert (member.uid, member.gid, member.mtime) == (0, 0, EPOCH)
            if entry.kind == "file":
                assert member.mode == entry.mode
                assert archive.extractfile(member).read() == entry.content.data
            else:
                assert member.linkname == entry.target


@settings(max_examples=50, deadline=None)
@given(trees())
def test_every_parent_comes_once_and_before_its_children(entries):
    seen: set[str] = set()
    for entry in _tar.in_order(entries):
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        assert entry.path not in seen
        seen.add(entry.path)


@settings(max_examples=50, deadline=None)
@given(trees())
def test_paths_are_sorted_by_their_bytes(entries):
    order = [entry.path.encode() for entry in _tar.in_order(entries)]

    assert order == sorted(order)


@pytest.mark.parametrize("length", [99, 100, 101, 155, 200, 256, 257, 300, 5000])
def test_names_of_any_length_survive(length):
    path = ("d" * 50 + "/") * (length // 51) + "f" * (length % 51 or 1)

    with tarfile.open(fileobj=io.BytesIO(write([Entry.file(path, b"x")]))) as archive:
        assert path in archive.getnames()


def test_a_file_of_eight_gibibytes_has_its_size_in_a_pax_record():
    class Huge:
        size = (8 << 30) + 1

    entry = Entry(path="huge", content=Huge())

    assert b"size=8589934593\n" in _tar.header(entry)


def test_large_ids_survive():
    entry = Entry(path="x", uid=3_000_000, gid=4_000_000, content=Bytes(b""))

    with tarfile.open(fileobj=io.BytesIO(_tar.header(entry) + _tar.END)) as archive:
        member = archive.getmembers()[0]
    assert (member.uid, member.gid) == (3_000_000, 4_000_000)


def test_two_files_at_one_path_are_refused():
    with pytest.raises(DuplicatePathError, match="/a/b"):
        _tar.in_order([Entry.file("a/b", b"1"), Entry.file("a/b", b"2")])


def test_the_bytes_of_a_header_are_frozen():
    entries = [Entry.directory("etc"), Entry.file("etc/hostname", b"cog\n"), Entry.symlink("bin", "usr/bin")]
    assert (
        hashlib.sha256(write(entries)).hexdigest() == "48b2fe5e958f5200ab1b892700b184574192cb8c864f2cac0411d8cfe977c10a"
    )
