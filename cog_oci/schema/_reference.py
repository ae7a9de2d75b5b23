"""The references of cog.yaml (`run.py:Runner`): which function of the project one names."""

from __future__ import annotations

from typing import Literal

from cog_oci.errors import Problem, SourceError
from cog_oci.schema._names import Class, Function, Names, near
from cog_oci.schema._scope import Defined, Scope
from cog_oci.schema._source import Module, Project, Unreadable

__all__ = ["Mode", "callable_of", "split_reference"]

Mode = Literal["run", "train"]

METHODS: dict[Mode, tuple[str, ...]] = {"run": ("run", "predict"), "train": ("train",)}
DEFAULTS: dict[Mode, tuple[str, ...]] = {"run": ("Runner", "Predictor"), "train": ("Trainer", "train")}
"""What a reference without a name means: the first of these that the file defines."""


def split_reference(reference: str) -> tuple[str, str | None]:
    """`run.py:Runner` → file and name; `run.py` → file and None; SourceError for what is neither."""
    file, colon, name = reference.partition(":")
    if not file or (colon and not name.isidentifier()):
        message = f"{reference!r} is not a reference, write FILE:CLASS or FILE:FUNCTION as in 'run.py:Runner'"
        raise SourceError([Problem(file or reference, 1, 1, message)])
    return file, name or None


def callable_of(reference: str, mode: Mode, names: Names, project: Project) -> tuple[Function, Class | None]:
    """The function that a reference names, and the class if it is a method of one."""
    file, name = split_reference(reference)
    module = project.by_file(file)
    scope = names.module_scope(module)
    name = name or _default_name(module, scope, mode)
    target = names.find_in(scope, name)
    match target:
        case None:
            raise SourceError([Problem(file, 1, 1, f"defines no class or function '{name}'{near(name, scope)}")])
        case Function():
            return target, None
        case Class():
            return _method(target, mode, names), target
        case _:
            message = f"'{name}' is neither a class nor a function of the project"
            raise SourceError([Problem(file, 1, 1, message)])


def _default_name(module: Module, scope: Scope, mode: Mode) -> str:
    for name in DEFAULTS[mode]:
        if name in scope.bindings:
            return name
    wanted = " nor ".join(f"'{name}'" for name in DEFAULTS[mode])
    defined = [name for name, binding in scope.bindings.items() if isinstance(binding, Defined)]
    there = f", it defines {', '.join(defined[:5])}" if defined else ""
    raise SourceError([Problem(module.file, 1, 1, f"defines neither {wanted}{there}; write {module.file}:NAME")])


def _method(owner: Class, mode: Mode, names: Names) -> Function:
    methods = METHODS[mode]
    module, node = owner.body.module, owner.node
    both = [name for name in methods if name in owner.body.bindings]
    if len(both) > 1:
        raise Unreadable(
            module, node, f"class '{node.name}' defines both {' and '.join(f'{m}()' for m in both)}, keep run()"
        )
    for name in methods:
        found = names.member(owner, name)
        if isinstance(found, Function):
            return found
        if found is not None:
            raise Unreadable(
                module, node, f"'{name}' of class '{node.name}' is not a method that can be read statically"
            )
    wanted = " or ".join(f"{name}()" for name in methods)
    suggestion = near(methods[0], owner.body, own=True)
    raise Unreadable(module, node, f"class '{node.name}' must define {wanted}{suggestion}")
