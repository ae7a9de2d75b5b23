"""Two layers, member by member: as tar streams that are read once, with memory for headers only.

Where both streams are at the same path they are compared byte by byte. Where they are not, the member whose path sorts
first is passed by, and remembered by its header and its content's hash until the other side has it, or ends. Our own
layers are sorted by path, so that nothing but what is missing or added is ever passed by.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.compare._difference import Difference, at_byte
from cog_oci.compare._head import BLOCK
from cog_oci.compare._headers import compare_heads
from cog_oci.compare._side import CHUNK, Side, Skipped

if TYPE_CHECKING:
    from cog_oci.compare._head import Head

__all__ = ["compare_layers"]

_NEXT = 4 * BLOCK  # what is looked at of the next member: its header, with the usual records and their block


def compare_layers(expected: BinaryIO, actual: BinaryIO) -> list[Difference]:
    """Everything in which `actual` differs from `expected`, in the order of the tar; empty only for equal streams.

    Both are plain tars at their beginning, and are read to their ends. A header that is damaged is compared with the
    one that should be in its place.
    """
    return _Comparison(Side(expected), Side(actual)).run()


class _Comparison:
    def __init__(self, expected: Side, actual: Side) -> None:
        self._expected, self._actual = expected, actual
        # A member that was passed by keeps its place among what was found until it is known what became of it.
        self._found: list[Difference | Skipped] = []
        self._missing: dict[bytes, deque[Skipped]] = defaultdict(deque)
        self._added: dict[bytes, deque[Skipped]] = defaultdict(deque)
        self._pairs: list[tuple[int, int, str]] = []
        self._last = ""
        self._astray = False

    def run(self) -> list[Difference]:
        while self._step():
            pass
        self._end()
        return [*self._settled(), *self._order()]

    def _step(self) -> bool:
        """Compare or pass by what comes next; False when nothing but an end does."""
        expected = None if self._expected.at_end else self._expected.head()
        if expected is not None and self._actual.peek(len(expected.raw)) == expected.raw:
            self._both(expected, expected)
            return True
        actual = None if self._actual.at_end else self._actual.head()
        if expected is not None and actual is not None:
            self._two(expected, actual)
        elif expected is not None:
            self._alone(expected, self._expected, self._actual)
        elif actual is not None:
            self._alone(actual, self._actual, self._expected)
        else:
            return self._neither()
        return True

    def _two(self, expected: Head, actual: Head) -> None:
        if expected.name == actual.name:
            self._both(expected, actual)
        elif waiting := self._added.get(expected.name):
            self._reunite(self._expected.skip(expected), waiting.popleft())
        elif waiting := self._missing.get(actual.name):
            self._reunite(waiting.popleft(), self._actual.skip(actual))
        elif self._renamed(expected, actual):
            self._both(expected, actual)
        elif expected.name < actual.name:
            self._pass(self._expected, expected)
        else:
            self._pass(self._actual, actual)

    def _renamed(self, expected: Head, actual: Head) -> bool:
        """Whether this is one member with another name: all of its content is the same, and so is what comes next."""
        if (len(expected.raw), expected.size) != (len(actual.raw), actual.size) or expected.size > CHUNK:
            return False
        start = len(expected.raw)
        end = start + expected.size + -expected.size % BLOCK + _NEXT
        return self._expected.peek(end)[start:] == self._actual.peek(end)[start:]

    def _both(self, expected: Head, actual: Head) -> None:
        """The same member on both sides."""
        path = self._at(expected)
        if self._missing or self._added:
            self._pairs.append((self._expected.members, self._actual.members, path))
        self._expected.members += 1
        self._actual.members += 1
        self._expected.take(len(expected.raw))
        self._actual.take(len(actual.raw))
        self._found += compare_heads(path, expected, actual)
        self._content(path, expected.size, actual.size)

    def _alone(self, head: Head, side: Side, other: Side) -> None:
        """A member on one side; the other has ended, or is damaged."""
        if not other.at_end:
            self._damaged(head)
            return
        waiting = (self._added if side is self._expected else self._missing).get(head.name)
        if not waiting:
            self._pass(side, head)
            return
        before, now = waiting.popleft(), side.skip(head)
        self._reunite(*((now, before) if side is self._expected else (before, now)))

    def _damaged(self, head: Head) -> None:
        """One side has a member, and the other something else in its place, which is taken for the same member."""
        path = self._at(head)
        self._expected.members += 1
        self._actual.members += 1
        expected, actual = (head.laid_over(side.take(len(head.raw))) for side in (self._expected, self._actual))
        if len(expected.raw) == len(actual.raw) and not _alike(expected, actual):
            self._found.append(Difference(path, "what is in the place of its header", "a header", "something else"))
        else:
            self._found += compare_heads(path, expected, actual)
        self._content(path, head.size, head.size)

    def _neither(self) -> bool:
        """No member on either side: a block that is none on both is compared as bytes."""
        if self._expected.at_end or self._actual.at_end:
            return False
        offset = self._expected.offset
        expected, actual = self._expected.take(BLOCK), self._actual.take(BLOCK)
        if expected != actual and not self._astray:
            self._astray = True
            where = f"after {self._last or 'the beginning'}"
            self._found += at_byte(where, "byte {} of the tar", expected, actual, base=offset)
        return True

    def _content(self, path: str, expected: int, actual: int) -> None:
        """Contents and padding of these sizes, in bytes."""
        common = min(expected, actual)
        at, found = 0, False
        while at < common:
            size = min(CHUNK, common - at)
            one, other = self._expected.take(size), self._actual.take(size)
            if one != other and not found:
                found = True
                self._found += at_byte(path, f"content byte {{}} of {expected}", one, other, base=at)
            at += size
            if max(len(one), len(other)) < size:
                break  # both streams have ended: the size came from a header that is damaged
        for side, size in ((self._expected, expected), (self._actual, actual)):
            for _ in side.chunks(size - common):
                pass
        padding = self._expected.take(-expected % BLOCK), self._actual.take(-actual % BLOCK)
        if expected == actual and not (found and len(padding[0]) != len(padding[1])):
            self._found += at_byte(path, "padding byte {} after the content", *padding)

    def _end(self) -> None:
        """What is left on both sides, which should be zeros."""
        at = 0
        while True:
            one, other = self._expected.take(CHUNK), self._actual.take(CHUNK)
            if one != other:
                self._found += at_byte("the end", "byte {} after the last member", one, other, base=at)
                break
            if not one:
                break
            at += len(one)
        for side in (self._expected, self._actual):
            while side.take(CHUNK):
                pass

    def _pass(self, side: Side, head: Head) -> None:
        self._at(head)
        skipped = side.skip(head)
        (self._missing if side is self._expected else self._added)[head.name].append(skipped)
        self._found.append(skipped)

    def _reunite(self, expected: Skipped, actual: Skipped) -> None:
        """A member that one side had earlier than the other."""
        path = self._at(expected.head)
        self._pairs.append((expected.index, actual.index, path))
        self._found += _compare_skipped(path, expected, actual)

    def _settled(self) -> list[Difference]:
        """What was found, with every member that was never met again as one that is missing or added."""
        missing, added = (
            {id(one) for waiting in passed.values() for one in waiting} for passed in (self._missing, self._added)
        )
        settled: list[Difference] = []
        for one in self._found:
            if isinstance(one, Difference):
                settled.append(one)
            elif id(one) in missing:
                settled.append(Difference(one.head.path, "", "a member", None))
            elif id(one) in added:
                settled.append(Difference(one.head.path, "", None, "a member"))
        return settled

    def _order(self) -> list[Difference]:
        """Where the order departs: the first member that both sides have and that comes too early."""
        last = -1
        for index, found, path in sorted(self._pairs):
            if found < last:
                return [Difference(path, "place in the order of members", str(index), str(found))]
            last = found
        return []

    def _at(self, head: Head) -> str:
        self._last, self._astray = head.path, False
        return self._last


def _alike(expected: Head, actual: Head) -> bool:
    """Whether this looks like the same header, damaged, and not like anything else."""
    same = sum(one == other for one, other in zip(expected.raw, actual.raw, strict=True))
    return same * 2 > len(expected.raw)


def _compare_skipped(path: str, expected: Skipped, actual: Skipped) -> list[Difference]:
    found = compare_heads(path, expected.head, actual.head)
    if expected.sha256 != actual.sha256 and expected.head.size == actual.head.size:
        found.append(Difference(path, "content", f"sha256:{expected.sha256}", f"sha256:{actual.sha256}"))
    return found + at_byte(path, "padding byte {} after the content", expected.padding, actual.padding)
