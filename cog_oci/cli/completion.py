"""`cog-oci completion`: what makes a shell complete commands, options, and the names of a model's inputs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cog_oci.errors import CogError

__all__ = ["VARIABLE", "completion"]

VARIABLE = "_COG_OCI_COMPLETE"
"""By which a shell asks what may come next (click's protocol)."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--name", default="cog-oci", show_default=True, help="The command to complete, as in `--name cog`.")
def completion(*, shell: str, name: str) -> None:
    """Print a script with which SHELL completes commands, options, and inputs after -i.

    \b
    source <(cog-oci completion bash)                          in ~/.bashrc
    source <(cog-oci completion zsh)                           in ~/.zshrc
    cog-oci completion fish > ~/.config/fish/completions/cog-oci.fish

    bash has to be 4.4 or newer.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli import cog_oci

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click knows all three
        raise CogError(f"nothing is known of {shell}")
    maker = found(cog_oci, {}, name, VARIABLE)
    # Not source(): that of bash would start bash to see its version, and be wrong about the user's.
    click.echo(maker.source_template % maker.source_vars())
