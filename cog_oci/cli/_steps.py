"""Options for commands of cog.yaml that build the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.workshop import Workshop

    Decorated = Callable[..., Any]

__all__ = ["StepOptions", "step_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """What the command line gives to steps."""

    secrets: tuple[str, ...]
    network: bool
    accept: bool

    def allowing(self, shop: Workshop) -> Workshop:
        """The workshop that gives it. Raises CogError for a secret that is not written as one."""
        if not (self.secrets or self.network or self.accept):
            return shop
        from cog_oci.steps import Allowance, Secret

        secrets = tuple(Secret.parse(text) for text in self.secrets)
        allowance = Allowance(secrets=secrets, accept=self.accept)
        return replace(shop, allowance=replace(allowance, network=True) if self.network else allowance)


def step_options(command: Decorated) -> Decorated:
    """`--secret`, as in Cog, `--step-network` and `--accept-steps`: they arrive as the argument `steps`."""
    options = (
        click.option(
            *("--secret", "secrets"),
            multiple=True,
            metavar="id=NAME,src=FILE",
            help="A secret for commands of build.run that mount it: src=FILE, or env=VARIABLE. May be repeated.",
        ),
        click.option(
            "--step-network",
            is_flag=True,
            help="Let every command of build.run use the network, as Cog does and as COG_OCI_STEP_NETWORK=1 says; in"
            " cog.yaml, `network: true` lets one.",
        ),
        click.option(
            "--accept-steps",
            is_flag=True,
            help="Where a command of build.run makes something else than cog.lock recorded, record what it makes now.",
        ),
    )

    @wraps(command)
    def gathered(*args: Any, secrets: tuple[str, ...], step_network: bool, accept_steps: bool, **rest: Any) -> Any:
        return command(*args, steps=StepOptions(secrets=secrets, network=step_network, accept=accept_steps), **rest)

    for option in reversed(options):
        gathered = option(gathered)
    return gathered
