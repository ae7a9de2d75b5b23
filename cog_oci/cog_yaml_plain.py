"""cog.yaml as most projects write it, read without pydantic, which takes a tenth of a second to load.

What is here is surely right as it stands: the values are those that `cog_yaml` gives. Of everything else, and of every
mistake, it says nothing, and `cog_yaml` is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cog_oci.errors import SourceError
from cog_oci.yaml_source import YamlSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["AS_TYPED", "DEFAULT_PYTHON", "PYTHON_VERSIONS", "REFERENCE", "plain_values"]

PYTHON_VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""Debian's stable suites bring two of them, python-build-standalone the others (design §4)."""

DEFAULT_PYTHON = "3.13"

REFERENCE = r"[^:]+\.py(:[A-Za-z_]\w*)?"
"""What is served: a file, and what in it."""

AS_TYPED = frozenset(
    {
        ("build", "python_version"),
        ("build", "cuda"),
        ("build", "cudnn"),
        ("build", "sdk_version"),
        ("build", "system_packages", "*", "version"),
        ("build", "apt", "*", "suite"),
        ("build", "apt", "*", "fingerprint"),
    }
)
"""Scalars that YAML would take for numbers: 3.10 is not 3.1."""


def plain_values(file: Path, data: bytes) -> dict[str, Any] | None:
    """The values of `config.Config`, as JSON has them; None for a file that is not plain or has a mistake in it."""
    try:
        source = YamlSource(file, data)
        said = source.values(as_typed=AS_TYPED, refused=frozenset())
    except SourceError:
        return None
    build = said.get("build", {})
    if source.empty or not _fits(said, _TOP) or not _fits(build, _BUILD):
        return None
    if (said.get("run") and said.get("predict")) or (build.get("python_requirements") and build.get("python_packages")):
        return None
    values = {name: build.get(name, default) for name, (_, default) in _BUILD.items()}
    # By the order of the keys in `cog_yaml`, and without what is so by default.
    told = {name: value for name, value in values.items() if value != _BUILD[name][1]}
    served = {name: said[name] for name in ("run", "predict", "train") if name in said}
    return {
        "build": {
            **values,
            "cuda": None,
            "cudnn": None,
            "base_image": None,
            "apt": [],
            "system_effects": {},
            "steps": [],
            "recommending": [],
        },
        "image_name": said.get("image"),
        "compression": "gzip",
        "reference": said.get("run") or said.get("predict"),
        "training": said.get("train"),
        "variables": {},
        "concurrency": None,
        "indexes": {},
        "cache": None,
        "said": {
            **({"build": told} if told else {}),
            **served,
            **({"image": said["image"]} if "image" in said else {}),
        },
    }


def _text(value: object) -> bool:
    # Letters alone: YAML can write half of a letter of two parts, which pydantic refuses.
    return isinstance(value, str) and value.isprintable()


def _reference(value: object) -> bool:
    return _text(value) and re.fullmatch(REFERENCE, str(value)) is not None


def _python_version(value: object) -> bool:
    match = re.fullmatch(r"([0-9]+\.[0-9]+)(\.[0-9]+)?", value) if isinstance(value, str) else None
    return match is not None and match[1] in PYTHON_VERSIONS


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _packages(value: object) -> bool:
    """Names of Debian packages, without a version."""
    return isinstance(value, list) and all(_text(one) and re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", one) for one in value)


_Checks = dict[str, tuple["Callable[[object], bool]", Any]]
_BUILD: _Checks = {
    "gpu": (lambda value: isinstance(value, bool), False),
    "python_version": (_python_version, DEFAULT_PYTHON),
    "python_requirements": (_text, None),
    "python_packages": (_texts, []),
    "system_packages": (_packages, []),
}
"""The keys of `build` that may be there, in the order of `cog_yaml`: what they must be, and what they are without."""
_TOP: _Checks = {
    "build": (lambda value: isinstance(value, dict), {}),
    "image": (_text, None),
    "run": (_reference, None),
    "predict": (_reference, None),
    "train": (_reference, None),
}


def _fits(said: Mapping[str, object], checks: _Checks) -> bool:
    return all(name in checks and checks[name][0](value) for name, value in said.items())
