"""What the names in annotations mean, and what to write instead of those that mean nothing to Cog's documents."""

from __future__ import annotations

from cog_oci.schema._types import Kind

__all__ = ["DICTS", "INSTEAD", "LISTS", "NATIVE", "SCALARS", "STREAMS", "WRAPPERS"]

SCALARS = {
    "builtins.bool": Kind.BOOLEAN,
    "builtins.int": Kind.INTEGER,
    "builtins.float": Kind.NUMBER,
    "builtins.str": Kind.STRING,
    "builtins.dict": Kind.OBJECT,
    "cog.File": Kind.URI,
    "cog.Path": Kind.URI,
    "cog.Secret": Kind.SECRET,
    "cog.URLFile": Kind.URI,
    "cog.URLPath": Kind.URI,
    "pathlib.Path": Kind.URI,
    "pathlib.PosixPath": Kind.URI,
    "typing.Any": Kind.ANY,
    "typing.Dict": Kind.OBJECT,
}
STREAMS = {
    "cog.AsyncConcatenateIterator": True,
    "cog.ConcatenateIterator": True,
    "typing.AsyncGenerator": False,
    "typing.AsyncIterator": False,
    "typing.Generator": False,
    "typing.Iterator": False,
}
LISTS = {"builtins.list", "typing.List"}
DICTS = {"builtins.dict", "typing.Dict"}
WRAPPERS = {"typing.Final", "typing.NotRequired", "typing.ReadOnly", "typing.Required"}
NATIVE = {Kind.BOOLEAN, Kind.INTEGER, Kind.NUMBER, Kind.STRING, Kind.OBJECT, Kind.ANY}

INSTEAD = {
    "builtins.bytes": "use cog.Path, or a str in base64",
    "builtins.complex": "use two floats",
    "builtins.frozenset": "use list",
    "builtins.object": "use typing.Any",
    "builtins.set": "use list",
    "builtins.tuple": "use list",
    "datetime.date": "use str in ISO 8601",
    "datetime.datetime": "use str in ISO 8601",
    "enum.Enum": "use str with Input(choices=[...])",
    "io.BytesIO": "use cog.Path",
    "io.StringIO": "use str or cog.Path",
    "typing.FrozenSet": "use list",
    "typing.Iterable": "use list, or Iterator for an output",
    "typing.Mapping": "use dict",
    "typing.Sequence": "use list",
    "typing.Set": "use list",
    "typing.Tuple": "use list",
}
