"""Keys of cog.yaml that are on their way out with Cog, or have no effect here, in Cog's words where it has some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["outdated"]

_DEPRECATED = {
    ("build", "python_packages"): "use a requirements.txt file instead",
    ("concurrency", "max"): "use @cog.concurrent on the method instead",
    ("predict",): 'use "run" instead',
}
_SDK = ("build", "sdk_version")


def outdated(said: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys of each that is said, and the sentence about it; `said` is the file's mapping, whatever is in it."""
    for keys, advice in _DEPRECATED.items():
        if _value(said, keys) not in (None, [], ""):
            yield keys, f'deprecated field "{".".join(keys)}": {advice}'
    if (version := _value(said, _SDK)) is not None:
        yield _SDK, f"build.sdk_version {version} changes nothing: the image has the SDK of this tool, as Cog 0.23's"


def _value(said: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said
