"""A YAML file that the user wrote: its values, and the place of each for whoever has something to say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from cog_oci.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

__all__ = ["YamlSource"]

_Keys = tuple[str, ...]

_DEEP = 50
_MANY = 100_000


class YamlSource:
    """The file, which holds `data` if given, parsed once. Raises SourceError for what is no YAML (1.1, in UTF-8)."""

    def __init__(self, file: Path, data: bytes | None = None) -> None:
        self._name = file.name
        self._root = _compose(file.name, file.read_bytes() if data is None else data)
        self.empty: tuple[_Keys, ...] = ()
        """The keys without a value that `values` has left out, each with those above it, `*` for an item of a list."""
        self.refused: tuple[Problem, ...] = ()
        """What to say of the keys that `values` was to refuse, and has left out."""

    def values(self, *, as_typed: AbstractSet[_Keys], refused: AbstractSet[_Keys]) -> dict[str, Any]:
        """The file's mapping as plain values; `as_typed` are the keys whose scalars stay as they were typed.

        Those that are `refused` are left out. Raises SourceError for keys given twice, all of them at once.
        """
        reader = _Values(self._name, as_typed, refused)
        found = reader.convert(self._root)
        if reader.problems:
            raise SourceError([*reader.problems, *reader.left_out])
        self.empty, self.refused = tuple(reader.empty), tuple(reader.left_out)
        return found

    def problem(self, path: tuple[str | int, ...], message: str, *, of_key: bool = False) -> Problem:
        """A problem with the value at this path of keys and indexes, or with its key."""
        mark = _mark(self._root, path, of_key=of_key)
        return Problem(self._name, mark.line + 1, mark.column + 1, message)


def _compose(name: str, data: bytes) -> yaml.Node:
    try:
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError([Problem(name, line, column, f"this is not YAML: {error.problem}")]) from None
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise SourceError([Problem(name, 1, 1, f"this is not text in UTF-8: {error}")]) from None
    return node or yaml.MappingNode("tag:yaml.org,2002:map", [], yaml.Mark(name, 0, 0, 0, None, 0))


class _Values:
    """Nodes to plain values, with what a check of the values cannot see any more."""

    def __init__(self, name: str, as_typed: AbstractSet[_Keys], refused: AbstractSet[_Keys]) -> None:
        self._name, self._as_typed, self._refused = name, as_typed, refused
        self._scalars = yaml.SafeLoader("")
        self._count = 0
        self._given_up = False
        self.problems: list[Problem] = []
        self.empty: list[_Keys] = []
        self.left_out: list[Problem] = []

    def convert(self, root: yaml.Node) -> dict[str, Any]:
        if isinstance(root, yaml.MappingNode):
            return self._mapping(root, ())
        self._report(root, "the file must be a mapping of keys to values")
        return {}

    def _value(self, node: yaml.Node, path: _Keys) -> Any:
        self._count += 1
        if len(path) > _DEEP or self._count > _MANY:  # an anchor within itself, or aliases of aliases of aliases
            if not self._given_up:
                self._report(node, "this is nested too deeply, or repeated too often through aliases")
            self._given_up = True
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, "*")) for item in node.value]
        if path in self._as_typed and not node.tag.endswith(":null"):
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            self._report(node, str(getattr(error, "problem", error)))
            return None
        except (LookupError, AttributeError):  # PyYAML's, for a tag that was written where the text is nothing of it
            self._report(node, f"{node.value!r} is no {node.tag.rpartition(':')[2]}")
            return None

    def _mapping(self, node: yaml.MappingNode, path: _Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            where = (*path, name)
            if name in values:
                self._report(key, f"{'.'.join(where)} is set twice")
            if where in self._refused:
                self.left_out.append(self._problem(key, f"{'.'.join(where)} is not supported yet"))
                continue
            found = self._value(value, where)
            # A key without a value is as good as absent, as in Cog.
            if found is None:
                self.empty.append(where)
            else:
                values[name] = found
        return values

    def _report(self, node: yaml.Node, message: str) -> None:
        self.problems.append(self._problem(node, message))

    def _problem(self, node: yaml.Node, message: str) -> Problem:
        mark = node.start_mark
        return Problem(self._name, mark.line + 1, mark.column + 1, message)


def _mark(node: yaml.Node, path: tuple[str | int, ...], *, of_key: bool) -> yaml.Mark:
    """Where the value at `path` begins, or its key; for a path that leaves the tree, where its last known part does."""
    mark: yaml.Mark = node.start_mark
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            key, node = pair
            mark = key.start_mark if of_key or isinstance(node, yaml.MappingNode) else node.start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            break
    return mark
