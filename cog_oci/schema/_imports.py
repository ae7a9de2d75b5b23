"""Imports of the model's file that fail in the image, whatever they are for: nothing of the model would be served."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cog_oci.schema._names import COGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.errors import Problem
    from cog_oci.schema._source import Module

__all__ = ["IMPORTABLE", "failing_imports"]

IMPORTABLE = COGS | {"ExperimentalFeatureWarning", "emit_metric"}
IMPORTABLE |= {"coder", "exceptions", "input", "model", "predictor", "server", "suppress_output", "types"}
"""What `from cog import …` finds: the names of the star, former ones, and modules."""


def failing_imports(module: Module) -> list[Problem]:
    """Those of the file that a reference names. What is below a `try` or a condition may be meant to fail."""
    return [problem for statement in module.tree.body for problem in _failing(module, statement)]


def _failing(module: Module, statement: ast.stmt) -> Iterator[Problem]:
    if not isinstance(statement, ast.ImportFrom):
        return
    if statement.level > len(module.package.split(".")) * bool(module.package):
        way = f"from {statement.module} import …" if statement.module else "import …"
        yield module.problem(statement, f"a relative import fails here, there is no package around it; write `{way}`")
    elif statement.module == "cog":
        for alias in statement.names:
            if alias.name not in IMPORTABLE and alias.name != "*":
                yield module.problem(alias, f"cog has no '{alias.name}'{_near(alias.name)}")


def _near(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something is wrong

    found = get_close_matches(name, sorted(COGS), n=1)
    return f", did you mean '{found[0]}'?" if found else f"; it has {', '.join(sorted(COGS))}"
