"""The models that both servers are started with, and how: name → deployment."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DEPLOYMENTS", "Deployment"]

TRAIN = ("--x-mode", "train")


@dataclass(frozen=True)
class Deployment:
    """A folder of `tests/server/models` and what the servers are told. `{receiver}` in an argument is its address.

    `schema` False leaves the schema document out, `declared` is what it describes where that is not the reference;
    `ready` False asks during setup; `train` names the training function.
    """

    model: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    reference: str = "run.py:Runner"
    declared: str | None = None
    train: str | None = None
    schema: bool = True
    ready: bool = True


DEPLOYMENTS: dict[str, Deployment] = {
    "plain": Deployment("plain"),
    "bodies": Deployment("plain"),
    "idempotence": Deployment("plain"),
    "without a schema": Deployment("plain", schema=False),
    "types": Deployment("types"),
    "limits": Deployment("limits"),
    "optional": Deployment("optional"),
    "unions": Deployment("unions"),
    "enums": Deployment("enums"),
    "secrets": Deployment("secrets"),
    "reader": Deployment("reader"),
    "typed dict": Deployment("typed_dict"),
    "files": Deployment("files"),
    "pictures": Deployment("pictures"),
    "path iterator": Deployment("path_iterator"),
    "structured": Deployment("structured"),
    "dictionary": Deployment("dictionary"),
    "returns": Deployment("returns"),
    "metered": Deployment("metered"),
    "context": Deployment("context"),
    "function": Deployment("function", reference="run.py:run"),
    "predictor": Deployment("predictor", reference="run.py:Predictor"),
    "weights": Deployment("weights", environment={"COG_WEIGHTS": "/etc/hostname"}),
    "noisy setup": Deployment("noisy_setup"),
    "tokens": Deployment("tokens"),
    "iterator": Deployment("iterator"),
    "streaming": Deployment("streaming"),
    "streaming, no history": Deployment("streaming", environment={"COG_STREAM_HISTORY_CAPACITY": "0"}),
    "async": Deployment("async_value"),
    "async tokens": Deployment("async_tokens"),
    "async streaming": Deployment("async_streaming"),
    "several": Deployment("several", environment={"COG_MAX_CONCURRENCY": "4"}),
    "webhooks": Deployment("streaming", environment={"COG_THROTTLE_RESPONSE_INTERVAL": "0"}),
    "webhooks of failures": Deployment("plain", environment={"WEBHOOK_AUTH_TOKEN": "hush"}),
    "opinion": Deployment("opinion"),
    "async opinion": Deployment("async_opinion"),
    "half async": Deployment("half_async"),
    "trainable": Deployment("trainer", train="run.py:train"),
    "training": Deployment("trainer", TRAIN, {"COG_TRAIN_TYPE_STUB": "run.py:train"}, train="run.py:train"),
    "uploads": Deployment("pictures", ("--upload-url", "{receiver}/up")),
    "uploads of an iterator": Deployment("path_iterator", ("--upload-url", "{receiver}/up/")),
    "uploads of an object": Deployment("files", ("--upload-url", "{receiver}/up")),
    "setup raises": Deployment("setup_fails"),
    "setup exits": Deployment("setup_exits"),
    "setup dies": Deployment("setup_dies"),
    "async setup raises": Deployment("async_setup_fails"),
    "import fails": Deployment("import_fails"),
    "class is missing": Deployment("plain", reference="run.py:Nope", declared="run.py:Runner"),
    "file is missing": Deployment("plain", reference="nofile.py:Runner", declared="run.py:Runner"),
    "too many slots": Deployment("plain", environment={"COG_MAX_CONCURRENCY": "2"}),
    "setup takes too long": Deployment("slow_setup", environment={"COG_SETUP_TIMEOUT": "1"}),
    "setup goes on": Deployment("slow_setup", ready=False),
    "shutdown": Deployment("plain"),
    "shutdown of a busy one": Deployment("plain"),
    "SIGTERM": Deployment("plain"),
    "SIGTERM of a busy one": Deployment("plain"),
    "SIGTERM of an asynchronous one": Deployment("plain"),
    "SIGINT": Deployment("plain"),
    "explicit shutdown": Deployment("plain", ("--await-explicit-shutdown", "true")),
    "crash": Deployment("plain"),
}
