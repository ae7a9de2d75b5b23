"""The program uv, asked what satisfies some requirements: how it is called, and what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from cog_oci.origins import uv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from cog_oci.indexes import Indexes
    from cog_oci.lock import Wheel
    from cog_oci.resolver._asked import Given, Keep
    from cog_oci.resolver.target import Target

__all__ = ["OURS", "Uv"]

OURS = frozenset({"cog", "coglet"})
"""What the image brings itself."""

_NEWEST_MANYLINUX = (2, 40)  # what uv knows
_NO_DATE = re.compile(r"`([^`]+)` is missing an upload date")
_ROUNDS = 3  # of asking again without the dates of packages that have none; then without any


@dataclass(frozen=True, slots=True)
class Uv:
    """One question for uv, asked in two formats. `meanwhile` is what is done when it is at work on the first."""

    source: Path
    target: Target
    as_of: datetime
    folder: Path
    keep: Keep
    indexes: Indexes
    given: Given
    meanwhile: Sequence[Callable[[], None]]

    def locked(self) -> tuple[tuple[str, ...], subprocess.CompletedProcess[str]]:
        """What uv says when it is to write a pylock.toml, and the packages, `*` for all, whose dates were not asked.

        An index need not say when a file was uploaded, and uv leaves out a file of which it does not know that.
        """
        undated: set[str] = set()
        for _ in range(_ROUNDS):
            done = self._run("pylock.toml", sorted(undated))
            more = {_package_of(file) for file in _NO_DATE.findall(done.stderr)} - undated - {""}
            if not done.returncode or not more:
                return tuple(sorted(undated)), done
            undated |= more
        return ("*",), self._run("pylock.toml", ["*"])

    @contextmanager
    def listing(self, undated: Sequence[str]) -> Iterator[Callable[[], subprocess.CompletedProcess[str]]]:
        """pylock.toml does not say who asked for what, nor which index has it; this does, on standard output.

        It is made while the context is open; what is given waits for it. What it needs is in uv's cache now, unless uv
        is to have none.
        """
        with self._begun("requirements.txt", undated, "--offline") as uv_offline:

            def wait() -> subprocess.CompletedProcess[str]:
                done = _ended(uv_offline)
                return self._run("requirements.txt", undated) if done.returncode else done

            yield wait

    def _run(self, file: str, undated: Sequence[str]) -> subprocess.CompletedProcess[str]:
        with self._begun(file, undated) as process:
            for work in self.meanwhile:
                work()
            return _ended(process)

    @contextmanager
    def _begun(self, file: str, undated: Sequence[str], *more: str) -> Iterator[subprocess.Popen[str]]:
        """A uv at work; it has ended when the context does, by force if that is for an error."""
        output = self.folder / file
        if self.keep.wheels:  # uv prefers the versions that it finds in the file that it is about to write
            output.write_text(_listing(self.keep.wheels, output), encoding="utf-8")
        dates = [] if "*" in undated else ["--exclude-newer", self.as_of.isoformat()]
        dates += [word for name in undated if dates for word in ("--exclude-newer-package", f"{name}=false")]
        with _compile(self, output, (*dates, *more)) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise


def _ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """What it has said, once it has."""
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def _compile(job: Uv, output: Path, more: Sequence[str]) -> subprocess.Popen[str]:
    target, indexes, given = job.target, job.indexes, job.given
    glibc = min(target.glibc, _NEWEST_MANYLINUX)
    command = [
        *(uv(), "pip", "compile", str(job.source), "--output-file", str(output)),
        *("--format", "pylock.toml" if output.name == "pylock.toml" else "requirements.txt"),
        # Any interpreter will do for the program itself; looking for one of the target's version costs seconds.
        *("--python", sys.executable),
        *("--python-version", f"{target.python[0]}.{target.python[1]}"),
        *("--python-platform", f"{target.machine}-manylinux_{glibc[0]}_{glibc[1]}"),
        *("--only-binary", ":all:"),
        *("--no-header", "--no-progress", "--color", "never", "--annotation-style", "line"),
        *(("--index", given.before) if given.before else ()),
        *indexes.arguments(),
        *given.arguments,
        *(("--emit-index-annotation",) if output.suffix == ".txt" else ()),
        *("--overrides", str(_without_ours(output))),
        *(word for text in job.keep.upgraded for word in ("--upgrade-package", text)),
        *more,
    ]
    # A requirements file's own --index-url counts before what the machine has, as with pip; and not in the list of
    # processes, for it may have a login.
    named = f"{indexes.default_name}=" if indexes.default_name else ""
    own = {"UV_DEFAULT_INDEX": named + indexes.written["index-url"]} if "index-url" in indexes.written else {}
    slow = {"UV_HTTP_TIMEOUT": "3600"} if given.before else {}  # seconds: a build may be behind an answer
    pipe, env = subprocess.PIPE, {**os.environ, **indexes.logins(), **own, **slow}
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)


def _without_ours(output: Path) -> Path:
    """A file of overrides (uv) under which nothing needs what the image brings anyway, nor what that would need."""
    path = output.with_suffix(".overrides.txt")
    path.write_text("".join(f"{name} ; sys_platform == 'never'\n" for name in sorted(OURS)), encoding="utf-8")
    return path


def _listing(wheels: Iterable[Wheel], output: Path) -> str:
    """The versions of these wheels, in the format that the name of the file asks for."""
    if output.name == "pylock.toml":
        rows = (f'[[packages]]\nname = "{wheel.name}"\nversion = "{wheel.version}"\n' for wheel in wheels)
        return 'lock-version = "1.0"\ncreated-by = "cog-oci"\n' + "".join(rows)
    return "".join(f"{wheel.name}=={wheel.version}\n" for wheel in wheels)


def _package_of(file: str) -> str:
    """The name of the package that a wheel or a source archive is of; empty where the name of the file does not say."""
    try:
        return str((parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename)(file)[0])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""
