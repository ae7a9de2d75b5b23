"""The check and the repair of imports of what Cog has taken out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from cog_oci.doctor._finding import Finding, Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._finding import Change, Edit
    from cog_oci.doctor._python import PythonFile
    from cog_oci.doctor._subject import Subject

__all__ = ["deprecated_imports"]

_GONE = "ExperimentalFeatureWarning"
_LEVELS: dict[str | None, Literal["error", "warning"]] = {"cog.types": "error", "cog": "warning"}
"""By module: an import from `cog.types` fails when the model is loaded, `cog` itself still has the name."""

_MESSAGE = f"{_GONE} was removed in cog 0.17; current_scope().record_metric() is no longer experimental"
_DESCRIPTION = "Deprecated imports"
_SILENCERS = {"warnings.filterwarnings", "warnings.simplefilter"}


def deprecated_imports(subject: Subject) -> Iterator[Finding]:
    """In the model's file and in what it imports of the project."""
    if subject.reference is None:
        return
    for file in subject.python.reachable(subject.reference[0]):
        for statement, alias in _imports(file):
            change = _change(file, statement, alias)
            remedy = f"Remove the import of {_GONE} from {statement.module}"
            yield Finding(
                level=_LEVELS[statement.module],
                message=_MESSAGE,
                remedy=remedy if change else f"{remedy} and what the file does with it",
                place=file.place(alias),
                fix=Fix(_DESCRIPTION, (change,)) if change else None,
            )


def _imports(file: PythonFile) -> Iterator[tuple[ast.ImportFrom, ast.alias]]:
    for node in file.nodes:
        if isinstance(node, ast.ImportFrom) and node.module in _LEVELS:
            yield from ((node, alias) for alias in node.names if alias.name == _GONE)


def _change(file: PythonFile, statement: ast.ImportFrom, alias: ast.alias) -> Change | None:
    """Without the import and the calls that silence the warning; None when the name is used for more than that."""
    local = alias.asname or alias.name
    uses = {id(node) for node in file.nodes if isinstance(node, ast.Name) and node.id == local}
    bodies = list(_bodies(file.tree))
    silencers = [
        (one, body)
        for body in bodies
        for one in body
        if isinstance(one, ast.Expr) and _silences(file, one.value) and any(id(node) in uses for node in ast.walk(one))
    ]
    if uses - {id(node) for one, _ in silencers for node in ast.walk(one)}:
        return None
    edits = [file.without(one, body) for one, body in silencers]
    if len(statement.names) > 1:
        edits.append(file.without_alias(statement, alias))
    else:
        edits += [file.without(statement, body) for body in bodies if statement in body]
    edits += _orphaned(file, silencers, bodies)
    return file.change(edits)


def _orphaned(
    file: PythonFile, silencers: list[tuple[ast.Expr, list[ast.stmt]]], bodies: list[list[ast.stmt]]
) -> list[Edit | None]:
    """`import warnings`, when nothing else in the file needs it."""
    gone = {id(node) for one, _ in silencers for node in ast.walk(one)}
    used = [
        node for node in file.nodes if isinstance(node, ast.Name) and node.id == "warnings" and id(node) not in gone
    ]
    if used or not silencers:
        return []
    return [
        file.without(one, body)
        for body in bodies
        for one in body
        if isinstance(one, ast.Import) and [(alias.name, alias.asname) for alias in one.names] == [("warnings", None)]
    ]


def _silences(file: PythonFile, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and file.meaning(node.func) in _SILENCERS


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list) and body:
                yield body
