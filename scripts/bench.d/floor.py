"""One wheel to a layer with both digests, beside the floor: inflating and hashing it once.

Each step is taken in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import queue
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measure
from isal import isal_zlib
from packaging.utils import parse_wheel_filename

from cog_oci.layers import realise
from cog_oci.layers.wheels import WheelLayer
from cog_oci.lock import Wheel
from cog_oci.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["figures"]

_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # APPNOTE.TXT 4.3.7


def figures(wheel: Path, store: Store, runs: int) -> None:
    """The layer in each envelope, against the floor in one thread, with hashing in another for comparison."""
    steps = ("inflate and hash", "inflate, hash beside", "gzip", "zstd", "none")
    taken: dict[str, list[measure.Run]] = {step: [] for step in steps}
    for _ in range(runs):
        for step in steps:
            taken[step].append(_apart(step, wheel, store))
    floor = taken["inflate and hash"]
    with zipfile.ZipFile(wheel) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
        about: dict[str, Any] = {
            "wheel": wheel.name,
            "wheel_mb": round(wheel.stat().st_size / 1e6, 1),
            "unpacked_mb": round(unpacked / 1e6, 1),
            "files": len(archive.infolist()),
        }
    measure.show("one wheel: the floor, inflated and hashed in one thread", floor, **about)
    measure.show("one wheel: the floor with hashing in another thread", taken["inflate, hash beside"])
    for step in steps[2:]:
        measure.show(f"one wheel to a layer, {step}", taken[step], floor=floor)


def _apart(step: str, wheel: Path, store: Store) -> measure.Run:
    with tempfile.TemporaryDirectory(dir=store.root.parent) as folder:
        empty = Store(Path(folder))
        kept = empty.path(_locked(wheel).digest)
        kept.parent.mkdir(parents=True)
        kept.hardlink_to(wheel)
        done = subprocess.run(
            [sys.executable, __file__, step, str(wheel), folder], check=True, stdout=subprocess.PIPE, text=True
        )
    return measure.Run(**json.loads(done.stdout))


def _locked(wheel: Path) -> Wheel:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return Wheel(
        name=name,
        version=str(version),
        file=wheel.name,
        sha256=digest,
        size=wheel.stat().st_size,
        index="default",
    )


def _inflated(wheel: Path) -> Iterator[bytes | memoryview]:
    """The content of every member, in the order of the file, a megabyte at most at a time."""
    with (
        wheel.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
        zipfile.ZipFile(file) as archive,
    ):
        for info in archive.infolist():
            header = _LOCAL_HEADER.unpack_from(whole, info.header_offset)
            start = info.header_offset + _LOCAL_HEADER.size + header[9] + header[10]
            with whole[start : start + info.compress_size] as raw:
                if info.compress_type == zipfile.ZIP_STORED:
                    yield from (bytes(raw[at : at + _CHUNK]) for at in range(0, len(raw), _CHUNK))
                    continue
                inflater = isal_zlib.decompressobj(-15)
                for at in range(0, len(raw), _CHUNK):
                    data = bytes(raw[at : at + _CHUNK])
                    while chunk := inflater.decompress(data, _CHUNK):
                        yield chunk
                        data = inflater.unconsumed_tail


def _hash(chunks: Iterator[bytes | memoryview]) -> None:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)


def _hash_beside(chunks: Iterator[bytes | memoryview]) -> None:
    waiting: queue.Queue[bytes | memoryview | None] = queue.Queue(8)
    hasher = threading.Thread(target=_hash, args=(iter(waiting.get, None),))
    hasher.start()
    for chunk in chunks:
        waiting.put(chunk)
    waiting.put(None)
    hasher.join()


def _step(name: str, wheel: Path, store: Store) -> Callable[[], object]:
    match name:
        case "inflate and hash":
            return lambda: _hash(_inflated(wheel))
        case "inflate, hash beside":
            return lambda: _hash_beside(_inflated(wheel))
        case "gzip" | "zstd" | "none":
            layer = WheelLayer("3.11", "/usr/bin/python3.11", (_locked(wheel),))
            return lambda: realise(layer, store, compression=name)
        case _:
            raise ValueError(name)


def main() -> None:
    """One step, in this process: what it cost, as JSON."""
    name, wheel, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    step = _step(name, wheel, Store(root))
    written, processor, start = measure.written("self"), time.process_time(), time.perf_counter()
    step()
    run = measure.Run(
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - processor,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        written_mb=(measure.written("self") - written) / 1e6,
    )
    print(json.dumps(asdict(run)))


if __name__ == "__main__":
    main()
