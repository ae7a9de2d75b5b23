"""What is wrong with a project or with this machine, what to do about it, and doing it where that is safe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cog_oci.doctor import (
    _config,
    _gpu,
    _host,
    _imports,
    _libraries,
    _lock,
    _migration,
    _model,
    _pydantic_models,
    _registry,
)
from cog_oci.doctor._finding import Change, Finding, Fix
from cog_oci.doctor._repair import Repaired, apply
from cog_oci.doctor._subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["CHECKS", "Change", "Finding", "Fix", "Repaired", "Subject", "examine", "repair"]

CHECKS: Mapping[str, Callable[[Subject], Iterator[Finding]]] = {
    "config-parse": _config.parse,
    "config-schema": _config.rules,
    "predict-to-run-migration": _migration.predict_to_run,
    "config-deprecated-fields": _config.deprecated_fields,
    "config-predict-ref": _model.reference,
    "python-pydantic-basemodel": _pydantic_models.pydantic_models,
    "python-deprecated-imports": _imports.deprecated_imports,
    "python-schema": _model.interface,
    "env-docker": _host.docker,
    "env-python-version": _host.python_version,
    "env-gpu-compat": _gpu.gpu,
    "config-gpu": _gpu.without_gpu,
    "env-sandbox": _host.sandbox,
    "lock": _lock.fresh_lock,
    "libraries": _libraries.libraries,
    "registry-login": _registry.registry_login,
}
"""By name, in the order of Cog's and then ours. A new check is a function and a row."""

_REPAIRING = ("predict-to-run-migration", "python-pydantic-basemodel", "python-deprecated-imports")
"""Those whose findings may have a fix."""


def examine(subject: Subject) -> list[Finding]:
    """Everything that every check finds, in the order of the checks. Nothing of the project is run."""
    return [replace(found, check=name) for name, check in CHECKS.items() for found in check(subject)]


def repair(file: Path) -> Iterator[Repaired]:
    """Make every fix there is for the project of this cog.yaml, one after another; each is given when it has been made.

    After each the project is read anew, so that a fix never works on what another has changed. Raises CogError when one
    cannot be made; those before it stay.
    """
    while (found := _next_fix(Subject(file))) is not None:
        name, fix = found
        apply(fix, file.parent)
        yield Repaired(name, fix)


def _next_fix(subject: Subject) -> tuple[str, Fix] | None:
    found = ((name, finding.fix) for name in _REPAIRING for finding in CHECKS[name](subject))
    return next(((name, fix) for name, fix in found if fix is not None), None)
