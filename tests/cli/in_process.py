"""The command line without a process of its own: what it does is the same, and a test takes no second to start it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from cog_oci.cli import main
from tests.conftest import forget_the_environment


@dataclass
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str, cwd: Path, check: bool = True, **env: str) -> Done:
    """Run `cog-oci` with these arguments in this folder, and with these variables beside those that are set."""
    forget_the_environment()
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["cog-oci", *arguments]),
        patch.dict(os.environ, env),
    ):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    assert not check or status == 0, f"{arguments}: {out.getvalue()}{err.getvalue()}"
    return Done(status, out.getvalue(), err.getvalue())
