"""What a command of `build.run` or `build.pre_install` makes of the layers below it.

Where a command runs is for whoever gives the runner. What it made is kept in the store as a plain tar, once: another
compression of the layer does not run it again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

from cog_oci.layers import blob_key, realise, recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cog_oci.build_steps import Step
    from cog_oci.layers import Compression, Layer
    from cog_oci.layers._tar import Entry
    from cog_oci.lock import Artifact
    from cog_oci.store import Store

__all__ = ["Runner", "StepLayer"]

_VERSION = 1
_SHOWN = 60


class Runner(Protocol):
    """Something that can run commands on layers."""

    def run(self, layer: StepLayer, store: Store) -> AbstractContextManager[Iterable[Entry]]:
        """Run the layer's step on the layers below it: what it changes there, whiteouts included.

        Raises CogError when it fails, or cannot be run.
        """


@dataclass(frozen=True)
class StepLayer:
    """The difference that a step makes: the `number`th of its phase, on the layers `below`, bottom up.

    `env` is what the image's environment has for it.
    """

    step: Step
    number: int
    below: tuple[Layer, ...]
    env: Mapping[str, str]
    runner: Runner | None = field(default=None, compare=False, repr=False)

    listed: ClassVar[bool] = True
    """The lock tells what is in it, path by path: a command may make something else another time."""

    @property
    def name(self) -> str:
        """`build.run 2`."""
        return f"build.{self.step.phase} {self.number}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        command = " ".join(self.step.command.split())
        shown = command if len(command) <= _SHOWN else command[:_SHOWN].rstrip() + "…"
        return f"`{shown}`; changes with every layer below"

    @property
    def told(self) -> str:
        """What the image's history says of it."""
        return self.step.told

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Those of the layers below, each once."""
        return tuple({one.sha256: one for layer in self.below for one in layer.artifacts}.values())

    @cached_property
    def recipe(self) -> str:
        """By the layers below, the command, what it sees of variables, and the names of its secrets, not by these.

        Whether it may use the network is no part of it: what it makes is what it made when it was first made.
        """
        return recipe(
            "step",
            _VERSION,
            below=[layer.recipe for layer in self.below],
            command=self.step.command,
            variables=sorted(self.step.variables),
            env=dict(self.env),
            secrets=sorted([secret.target, secret.id] for secret in self.step.secrets),
        )

    def run_by(self, runner: Runner) -> StepLayer:
        """The same layer, and those below it, with something that can run them."""
        below = tuple(layer.run_by(runner) if isinstance(layer, StepLayer) else layer for layer in self.below)
        return replace(self, runner=runner, below=below)

    def forget(self, store: Store, compression: Compression) -> None:
        """Next time it is run again."""
        store.forget(blob_key(self, compression))
        store.forget(blob_key(self.result, "none"))

    @property
    def result(self) -> Layer:
        """What is kept of it: to be realised without compression."""
        return _Result(self)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """Its entries; the step is run when the store does not have them. Raises what the runner raises."""
        from cog_oci.layers._stored import stored_entries  # noqa: PLC0415 - a layer that is known opens nothing

        with stored_entries(realise(self.result, store, compression="none"), store) as entries:
            yield entries


@dataclass(frozen=True)
class _Result:
    layer: StepLayer

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def why(self) -> str:
        return self.layer.why

    @property
    def artifacts(self) -> Sequence[Artifact]:
        return self.layer.artifacts

    @property
    def recipe(self) -> str:
        return recipe("step result", _VERSION, layer=self.layer.recipe)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        if self.layer.runner is None:
            raise RuntimeError(f"{self.layer.name} is opened without a runner")
        with self.layer.runner.run(self.layer, store) as entries:
            yield entries
