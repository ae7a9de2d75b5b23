"""The check and the repair of names that were Cog's before: `predict:`, Predictor, BasePredictor and predict()."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Change, Edit, Finding, Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._python import PythonFile
    from cog_oci.doctor._subject import Subject

__all__ = ["predict_to_run"]

_TITLE = "Deprecated predict interface names"
_BASES = {"cog.BasePredictor", "cog.BaseRunner", "object"}


class _ByHandError(Exception):
    """Why the names cannot be changed without a person who thinks about it."""


def predict_to_run(subject: Subject) -> Iterator[Finding]:
    """One finding for all the old names; repaired together or not at all."""
    if subject.reference is None or subject.key is None:
        return
    file, name = subject.reference
    model = subject.python.get(file)
    names = _Names(model, name) if model is not None else None
    used = [*(["predict in cog.yaml"] if subject.key == "predict" else []), *(names.used() if names else [])]
    if not used:
        return
    fix, remedy = None, "Run `cog-oci doctor --fix`, which renames them to run, Runner and BaseRunner"
    try:
        fix = _fix(subject, names)
    except _ByHandError as reason:
        remedy = f"Rename them by hand to run, Runner and BaseRunner: {reason}"
    yield Finding(
        level="warning",
        message=f"{_TITLE}: {', '.join(used)}",
        remedy=remedy,
        place=subject.place(subject.key, of_key=True),
        fix=fix,
    )


def _fix(subject: Subject, names: _Names | None) -> Fix:
    assert subject.reference is not None
    assert subject.key is not None
    file, name = subject.reference
    if names is None:
        raise _ByHandError(f"{file} cannot be parsed")
    if linked := [one for one in (file, subject.file.name) if (subject.folder / one).is_symlink()]:
        raise _ByHandError(f"{' and '.join(linked)} is a link")
    edits = names.edits()
    renamed = str(PurePosixPath(file).with_name("run.py")) if PurePosixPath(file).name == "predict.py" else None
    if renamed and (subject.folder / renamed).exists():
        raise _ByHandError(f"{renamed} already exists")
    new = names.new_name
    if (renamed or new != name) and (others := subject.python.importing(file)):
        raise _ByHandError(f"{', '.join(others)} imports {file}")
    before, after = (f"{one}:{other}" if other else one for one, other in ((file, name), (renamed or file, new)))
    config = Change(subject.file.name, subject.data, tuple(_config_edits(subject, before, after)))
    python = names.model.change(edits, renamed)
    if python is None:
        raise _ByHandError(f"{file} would not be Python any more")
    return Fix(_TITLE, (python, config))


def _config_edits(subject: Subject, before: str, after: str) -> Iterator[Edit]:
    """The key and its value, where cog.yaml has them; quotes and comments stay."""
    for of_key, old, new in ((True, subject.key or "", "run"), (False, before, after)):
        place = subject.place(subject.key or "", of_key=of_key)
        assert place is not None
        start = subject.offset(place)
        found = re.compile(rb"""["']?""" + re.escape(old.encode()) + rb"""(?=["'\s:]|$)""").match(subject.data, start)
        if found is None:
            raise _ByHandError(f"{subject.file.name} writes {subject.key} in a way of its own")
        if old != new:
            yield Edit(found.end() - len(old.encode()), found.end(), new.encode())


@dataclass(frozen=True)
class _Names:
    """The old names in the model's file. `name` is that of the class or function in cog.yaml."""

    model: PythonFile
    name: str | None

    @property
    def owner(self) -> ast.ClassDef | None:
        """The model's class; None when it is a function."""
        classes = [one for one in self.model.tree.body if isinstance(one, ast.ClassDef)]
        return next((one for one in classes if one.name == (self.name or "Predictor")), None)

    @property
    def methods(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The class's definitions of predict()."""
        body = self.owner.body if self.owner else []
        return [
            one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == "predict"
        ]

    @property
    def new_name(self) -> str | None:
        """What cog.yaml will call it."""
        return "Runner" if self.owner is not None and self.name == "Predictor" else self.name

    def used(self) -> list[str]:
        """The old names, as a message has them."""
        name, owner = self.model.name, self.owner
        return [
            *([f"class Predictor in {name}"] if owner is not None and owner.name == "Predictor" else []),
            *([f"BasePredictor in {name}"] if any(self._bases()) else []),
            *([f"predict() in {name}"] if self.methods else []),
        ]

    def edits(self) -> list[Edit]:
        """The edits that rename them. Raises _ByHandError when something else might be meant by one."""
        edits = [*self._bases()]
        if (owner := self.owner) is not None:
            self._check(owner)
            if owner.name == "Predictor":
                edits += self._renamed_class(owner)
            if self.methods:
                edits += self._renamed_method(owner)
        return list(dict.fromkeys(edits))

    def _check(self, owner: ast.ClassDef) -> None:
        methods = {one.name for one in owner.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        if "run" in methods and self.methods:
            raise _ByHandError(f"{owner.name} has a run() already")
        if len(self.methods) > 1:
            raise _ByHandError(f"{owner.name} defines predict() more than once")
        if other := [self.model.text(base) for base in owner.bases if self.model.meaning(base) not in _BASES]:
            raise _ByHandError(f"{owner.name} inherits from {', '.join(other)}")
        if owner.name == "Predictor":
            taken = {one.id for one in self.model.nodes if isinstance(one, ast.Name)}
            taken |= {getattr(one, "name", "") for one in self.model.nodes} | set(self.model.imported)
            if "Runner" in taken:
                raise _ByHandError(f"{self.model.name} has a Runner already")

    def _bases(self) -> Iterator[Edit]:
        """BasePredictor, wherever the file says it."""
        for node in self.model.nodes:
            match node:
                case ast.ImportFrom(module="cog", names=aliases):
                    named = [alias for alias in aliases if alias.name == "BasePredictor"]
                    yield from filter(None, (self.model.replace(one, "BasePredictor", "BaseRunner") for one in named))
                case ast.Name(id="BasePredictor") if self.model.meaning(node) == "cog.BasePredictor":
                    yield from filter(None, [self.model.replace(node, "BasePredictor", "BaseRunner")])
                case ast.Attribute(attr="BasePredictor") if self.model.meaning(node) == "cog.BasePredictor":
                    yield self._attribute(node, "BaseRunner")

    def _renamed_class(self, owner: ast.ClassDef) -> Iterator[Edit]:
        yield self._definition(owner, "Runner")
        for node in self.model.nodes:
            if isinstance(node, ast.Name) and node.id == "Predictor":
                yield from filter(None, [self.model.replace(node, "Predictor", "Runner")])

    def _renamed_method(self, owner: ast.ClassDef) -> Iterator[Edit]:
        """The method, and calls of it: on self and super() inside the class, on what the file makes of the class."""
        for method in self.methods:
            yield self._definition(method, "run")
        inside = set(map(id, ast.walk(owner)))
        made = {
            target.id
            for node in self.model.nodes
            if isinstance(node, ast.Assign) and _is_call_of(node.value, owner.name)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in self.model.nodes:
            match node:
                case ast.Attribute(attr="predict", value=ast.Name(id="self")) if id(node) in inside:
                    yield self._attribute(node, "run")
                case ast.Attribute(attr="predict", value=ast.Name(id=name)) if name in made:
                    yield self._attribute(node, "run")
                case ast.Attribute(attr="predict", value=value) if _is_call_of(value, owner.name):
                    yield self._attribute(node, "run")

    def _definition(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, new: str) -> Edit:
        """The name in `class …` or `def …`."""
        start = self.model.start(node)
        found = re.compile(rb"(?:class|(?:async\s+)?def)\s+" + node.name.encode()).match(self.model.source, start)
        if found is None:  # a backslash between the words
            raise _ByHandError(f"line {node.lineno} of {self.model.name} is written in a way of its own")
        return Edit(found.end() - len(node.name.encode()), found.end(), new.encode())

    def _attribute(self, node: ast.Attribute, new: str) -> Edit:
        end = self.model.end(node)
        return Edit(end - len(node.attr.encode()), end, new.encode())


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
