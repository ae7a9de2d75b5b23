"""The check and the repair of pydantic models that allow any type, which `cog.BaseModel` does without being told."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Edit, Finding, Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._finding import Change
    from cog_oci.doctor._python import PythonFile
    from cog_oci.doctor._subject import Subject

__all__ = ["pydantic_models"]

_OPTION = "arbitrary_types_allowed"
_BASE, _CONFIG = "pydantic.BaseModel", "pydantic.ConfigDict"
_DESCRIPTION = "pydantic.BaseModel gave way to cog.BaseModel"


def pydantic_models(subject: Subject) -> Iterator[Finding]:
    """In the model's file and in what it imports of the project."""
    if subject.reference is None:
        return
    for file in subject.python.reachable(subject.reference[0]):
        models = list(_models(file))
        change = _change(file, models) if models else None
        for model, _ in models:
            yield Finding(
                level="error",
                message=f"{model.name} inherits from pydantic.BaseModel with {_OPTION}; use cog.BaseModel instead",
                remedy=f"Inherit from cog.BaseModel and take {_OPTION} out",
                place=file.place(model),
                fix=Fix(_DESCRIPTION, (change,)) if change else None,
            )


def _models(file: PythonFile) -> Iterator[tuple[ast.ClassDef, ast.stmt]]:
    """Classes that inherit from pydantic's and allow any type, with the statement that says so."""
    for node in file.nodes:
        if isinstance(node, ast.ClassDef) and any(file.meaning(base) == _BASE for base in node.bases):
            for statement in node.body:
                if _OPTION in _options(statement, only_true=True):
                    yield node, statement


def _options(statement: ast.stmt, *, only_true: bool = False) -> list[str]:
    """The names of what `model_config = ConfigDict(…)`, or its older form `class Config`, sets."""
    pairs: list[tuple[str | None, ast.expr]] = []
    match statement:
        case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Call(args=[], keywords=keywords)):
            pairs = [(keyword.arg, keyword.value) for keyword in keywords]
        case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Dict(keys=keys, values=values)):
            names = [key.value if isinstance(key, ast.Constant) else None for key in keys]
            pairs = list(zip(map(str, names), values, strict=True))
        case ast.ClassDef(name="Config", body=body):
            pairs = [_assigned(each) for each in body]
    wanted = [
        name for name, value in pairs if not only_true or (isinstance(value, ast.Constant) and value.value is True)
    ]
    return [name or "" for name in wanted]


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
    return "", ast.Constant(None)


def _change(file: PythonFile, models: list[tuple[ast.ClassDef, ast.stmt]]) -> Change | None:
    """Cog's class in place of pydantic's; None when the file has more of pydantic than such models."""
    imports = [one for one in file.tree.body if isinstance(one, ast.ImportFrom) and one.module == "pydantic"]
    bare = {alias.name for one in imports for alias in one.names if alias.asname is None}
    if len(imports) != 1 or len(bare) != len(imports[0].names) or not bare <= {"BaseModel", "ConfigDict"}:
        return None
    if any(_options(statement) != [_OPTION] for _, statement in models):
        return None
    expected = {id(base) for model, _ in models for base in model.bases if file.meaning(base) == _BASE}
    expected |= {id(node) for _, statement in models for node in ast.walk(statement)}
    names = [node for node in file.nodes if isinstance(node, ast.Name) and file.meaning(node) in {_BASE, _CONFIG}]
    if any(id(node) not in expected for node in names):
        return None
    edits = [file.without(statement, model.body) for model, statement in models]
    edits += _imported(file, imports[0])
    return file.change(edits)


def _imported(file: PythonFile, old: ast.ImportFrom) -> list[Edit | None]:
    """`BaseModel` from cog: with what else comes from there, or in the place of pydantic's import."""
    new = "from cog import BaseModel"
    others = [
        one for one in file.tree.body if isinstance(one, ast.ImportFrom) and one.module == "cog" and not one.level
    ]
    if not others:
        return [Edit(file.start(old), file.end(old), new.encode())]
    first = file.start(others[0].names[0])
    names = {alias.name for alias in others[0].names}
    if "*" in names:
        return [Edit(file.start(old), file.end(old), new.encode())]
    added = [] if "BaseModel" in names else [Edit(first, first, b"BaseModel," + file.gap_before(first))]
    return [*added, file.without(old, file.tree.body)]
