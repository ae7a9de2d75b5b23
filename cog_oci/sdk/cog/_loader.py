"""Find the model that a reference names: `run.py:Runner`, `run.py:run`, or `run.py` alone."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._decorators import concurrent_max
from ._runner import BaseRunner
from ._types import Path as CogPath

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["Model", "load"]


@dataclass(frozen=True, slots=True)
class Model:
    """What the worker calls. `setup` takes no arguments; COG_WEIGHTS is bound where the model asks for it."""

    run: Callable[..., Any]
    setup: Callable[[], Any] | None
    healthcheck: Callable[[], Any] | None
    concurrency: int

    @property
    def asynchronous(self) -> bool:
        """Whether `run` is a coroutine function or an asynchronous generator."""
        return inspect.iscoroutinefunction(self.run) or inspect.isasyncgenfunction(self.run)


def load(reference: str) -> Model:
    """Import the file and take the model out of it.

    Raises whatever the import raises, and FileNotFoundError, AttributeError, TypeError or ValueError when the reference
    does not name a model.
    """
    file, _, name = reference.partition(":")
    module = _import(Path(file))
    target = getattr(module, name) if name else _only_model(module, file)
    if not inspect.isclass(target):
        if not callable(target):
            raise TypeError(f"{reference} is a {type(target).__name__}, expected a class or a function")
        return Model(target, None, None, concurrent_max(target))
    instance = target()
    run = _run_method(target, instance)
    setup = getattr(instance, "setup", None)
    return Model(
        run=run,
        setup=None if setup is None else _with_weights(setup),
        healthcheck=getattr(instance, "healthcheck", None),
        concurrency=concurrent_max(run),
    )


def _import(file: Path) -> ModuleType:
    path = file.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; COG_PREDICT_TYPE_STUB names the model's file")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(1, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: pickle and dataclasses look the module up
    spec.loader.exec_module(module)
    return module


def _only_model(module: ModuleType, file: str) -> Any:
    runner, predictor = getattr(module, "Runner", None), getattr(module, "Predictor", None)
    if runner is not None:
        if predictor is not None:
            _warn("Both Runner and Predictor are defined; using Runner")
        return runner
    if predictor is not None:
        _warn("Predictor is deprecated, rename the class to Runner")
        return predictor
    raise AttributeError(f"{file} defines neither Runner nor Predictor; name the model, as in {file}:Model")


def _run_method(cls: type, instance: Any) -> Callable[..., Any]:
    has_run = callable(getattr(cls, "run", None)) and getattr(cls, "run", None) is not BaseRunner.run
    has_predict = callable(getattr(cls, "predict", None))
    if has_run and has_predict:
        raise ValueError(f"{cls.__name__} defines both run() and predict(); keep run()")
    if has_predict:
        _warn(f"{cls.__name__}.predict() is deprecated, rename it to run()")
        return instance.predict  # type: ignore[no-any-return]  # a bound method
    if not has_run:
        raise NotImplementedError(f"{cls.__name__} must define run()")
    return instance.run  # type: ignore[no-any-return]  # a bound method


def _with_weights(setup: Callable[..., Any]) -> Callable[[], Any]:
    parameter = inspect.signature(setup).parameters.get("weights")
    if parameter is None:
        return setup
    value: Any = os.environ.get("COG_WEIGHTS") or None
    as_text = "str" in str(parameter.annotation) and "Path" not in str(parameter.annotation)
    if value is not None and not as_text:
        value = CogPath.validate(value)
    if value is None and parameter.default is not inspect.Parameter.empty:
        return setup
    return lambda: setup(weights=value)


def _warn(message: str) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=2)
