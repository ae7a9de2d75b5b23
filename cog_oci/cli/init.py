"""`cog-oci init`: the files of a new project."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["init"]

_FILES = {
    "cog.yaml": "cog.yaml.in",
    "run.py": "run.py.in",
    "requirements.txt": "requirements.txt.in",
    ".dockerignore": "dockerignore.in",
    ".github/workflows/push.yaml": "workflow.yaml.in",
}
"""Where each of `templates/` goes, by Cog's names."""


@click.command()
def init() -> None:
    """Write cog.yaml, run.py and what belongs to them into the working folder.

    \b
    mkdir model && cd model && cog-oci init

    They make a model that works, with comments on what to change. A file that is there already stays as it is.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci import shipped

    templates = dict(shipped.sources("templates"))
    click.echo("Setting up the current directory for use with cog-oci...", err=True)
    for name, template in _FILES.items():
        created = _create(Path(name), templates[template])
        click.echo(f"Creating {name}" if created else f"Skipped existing {name}", err=True)
    click.echo("Done! Next, put your model into run.py, then run `cog-oci lock` and `cog-oci image`.", err=True)


def _create(path: Path, content: bytes) -> bool:
    """Write the file unless there is something of its name; whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
