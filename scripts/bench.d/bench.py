"""Measure whole commands, as a user runs them, on this machine, in this run; one JSON line a figure."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("layers", "unpacked")


@dataclass(frozen=True)
class Run:
    """One command: seconds of wall clock and of processor, and the largest resident size of any of its processes."""

    seconds: float
    cpu: float
    peak_mb: float


def measured(*command: str, cwd: Path, cache: Path) -> Run:
    """Run it once; end the benchmark when it fails."""
    start = time.perf_counter()
    pid = os.posix_spawnp(
        "sh",
        ["sh", "-c", 'cd "$0" && exec "$@" >/dev/null 2>"$COG_CACHE_DIR.log"', str(cwd), *command],
        {**os.environ, "COG_CACHE_DIR": str(cache)},
    )
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)} failed: {Path(f'{cache}.log').read_text()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def forget_layers(cache: Path) -> None:
    """What was built is gone, what was fetched stays: only blobs that a layer's record names are removed."""
    for record in (cache / "layers").glob("*"):
        digest = json.loads(record.read_text())["descriptor"]["digest"].removeprefix("sha256:")
        (cache / "blobs" / "sha256" / digest).unlink(missing_ok=True)
    for folder in LAYERS:
        shutil.rmtree(cache / folder, ignore_errors=True)


def show(figure: str, runs: list[Run], **more: object) -> None:
    """The median of the runs, and the worst memory."""
    middle = statistics.median(run.seconds for run in runs)
    line = {
        "figure": figure,
        "seconds": round(middle, 3),
        "cpu_seconds": round(statistics.median(run.cpu for run in runs), 3),
        "peak_mb": round(max(run.peak_mb for run in runs), 1),
        "runs": len(runs),
        **more,
    }
    print(json.dumps(line), flush=True)


def build(folder: Path) -> None:
    """examples/filetype: lock → archive, from nothing known to everything known."""
    project, cache, archive = folder / "filetype", folder / "cache", folder / "image.tar"
    shutil.copytree(ROOT / "examples" / "filetype", project, ignore=shutil.ignore_patterns("cog.lock", "*.tar"))
    image = ("cog-oci", "image", "-o", str(archive))

    def image_of(times: int, prepare: object = None) -> list[Run]:
        runs = []
        for number in range(times):
            if callable(prepare):
                prepare(number)
            runs.append(measured(*image, cwd=project, cache=cache))
        return runs

    def add_a_line(number: int) -> None:
        with (project / "run.py").open("a") as file:
            file.write(f"# line {number}\n")

    show("lock, cold", [measured("cog-oci", "lock", cwd=project, cache=cache)])
    show("lock, again", [measured("cog-oci", "lock", cwd=project, cache=cache)])
    shutil.rmtree(cache)
    show("cold store to archive", image_of(1))
    show("warm store, no layers, to archive", image_of(5, lambda _: forget_layers(cache)))
    show("nothing changed to archive", image_of(7), archive_mb=round(archive.stat().st_size / 1e6, 1))
    show("one line of code changed to archive", image_of(7, add_a_line))
    show("cog-oci --version", [measured("cog-oci", "--version", cwd=project, cache=cache) for _ in range(9)])


def main() -> None:
    """Run the benchmark that is asked for."""
    benches = {"build": build}
    if len(sys.argv) != 2 or sys.argv[1] not in benches:
        sys.exit(f"usage: scripts/bench {'|'.join(benches)}")
    with tempfile.TemporaryDirectory(prefix="cog-oci-bench-") as folder:
        benches[sys.argv[1]](Path(folder))


if __name__ == "__main__":
    main()
