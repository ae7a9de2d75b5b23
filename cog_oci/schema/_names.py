"""What a name or a dotted name in the source refers to, across the files of the project."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.schema._scope import Assigned, Binding, Defined, Imported, Scope, Unsettled, scope_of
from cog_oci.schema._source import Module, Project, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Class", "Expression", "Function", "Names", "Package", "Symbol", "Target", "near"]

COGS = frozenset({
    "AsyncConcatenateIterator", "BaseModel", "BasePredictor", "BaseRunner", "CancelationException",
    "ConcatenateIterator", "FieldInfo", "File", "Input", "Opaque", "Path", "Secret", "URLFile", "URLPath",
    "__version__", "batch", "concurrent", "current_scope", "streaming",
})  # fmt: skip
"""What `from cog import *` binds."""

MAX_HOPS = 64
"""How many aliases and imports a name may go through; more is a circle."""

OUTSIDE = frozenset({"builtins", "cog", "collections", "enum", "pathlib", "pydantic", "typing", "typing_extensions"})
"""Modules that are never the project's own, so that a project's `enum.py` or `typing.py` fools nobody."""

SAME = {
    "cog.exceptions": "cog",
    "cog.input": "cog",
    "cog.model": "cog",
    "cog.predictor": "cog",
    "cog.types": "cog",
    "collections.abc": "typing",
    "typing_extensions": "typing",
    "pydantic.v1": "pydantic",
    "pydantic.main": "pydantic",
}
"""Modules whose names mean, to a schema, what the same names of another module mean."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something from outside of the project, by its dotted name: `cog.Path`, `torch.Tensor`, `builtins.str`."""

    name: str

    @property
    def module(self) -> str:
        """Where it comes from."""
        return self.name.rpartition(".")[0]

    def __str__(self) -> str:
        return self.name.removeprefix("builtins.")


@dataclass(frozen=True, slots=True)
class Package:
    """A module or folder of the project."""

    name: str


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the project: its statement, the names in its body, and the scope that the statement stands in."""

    node: ast.ClassDef
    body: Scope

    @property
    def scope(self) -> Scope:
        """Where its bases are looked up."""
        assert self.body.parent is not None, "a class body has the scope around it"
        return self.body.parent


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of the project."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    scope: Scope


@dataclass(frozen=True, slots=True)
class Expression:
    """A value of the project that is not another name: an expression and where to read it. `owner`: a class's own."""

    node: ast.expr
    scope: Scope
    owner: Class | None = None


Target = Symbol | Package | Class | Function | Expression


class Names:
    """Looks names up, following imports, aliases and attributes."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._scopes: dict[str, Scope] = {}
        self._classes: dict[ast.ClassDef, Class] = {}
        self._hops = 0

    def module_scope(self, module: Module) -> Scope:
        """The scope of a module, made once."""
        if module.file not in self._scopes:
            self._scopes[module.file] = scope_of(module, module.tree.body)
        return self._scopes[module.file]

    def find(self, name: str, scope: Scope, at: ast.AST) -> Target:
        """What a name means in a scope; Unreadable if nothing, or nothing that can be told."""
        self._hops += 1
        try:
            if self._hops > MAX_HOPS:
                raise Unreadable(scope.module, at, f"'{name}' is defined through itself")
            place: Scope | None = scope
            while place is not None:
                target = self._bound(name, place)
                if target is not None:
                    return target
                place = place.parent
            if hasattr(builtins, name):
                return Symbol(f"builtins.{name}")
            raise Unreadable(scope.module, at, f"'{_short(name)}' is not defined{near(name, scope)}")
        finally:
            self._hops -= 1

    def find_in(self, scope: Scope, name: str) -> Target | None:
        """What a module or class itself binds a name to, None if nothing."""
        return self._bound(name, scope)

    def resolve(self, node: ast.expr, scope: Scope) -> Target:
        """What a name or dotted name refers to; any other expression stands for itself."""
        chain: list[ast.Attribute] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            chain.append(inner)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            return Expression(node, scope)
        target = self.find(inner.id, scope, inner)
        for attribute in reversed(chain):
            target = self._attribute(target, attribute, scope)
        return target

    def member(self, owner: Class, name: str) -> Target | None:
        """A name of a class or of the classes it inherits from, None if no class of the project has it."""
        for each in self.lineage(owner):
            if name in each.body.bindings:
                found = self._follow(each.body.bindings[name], name, each.body)
                return Expression(found.node, found.scope, each) if isinstance(found, Expression) else found
        return None

    def lineage(self, owner: Class) -> Iterator[Class]:
        """The class and its bases in the project, nearest first, depth first."""
        seen: set[ast.ClassDef] = set()
        pending = [owner]
        while pending:
            each = pending.pop()
            if each.node in seen:
                continue
            seen.add(each.node)
            yield each
            bases = [self.base(each, base) for base in each.node.bases]
            pending += [base for base in reversed(bases) if isinstance(base, Class)]

    def inherits(self, owner: Class, module: str) -> bool:
        """Whether a class has, directly or not, a base from that module outside of the project."""
        bases = (self.base(each, base) for each in self.lineage(owner) for base in each.node.bases)
        return any(isinstance(base, Symbol) and base.module == module for base in bases)

    def base(self, owner: Class, base: ast.expr) -> Target | None:
        """What a base in a class statement refers to (`Base[T]` to `Base`); None if that can't be told."""
        while isinstance(base, ast.Subscript):
            base = base.value
        try:
            return self.resolve(base, owner.scope)
        except Unreadable:
            return None

    def _bound(self, name: str, scope: Scope) -> Target | None:
        binding = scope.bindings.get(name)
        if binding is not None:
            return self._follow(binding, name, scope)
        for star in reversed(scope.stars):
            found = self._from_star(star, name, scope)
            if found is not None:
                return found
        return None

    def _follow(self, binding: Binding, name: str, scope: Scope) -> Target:
        match binding:
            case Defined(node=ast.ClassDef() as node):
                if node not in self._classes:
                    self._classes[node] = Class(node, scope_of(scope.module, node.body, scope))
                return self._classes[node]
            case Defined(node=node):
                assert not isinstance(node, ast.ClassDef), "the case above"
                return Function(node, scope)
            case Imported():
                return self._import(binding, scope)
            case Assigned(value=ast.Name() | ast.Attribute() as value):
                return self._alias(value, name, scope)
            case Assigned(value=value):
                return Expression(value, scope)
            case Unsettled(node=at, reason=reason):
                raise Unreadable(scope.module, at, f"'{name}' {reason}, which can't be read without running it")

    def _alias(self, value: ast.expr, name: str, scope: Scope) -> Target:
        self._hops += 1
        try:
            if self._hops > MAX_HOPS:
                raise Unreadable(scope.module, value, f"'{name}' is defined through itself")
            # `Path = Path` in a class body takes the name from outside of it
            outer = scope.parent if isinstance(value, ast.Name) and value.id == name and scope.parent else scope
            return self.resolve(value, outer)
        finally:
            self._hops -= 1

    def _import(self, imported: Imported, scope: Scope) -> Target:
        module = self._absolute(imported, scope)
        if imported.attribute is None:
            return self._module(module)
        return self._attribute_of_module(module, imported.attribute, scope, imported.node)

    def _absolute(self, imported: Imported, scope: Scope) -> str:
        if not imported.level:
            return imported.module
        package = scope.module.package.split(".") if scope.module.package else []
        if imported.level > len(package) + 1:
            raise Unreadable(scope.module, imported.node, "the relative import goes beyond the project's folder")
        kept = package[: len(package) - imported.level + 1]
        return ".".join([*kept, *([imported.module] if imported.module else [])])

    def _module(self, name: str) -> Symbol | Package:
        if name.partition(".")[0] in OUTSIDE:
            return Symbol(SAME.get(name, name))
        ours = not name or self._project.by_name(name) or self._project.has_folder(name)
        return Package(name) if ours else Symbol(name)

    def _attribute_of_module(self, module: str, name: str, scope: Scope, at: ast.AST) -> Target:
        place = self._module(module)
        if isinstance(place, Symbol):
            return _canonical(f"{place.name}.{name}")
        source = self._project.by_name(module) if module else None
        if source is not None and (found := self._in_module(source, name, scope, at)) is not None:
            return found
        inner = self._module(f"{module}.{name}" if module else name)
        if isinstance(inner, Package):
            return inner
        if source is None:
            return Symbol(f"{module}.{name}" if module else name)
        suggestion = near(name, self.module_scope(source))
        raise Unreadable(scope.module, at, f"{source.file} defines no '{name}'{suggestion}")

    def _in_module(self, source: Module, name: str, scope: Scope, at: ast.AST) -> Target | None:
        self._hops += 1
        try:
            if self._hops > MAX_HOPS:
                raise Unreadable(scope.module, at, f"'{name}' is imported in a circle")
            return self._bound(name, self.module_scope(source))
        finally:
            self._hops -= 1

    def _from_star(self, star: Imported, name: str, scope: Scope) -> Target | None:
        if name.startswith("_"):
            return None
        module = self._absolute(star, scope)
        place = self._module(module)
        if isinstance(place, Symbol):
            typing = name[:1].isupper() and name not in COGS and not hasattr(builtins, name)
            known = {"cog": name in COGS, "typing": typing}.get(place.name, False)
            return _canonical(f"{place.name}.{name}") if known else None
        source = self._project.by_name(module)
        return None if source is None else self._in_module(source, name, scope, star.node)

    def _attribute(self, target: Target, node: ast.Attribute, scope: Scope) -> Target:
        match target:
            case Symbol(name=name):
                return _canonical(f"{name}.{node.attr}")
            case Package(name=name):
                return self._attribute_of_module(name, node.attr, scope, node)
            case Class():
                found = self.member(target, node.attr)
                if found is None:
                    suggestion = near(node.attr, target.body)
                    raise Unreadable(scope.module, node, f"class '{target.node.name}' has no '{node.attr}'{suggestion}")
                return found
            case _:
                return Expression(node, scope)


def _canonical(name: str) -> Symbol:
    module, _, last = name.rpartition(".")
    return Symbol(f"{SAME.get(module, module)}.{last}")


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "..."


def near(name: str, scope: Scope, *, own: bool = False) -> str:
    """A suggestion for a name that is not there: what is, and looks like it. `own`: only of that scope itself."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something is wrong

    if len(name) > 60:  # nobody's slip of the pen
        return ""
    names: set[str] = set()
    place: Scope | None = scope
    while place is not None:
        names |= set(place.bindings)
        place = None if own else place.parent
    found = get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    return f", did you mean '{found[0]}'?" if found else ""
