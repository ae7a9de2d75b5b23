"""Measure whole commands, as a user runs them, on this machine, in this run; one JSON line a figure."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import base
import build
import lock
import push
import run
import serve
import start


def main() -> None:
    """Run the benchmark that is asked for."""
    if sys.platform != "linux":
        sys.exit("bench: needs Linux: what processes cost is read from /proc")
    parser = argparse.ArgumentParser(prog="scripts/bench", description="One JSON line a figure: docs/benchmarks.md")
    benches = parser.add_subparsers(required=True, metavar="BENCH")
    bases = benches.add_parser("base", help="Debian packages from names to layers, against mmdebstrap")
    bases.add_argument("--runs", type=int, default=3, help="of each side, in turns; the median is shown")
    bases.set_defaults(bench=lambda folder, asked: base.bench(folder, asked.runs))
    builds = benches.add_parser("build", help="what a build costs, by itself and against BuildKit")
    builds.add_argument("parts", nargs="*", choices=[*build.PARTS, []], metavar="PART", help=", ".join(build.PARTS))
    builds.add_argument("--runs", type=int, default=3, help="of each figure, interleaved; the median is shown")
    builds.set_defaults(bench=lambda folder, asked: build.bench(folder, asked.parts or build.PARTS, asked.runs))
    locks = benches.add_parser("lock", help="resolving torch and its friends, beside uv alone")
    locks.add_argument("--runs", type=int, default=5, help="of each side, in turns; the median is shown")
    locks.set_defaults(bench=lambda folder, asked: lock.bench(folder, asked.runs))
    runs = benches.add_parser(
        "run", help="a changed line to its answer, against BuildKit; a sandbox to its first answer"
    )
    runs.add_argument("--runs", type=int, default=7, help="of each side, in turns; the median is shown")
    runs.set_defaults(bench=lambda folder, asked: run.bench(folder, asked.runs))
    pushes = benches.add_parser("push", help="an image into a registry, against docker push and skopeo copy")
    pushes.add_argument("--runs", type=int, default=5, help="of each side, in turns; the median is shown")
    pushes.set_defaults(bench=lambda folder, asked: push.bench(folder, asked.runs))
    starts = benches.add_parser("start", help="from the start of a container to READY, with bytecode and without")
    starts.add_argument("--runs", type=int, default=5, help="of each image, in turns; the median is shown")
    starts.set_defaults(bench=lambda folder, asked: start.bench(folder, asked.runs))
    serves = benches.add_parser("serve", help="the server in the image against Cog's own")
    serves.add_argument("parts", nargs="*", choices=[*serve.PARTS, []], metavar="PART", help=", ".join(serve.PARTS))
    serves.add_argument("--runs", type=int, default=5, help="of each figure, in turns; the median is shown")
    serves.add_argument("--seconds", type=int, default=3, help="of load in each run of sync and async")
    serves.add_argument("--ours-only", action="store_true", help="without Cog's server, for quick work")
    serves.set_defaults(
        bench=lambda folder, asked: serve.bench(
            folder, asked.parts or serve.PARTS, asked.runs, asked.seconds, alone=asked.ours_only
        )
    )
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have bytecode
    with tempfile.TemporaryDirectory(prefix="cog-oci-bench-") as folder:
        asked.bench(Path(folder), asked)


if __name__ == "__main__":
    main()
