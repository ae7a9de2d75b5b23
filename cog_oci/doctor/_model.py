"""Checks of the model: that what cog.yaml names is there, and that its interface can be read."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Finding
from cog_oci.errors import SourceError
from cog_oci.model import too_many_at_once
from cog_oci.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._subject import Subject

__all__ = ["interface", "reference"]


def reference(subject: Subject) -> Iterator[Finding]:
    """The file and the class or function that cog.yaml names."""
    key = subject.key
    if isinstance(subject.source, SourceError):
        return
    if key is None:
        yield Finding(
            level="warning",
            message=f"{subject.file.name} names no model to run",
            remedy=f"Add `run: run.py:Runner` to {subject.file.name}",
        )
    elif subject.reference is not None:
        file, name = subject.reference
        if not (subject.folder / file).is_file():
            yield Finding(
                level="error",
                message=f"{file} not found",
                remedy=f"Create {file} or update the {key} field in {subject.file.name}",
                place=subject.place(key),
            )
        elif name is not None and not _is_defined(subject, file, name):
            yield Finding(
                level="error",
                message=f"{file} defines no class or function {name}",
                remedy=f"Define {name} in {file} or update the {key} field in {subject.file.name}",
                place=subject.place(key),
            )


def _is_defined(subject: Subject, file: str, name: str) -> bool:
    """Whether the name is bound in the file, as far as can be told; what cannot be parsed has another problem."""
    module = subject.python.get(file)
    return module is None or any(_binds(node, name) for node in module.nodes)


def _binds(node: ast.AST, name: str) -> bool:
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return node.name == name
        case ast.alias():
            return name in {"*", node.asname or node.name} or node.name == "*"
        case ast.Name(ctx=ast.Store()):
            return node.id == name
    return False


def interface(subject: Subject) -> Iterator[Finding]:
    """Everything that keeps the schema from being read, of training too, and a concurrency that the model has not.

    Missing annotations, types nobody knows, wrong defaults. Without it there is no image, so these are errors, as
    missing annotations are not in Cog.
    """
    if subject.reference is None or any(finding.level == "error" for finding in reference(subject)):
        return
    file, name = subject.reference
    training = subject.values.get("train")
    try:
        schema = read_schema(
            subject.folder,
            f"{file}:{name}" if name else file,
            train=training if isinstance(training, str) else None,
        )
    except SourceError as error:
        remedy = error.hint or "Correct it there; `cog-oci schema` shows the interface when it can be read"
        for problem in error.problems:
            yield Finding(level="error", message=problem.message, remedy=remedy, place=problem)
        return
    mistake = None if isinstance(subject.project, SourceError) else too_many_at_once(subject.project, schema)
    if mistake is not None:
        remedy = "Make run() asynchronous, or take concurrency out"
        yield Finding(level="error", message=mistake.message, remedy=remedy, place=mistake)
