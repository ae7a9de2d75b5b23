"""Whatever is taken beside, and however far ahead, has the order it was given in; what goes wrong there is told here."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.layers._hashing import Hasher

MIB = 1 << 20
pieces = st.integers(0, 3 * MIB).map(lambda size: bytes([size % 251]) * size)
steps = st.one_of(pieces, st.lists(pieces, max_size=4))


def threads() -> int:
    return sum(thread.name in {"hash", "ahead"} for thread in threading.enumerate())


@given(st.lists(steps, max_size=6))
def test_the_hash_and_what_is_written_are_of_the_pieces_in_order(given_steps):
    written = bytearray()
    with Hasher(written.extend) as hasher:
        for step in given_steps:
            if isinstance(step, bytes):
                hasher.update(step)
            else:
                hasher.foresee(iter(step))
                hasher.follow(sum(map(len, step)))
        digest = hasher.hexdigest()
    whole = b"".join(step if isinstance(step, bytes) else b"".join(step) for step in given_steps)

    assert digest == hashlib.sha256(whole).hexdigest()
    assert written == whole
    assert hasher.size == len(whole)


def test_what_is_less_than_a_batch_needs_no_thread():
    before = threads()
    with Hasher() as hasher:
        for _ in range(100):
            hasher.update(b"x" * 1000)

        assert threads() == before
        assert hasher.hexdigest() == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_what_is_followed_is_fetched_before_its_turn():
    fetched = threading.Event()
    written = []

    def later():
        fetched.set()
        yield b"later"

    def first(data):
        # The first piece is only written when the second was fetched.
        assert fetched.wait(20)
        written.append(bytes(data[:5]))

    with Hasher(first) as hasher:
        hasher.update(b"first" * MIB)
        hasher.foresee(later())
        hasher.follow(5)
        hasher.hexdigest()

    assert written == [b"first", b"later"]


def test_no_more_than_so_much_is_fetched_ahead():
    fetched, taken, ahead = 0, 0, []

    def endless():
        nonlocal fetched
        for _ in range(300):
            fetched += 1
            ahead.append(fetched - taken)
            yield b"x" * 1000

    def slow(_data):
        nonlocal taken
        time.sleep(0.001)
        taken += 1

    with Hasher(slow, ahead=50_000) as hasher:
        hasher.foresee(endless())
        hasher.follow(300_000)
        hasher.hexdigest()

    assert 30 < max(ahead) <= 53


def test_what_is_foreseen_is_fetched_before_anything_follows():
    fetched = threading.Event()

    def pieces():
        yield b"one"
        fetched.set()
        yield b"two"

    with Hasher() as hasher:
        hasher.foresee(pieces())
        hasher.foresee(iter([b"three"]))
        assert fetched.wait(20)
        hasher.update(b"zero")
        hasher.follow(6)
        hasher.follow(5)

        assert hasher.hexdigest() == hashlib.sha256(b"zeroonetwothree").hexdigest()


def test_a_piece_larger_than_the_room_still_comes():
    with Hasher(ahead=10) as hasher:
        for _ in range(3):
            hasher.foresee(iter([b"x" * MIB, b"y" * MIB]))
        for _ in range(3):
            hasher.follow(2 * MIB)

        assert hasher.hexdigest() == hashlib.sha256((b"x" * MIB + b"y" * MIB) * 3).hexdigest()


def test_what_was_foreseen_and_never_follows_is_given_up():
    before = threads()
    with Hasher(ahead=10) as hasher:
        hasher.foresee(b"x" * 1000 for _ in range(10_000))

    assert threads() == before


class BrokenError(Exception):
    pass


def broken():
    yield b"x"
    raise BrokenError


def test_what_breaks_where_pieces_come_from_is_raised_and_nothing_is_left_running():
    before = threads()
    with pytest.raises(BrokenError), Hasher() as hasher:
        hasher.foresee(broken())
        hasher.follow(2)
        for _ in range(200):
            hasher.foresee(iter([b"x" * MIB]))
            hasher.follow(MIB)
            hasher.update(b"y" * MIB)
        hasher.hexdigest()

    assert threads() == before


def test_what_breaks_where_it_is_written_is_raised():
    def full(_data):
        raise BrokenError

    with pytest.raises(BrokenError), Hasher(full) as hasher:
        for _ in range(200):
            hasher.update(b"y" * MIB)
        hasher.hexdigest()


def test_a_context_that_is_left_early_leaves_nothing_running():
    before = threads()
    with pytest.raises(BrokenError), Hasher() as hasher:
        hasher.foresee(b"x" * 1000 for _ in range(10_000))
        hasher.follow(10_000_000)
        raise BrokenError

    assert threads() == before
