"""A layer's listing: it tells which path is another, and never that anything is where nothing is."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from cog_oci.listing import listing, unlike

PATHS = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=4), max_size=8)


def tar(files: dict[str, bytes], mode: int = 0o644) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    out.seek(0)
    return out


@given(TREES)
def test_a_layer_is_like_its_own_listing(files):
    assert unlike(listing(tar(files)), tar(files)) == []


@given(TREES, TREES)
def test_each_path_that_is_new_or_differs_is_named_and_what_is_gone_is_counted(before, after):
    found = unlike(listing(tar(before)), tar(after))

    differing = [f"/{path}: differs" for path in sorted(after) if path in before and before[path] != after[path]]
    new = [f"/{path}: was not there" for path in sorted(after) if path not in before]
    gone = len(before.keys() - after.keys())
    assert sorted(found) == sorted([*differing, *new, *([f"{gone} more were there and are not"] if gone else [])])


def test_a_mode_counts():
    assert unlike(listing(tar({"a": b""})), tar({"a": b""}, 0o755)) == ["/a: differs"]


def test_of_many_paths_the_folder_is_named_and_the_listing_stays_small():
    before = {f"opt/{n % 40}/deep/{n}": b"x" for n in range(3000)}

    text = listing(tar(before))

    assert len(text) < 10_000
    assert unlike(text, tar(before)) == []
    assert unlike(text, tar({**before, "opt/7/deep/new": b""})) == [
        "/opt/7/deep: is new or changed, it or what is in it"
    ]
