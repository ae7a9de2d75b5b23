"""Find what a reference names: the model, `run.py:Runner`, or its training, `train.py:train`; or `run.py` alone."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ._decorators import Batching, batching, concurrent_max
from ._functions import MISSING, is_asynchronous, parameters
from ._runner import BaseRunner
from ._types import Path as CogPath

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["Model", "load"]

_RELATIVE = re.compile(rb"^\s*from\s*\.", re.MULTILINE)


class Model(NamedTuple):
    """What the worker calls. `setup` takes no arguments; COG_WEIGHTS is bound where the model asks for it."""

    run: Callable[..., Any]
    setup: Callable[[], Any] | None
    healthcheck: Callable[[], Any] | None
    concurrency: int
    batching: Batching | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether `run` is a coroutine function or an asynchronous generator."""
        return is_asynchronous(self.run)


def load(reference: str, *, training: bool = False) -> Model:
    """Import the file and take the model out of it; with `training`, a class's `train()` rather than its `run()`.

    Raises whatever the import raises, and FileNotFoundError, AttributeError, TypeError or ValueError when the reference
    does not name a model.
    """
    file, _, name = reference.partition(":")
    module = _import(Path(file))
    target = getattr(module, name) if name else _only_model(module, file)
    if not isinstance(target, type):
        if not callable(target):
            raise TypeError(f"{reference} is a {type(target).__name__}, expected a class or a function")
        return Model(target, None, None, concurrent_max(target), batching(target))
    instance = target()
    run = _method(target, instance, training=training)
    setup = getattr(instance, "setup", None)
    return Model(
        run=run,
        setup=None if setup is None else _with_weights(setup),
        healthcheck=getattr(instance, "healthcheck", None),
        concurrency=concurrent_max(run),
        batching=batching(run),
    )


def _import(file: Path) -> ModuleType:
    path = file.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; COG_PREDICT_TYPE_STUB names the model's file")
    package = _package(path.parent)
    name = f"{package}.{path.stem}" if package else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(2, str(path.parent))  # after `cog` and the project's folder, where Cog's models import from
    if package and _RELATIVE.search(path.read_bytes()):
        importlib.import_module(package)  # as the file would: now it may import the file, which is there once
        if name in sys.modules:
            sys.modules[path.stem] = sys.modules[name]
            return sys.modules[name]
    module = importlib.util.module_from_spec(spec)
    # Before it runs: pickle and dataclasses look the module up, by either name that the project may have for it.
    sys.modules[name] = sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _package(folder: Path) -> str:
    """The package that files in `folder` are of, for their relative imports: its path in the project, with dots."""
    try:
        parts = folder.relative_to(Path.cwd()).parts
    except ValueError:
        return ""
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _only_model(module: ModuleType, file: str) -> Any:
    runner, predictor = getattr(module, "Runner", None), getattr(module, "Predictor", None)
    if runner is not None:
        if predictor is not None:
            _warn("Both Runner and Predictor are defined; using Runner")
        return runner
    if predictor is not None:
        _warn("Predictor is deprecated, rename the class to Runner")
        return predictor
    training = getattr(module, "Trainer", None) or getattr(module, "train", None)
    if training is not None:
        return training
    raise AttributeError(f"{file} defines neither Runner nor Predictor; name the model, as in {file}:Model")


def _method(cls: type, instance: Any, *, training: bool) -> Callable[..., Any]:
    """What answers a request: `run()`, by its former name `predict()`, or a training class's `train()`."""
    if training and _defines(cls, "train"):
        train: Callable[..., Any] = instance.train
        return train
    defined = [name for name in ("run", "predict", "train") if _defines(cls, name)]
    if defined[:2] == ["run", "predict"]:
        raise ValueError(f"{cls.__name__} defines both run() and predict(); keep run()")
    if not defined:
        raise NotImplementedError(f"{cls.__name__} must define run()")
    if defined[0] == "predict":
        _warn(f"{cls.__name__}.predict() is deprecated, rename it to run()")
    method: Callable[..., Any] = getattr(instance, defined[0])
    return method


def _defines(cls: type, name: str) -> bool:
    """Whether a model has this method, and of its own: those of BaseRunner only say what a model has to define."""
    method = getattr(cls, name, None)
    return callable(method) and method is not getattr(BaseRunner, name, None)


def _with_weights(setup: Callable[..., Any]) -> Callable[[], Any]:
    parameter = next((each for each in parameters(setup) if each.name == "weights"), None)
    if parameter is None:
        return setup
    value: Any = os.environ.get("COG_WEIGHTS") or None
    as_text = "str" in str(parameter.annotation) and "Path" not in str(parameter.annotation)
    if value is not None and not as_text:
        value = CogPath.validate(value)
    if value is None and parameter.default is not MISSING:
        return setup
    return lambda: setup(weights=value)


def _warn(message: str) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=2)
