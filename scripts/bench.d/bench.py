"""Measure whole commands, as a user runs them, on this machine, in this run; one JSON line a figure."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import build
import start


def main() -> None:
    """Run the benchmark that is asked for."""
    if sys.platform != "linux":
        sys.exit("bench: needs Linux: what processes cost is read from /proc")
    parser = argparse.ArgumentParser(prog="scripts/bench", description="One JSON line a figure: docs/benchmarks.md")
    benches = parser.add_subparsers(required=True, metavar="BENCH")
    builds = benches.add_parser("build", help="what a build costs, by itself and against BuildKit")
    builds.add_argument("parts", nargs="*", choices=[*build.PARTS, []], metavar="PART", help=", ".join(build.PARTS))
    builds.add_argument("--runs", type=int, default=3, help="of each figure, interleaved; the median is shown")
    builds.set_defaults(bench=lambda folder, asked: build.bench(folder, asked.parts or build.PARTS, asked.runs))
    starts = benches.add_parser("start", help="from the start of a container to READY, with bytecode and without")
    starts.add_argument("--runs", type=int, default=5, help="of each image, in turns; the median is shown")
    starts.set_defaults(bench=lambda folder, asked: start.bench(folder, asked.runs))
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have bytecode
    with tempfile.TemporaryDirectory(prefix="cog-oci-bench-") as folder:
        asked.bench(Path(folder), asked)


if __name__ == "__main__":
    main()
