"""Predictions per second: servers under load, in turns."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import load
import measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from load import Load
    from products import Product

__all__ = ["figures"]

_CONNECTIONS = (1, 8, 32)
_AGAIN = 3
_FEW = 0.01


def figures(name: str, model: str, sides: Sequence[Product], runs: int, seconds: int, **environment: str) -> None:
    """A line for each number of connections: ours against, unless it is missing, the peer."""
    if why := load.lacking():
        measure.skip(f"{name}: predictions per second", why)
        return
    with ExitStack() as stack:
        targets = [stack.enter_context(_Target(side, model, environment)) for side in sides]
        for target in targets:
            target.load(max(_CONNECTIONS), 1)  # not counted
        for connections in _CONNECTIONS:
            measure.say(f"{name}: {connections} connection(s), {runs} rounds")
            hung = [target.hung for target in targets]
            rounds = measure.in_turns(targets, runs, lambda target: target.load(connections, seconds))  # noqa: B023 - is called before it changes
            middles = [load.median(taken) for taken in rounds]
            fields = [
                _fields(middle, target.hung - before)
                for middle, target, before in zip(middles, targets, hung, strict=True)
            ]
            line: dict[str, Any] = {"figure": f"{name}, {connections} connection(s)", **fields[0]}
            if len(middles) > 1:
                line |= {f"peer_{field}": value for field, value in fields[1].items()}
                line |= _ratios(*middles)
            print(json.dumps({**line, "runs": runs, "seconds": seconds}), flush=True)


class _Target:
    """A server that is started again when it has stopped answering; `hung` says how often it had."""

    def __init__(self, product: Product, model: str, environment: Mapping[str, str]) -> None:
        self.hung = 0
        self._product = product
        self._model = model
        self._environment = environment
        self._server = product.start(model, **environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    def load(self, connections: int, seconds: int) -> Load:
        """A round. One that the server does not survive is taken once more, a few times."""
        for _ in range(_AGAIN):
            taken = load.load(self._server.port, connections, seconds)
            if self._server.answers():
                break
            self.hung += 1
            measure.say(f"{self._product.name} does not answer any more and is started again")
            self._server.stop()
            self._server = self._product.start(self._model, **self._environment)
        return taken


def _fields(taken: Load, hung: int) -> dict[str, object]:
    return {
        "per_second": round(taken.per_second, 1),
        "p50_ms": round(taken.p50, 3),
        "p99_ms": round(taken.p99, 3),
        "not_200": dict(sorted(taken.others.items())),
        "errors": taken.errors,
        "hung": hung,
    }


def _ratios(ours: Load, theirs: Load) -> dict[str, float]:
    """Times are compared only where nearly every answer is a prediction's: a refusal is quick."""
    ratios = {"ratio": round(ours.per_second / max(theirs.per_second, 0.1), 2)}
    if max(ours.refused, theirs.refused) <= _FEW:
        ratios |= {"p50_ratio": round(theirs.p50 / ours.p50, 2), "p99_ratio": round(theirs.p99 / ours.p99, 2)}
    return ratios
