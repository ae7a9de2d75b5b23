"""What the names of a module or a class body are bound to once its statements have run, read from the statements.

As in Python the last binding of a name wins. What is bound in a way that only execution could tell (in a loop, under a
condition, by a change to a list) is remembered as such, so that nobody takes a value for what it isn't.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog_oci.schema._source import Module

__all__ = ["Assigned", "Binding", "Defined", "Imported", "Scope", "Unsettled", "scope_of"]

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

MUTATORS = frozenset(
    "add append clear discard extend insert pop popitem remove reverse setdefault sort update".split()  # noqa: SIM905 -- one line
)


@dataclass(frozen=True, slots=True)
class Defined:
    """By `class` or `def`."""

    node: Definition


@dataclass(frozen=True, slots=True)
class Imported:
    """By an import: a module (`attribute` is None) or a name in it. `level` counts the dots of a relative import."""

    node: ast.stmt
    module: str
    attribute: str | None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Assigned:
    """To the value of an expression."""

    value: ast.expr


@dataclass(frozen=True, slots=True)
class Unsettled:
    """To something that depends on how the program runs; `reason` completes the sentence "the name …"."""

    node: ast.AST
    reason: str


Binding = Defined | Imported | Assigned | Unsettled


@dataclass(frozen=True, slots=True)
class Scope:
    """The bindings of one body. Names that a class body doesn't bind are looked up in its `parent`."""

    module: Module
    bindings: dict[str, Binding]
    stars: tuple[Imported, ...] = ()
    parent: Scope | None = None


def scope_of(module: Module, body: list[ast.stmt], parent: Scope | None = None) -> Scope:
    """The scope that the statements of a module or class body make."""
    collector = _Collector()
    collector.run(body)
    return Scope(module, collector.bound, tuple(collector.stars), parent)


@dataclass(slots=True)
class _Collector:
    """Runs over statements in the order of execution, without executing."""

    unsettled: str | None = None
    """Why a value that is assigned here is not known, if it isn't."""
    bound: dict[str, Binding] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)

    def run(self, body: list[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.bound[statement.name] = Defined(statement)
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.If() | ast.Try() | ast.TryStar() | ast.Match():
                    self._branch(statement)
                case ast.For() | ast.AsyncFor() | ast.While() | ast.With() | ast.AsyncWith():
                    self._block(statement)
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))):
                    if method in MUTATORS:
                        self._unsettle(name, statement, f"is changed in line {statement.lineno} by .{method}()")
                case _:
                    self._assign(statement)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                name = alias.asname or alias.name.partition(".")[0]
                self.bound[name] = Imported(statement, alias.name if alias.asname else name, None)
                continue
            imported = Imported(statement, statement.module or "", alias.name, statement.level)
            if alias.name == "*":
                self.stars.append(imported)
            else:
                self.bound[alias.asname or alias.name] = imported

    def _assign(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind(target, value)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                before = self.bound.get(name)
                if isinstance(before, Assigned):
                    self._bind(target, ast.copy_location(ast.BinOp(before.value, op, value), statement))
                else:
                    self.bound[name] = Unsettled(statement, f"is changed in line {statement.lineno}")
            case ast.AugAssign(target=target):
                self._bind(target, statement.value)
            case ast.Delete(targets=targets):
                self._delete(targets)
            case _ if type(statement).__name__ == "TypeAlias":  # PEP 695, where the host's Python knows it
                self._bind(statement.name, statement.value)  # type: ignore[attr-defined]  # unknown to 3.11's ast
            case _:
                pass

    def _delete(self, targets: list[ast.expr]) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self.bound.pop(target.id, None)
            else:
                self._bind(target, target)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Name(id=name), _:
                self.bound[name] = Unsettled(value, self.unsettled) if self.unsettled else Assigned(value)
            case (
                (ast.Tuple(elts=targets) | ast.List(elts=targets)),
                (ast.Tuple(elts=values) | ast.List(elts=values)),
            ) if len(targets) == len(values) and not any(isinstance(e, ast.Starred) for e in (*targets, *values)):
                for each, its_value in zip(targets, values, strict=True):
                    self._bind(each, its_value)
            case _:
                self._unsettle_targets(
                    target, f"is bound or changed in line {target.lineno} in a way that only running tells"
                )

    def _unsettle_targets(self, target: ast.AST, reason: str) -> None:
        """Every name that a target binds, or of whose value it changes a part."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and (isinstance(node.ctx, ast.Store | ast.Del) or node.id in self.bound):
                self._unsettle(node.id, node, reason)

    def _unsettle(self, name: str, node: ast.AST, reason: str) -> None:
        """An attribute set on a class or module leaves what annotations mean by it as it is."""
        match self.bound.get(name):
            case Defined() | Imported(attribute=None):
                pass
            case _:
                self.bound[name] = Unsettled(node, reason)

    def _block(self, statement: ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith) -> None:
        if isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                if item.optional_vars is not None:
                    self._unsettle_targets(item.optional_vars, f"is bound by the `with` in line {statement.lineno}")
            self.run(statement.body)
            return
        reason = f"is bound in the loop in line {statement.lineno}"
        if not isinstance(statement, ast.While):
            self._unsettle_targets(statement.target, reason)
        self._run_unsettled([statement.body, statement.orelse], reason)

    def _branch(self, statement: ast.If | ast.Try | ast.TryStar | ast.Match) -> None:
        if isinstance(statement, ast.Match):
            reason = f"depends on the `match` in line {statement.lineno}"
            self._run_unsettled([case.body for case in statement.cases], reason)
        elif isinstance(statement, ast.If):
            self._if(statement)
        else:
            self.run(statement.body)
            for handler in statement.handlers:  # what to do where the body fails: it only adds names
                other = _Collector(self.unsettled)
                other.run(handler.body)
                self.bound |= {name: binding for name, binding in other.bound.items() if name not in self.bound}
            self.run(statement.orelse)
            self.run(statement.finalbody)

    def _if(self, statement: ast.If) -> None:
        reason: str | None = None
        node = statement
        while True:  # not recursive: a long elif chain is nested deeply in the tree
            truth = _truth(node.test)
            if truth is None and reason is None:
                reason = f"depends on the condition in line {node.lineno}"
            if truth is not False:
                self._run_unsettled([node.body], reason)
            if truth is True and not _is_type_checking(node.test):
                return
            match node.orelse:
                case [ast.If() as node]:
                    continue
                case _:
                    self._run_unsettled([node.orelse], reason)
                    return

    def _run_unsettled(self, bodies: list[list[ast.stmt]], reason: str | None) -> None:
        """The bodies in turn; values that they assign are not known for the reason, if there is one."""
        for body in bodies:
            other = _Collector(self.unsettled or reason, dict(self.bound))
            other.run(body)
            self.bound |= other.bound
            self.stars += other.stars


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _truth(test: ast.expr) -> bool | None:
    """What a condition comes to, if that can be told by looking; None if not.

    `TYPE_CHECKING` counts as true, because what is imported there is what annotations mean.
    """
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _truth(operand)
            return None if inner is None else not inner
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]):
            return False
        case _:
            return True if _is_type_checking(test) else None
