"""`cog-oci alias`: `cog` as a name for this program, so that scripts written for Cog keep working."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from cog_oci.errors import CogError

__all__ = ["alias"]

_MARK = "# Made by `cog-oci alias`."
_PROGRAM = "import sys; sys.argv[0] = 'cog'; from cog_oci.cli import main; main()"
_SCRIPT = """\
#!/bin/sh
{mark}
# With Cog, commands of build.run have the network, and the registry is Replicate's where none is named.
export COG_OCI_STEP_NETWORK="${{COG_OCI_STEP_NETWORK-1}}" COG_REGISTRY_HOST="${{COG_REGISTRY_HOST:-r8.im}}"
# -P: a file of the project may be called as a module of ours, or of Python's.
exec {python} -P -c {program} "$@"
"""


@click.command()
@click.option(
    "--install",
    "folder",
    is_flag=False,
    flag_value="~/.local/bin",
    type=click.Path(path_type=Path),
    metavar="[FOLDER]",
    help="Put it into this folder as `cog`.  [without a value: ~/.local/bin]",
)
def alias(*, folder: Path | None) -> None:
    """Print a `cog` script that runs this program, or put it where the shell finds it.

    \b
    cog-oci alias > ~/bin/cog && chmod +x ~/bin/cog
    cog-oci alias --install

    A `cog` that is another program is left alone.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    script = _SCRIPT.format(mark=_MARK, python=shlex.quote(sys.executable), program=shlex.quote(_PROGRAM))
    if folder is None:
        click.echo(script, nl=False)
        return
    path = Path(os.path.expanduser(folder), "cog")  # noqa: PTH111 - pathlib raises for a user who is not known
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise CogError(f"{path} is another program", hint="name another folder, or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    click.echo(f"`cog` is now {path}", err=True)
