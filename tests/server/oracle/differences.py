"""Where our answers differ from Cog's on purpose: name of the question → the places, and why ours is better.

A place that is listed must differ, and nothing else may. What differs everywhere alike is a rule in `rules.py`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DIFFERENCES", "Difference"]


class Difference(NamedTuple):
    """`places` as in `compare.py`; each stands for everything in it, too."""

    places: tuple[str, ...]
    reason: str


_BODY = ("status", "body")
_ALL = ("status", "headers", "body")
_ENDED = ("body.status", "body.output", "body.error")

_GROUPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "the server's home says where its page is, and there is one; Cog says so and answers 404 (D20)",
        _ALL,
        ("docs",),
    ),
    (
        "a prediction can be asked for (D26), so its path takes GET",
        ("headers.allow",),
        ("delete one prediction",),
    ),
    (
        "a prediction can be asked for (D26): there is none of this id",
        _ALL,
        ("get one prediction",),
    ),
    (
        "what a subprocess and a descriptor print is in the logs, and so is a line without an end (D11)",
        ("body.logs",),
        ("all kinds of output", "forked"),
    ),
    (
        "the unfinished line of the one before is not in the logs of this one (D11)",
        ("body.logs",),
        ("thread", "logs of a prediction after setup"),
    ),
    (
        "a number that JSON does not have is null, where Cog's prediction fails (D17)",
        _ENDED,
        ("numbers", "returns: nan", "returns: infinity"),
    ),
    (
        "a big integer is exact (D17)",
        ("body.output",),
        ("returns: big",),
    ),
    (
        "half a surrogate pair is escaped as JSON can (RFC 8259 §8.2), where Cog's prediction fails",
        _ENDED,
        ("returns: surrogate",),
    ),
    (
        "dates, decimals, UUIDs, bytes and text streams have a JSON form, where Cog's prediction fails (D17)",
        _ENDED,
        (
            "days",
            "returns: bytes",
            "returns: date",
            "returns: time",
            "returns: decimal",
            "returns: uuid",
            "returns: text stream",
        ),
    ),
    (
        "an output file that is not there is a failure, and says which; Cog's prediction succeeds with null",
        _ENDED,
        ("returns: pure path", "returns: missing path", "missing picture"),
    ),
    (
        "a request is an object; Cog takes an array for its fields in their order, an accident of its parser",
        ("status", "headers.content-type", "body"),
        ("positional array",),
    ),
    (
        "a request is an object; Cog takes an array for its fields in their order, an accident of its parser",
        ("body",),
        ("array", "empty array"),
    ),
    (
        "of two equal keys the last one counts, as in most JSON parsers; Cog does so within the input only",
        ("status", "headers.content-type", "body"),
        ("duplicate keys",),
    ),
    (
        "JSON of a wrong type is 422, as everywhere else in the body",
        ("status", "body"),
        ("event of another type",),
    ),
    (
        "null is no filter, as null is no webhook and no id",
        ("status", "headers.content-type", "body"),
        ("null filter",),
    ),
    (
        "a mutable default is not shared between predictions (D17)",
        ("body.output.strings",),
        ("types again",),
    ),
    (
        "what is declared as an int is an int, though JSON said 3.0, and what is declared as a float is one (D17)",
        ("body.output",),
        (
            "whole float",
            "int for float",
            "limits: whole float for a limited int",
            "limits: lists",
            "choices: whole float",
        ),
    ),
    (
        "null may be given where it is the value of leaving the field out (D17)",
        _BODY,
        ("given null", "optional: nulls", "unions: anything null", "null path"),
    ),
    (
        "integers are compared and said exactly (D17)",
        ("body.detail.0.msg",),
        ("big integer",),
    ),
    (
        "the client is told that it is at fault, with 422 and the field (D16, D17); Cog fails, or hands over an empty file",
        _BODY,
        ("data url without a comma", "data url without padding", "invalid base64"),
    ),
    (
        "the client is told that it is at fault, with 422 and the field (D21); Cog hands over a str, on which the model fails",
        _BODY,
        ("local path", "local path as url", "local paths", "local path for a file", "ftp", "empty path"),
    ),
    (
        "the scheme of a URL has no case (RFC 3986 §3.1, D21)",
        _ENDED,
        ("data url, other letters",),
    ),
    (
        "a URL that cannot be read is the client's, also where it is read late",
        ("body.error",),
        ("download that is not there, for a file",),
    ),
    (
        "weights are a Path where setup asks for one; Cog hands over a str",
        _ENDED,
        ("prediction with weights",),
    ),
    (
        "Prefer is read as RFC 7240 says: names have no case, and there may be several (D25)",
        ("0", "1"),
        ("in the background, in other letters", "in the background, among others"),
    ),
    (
        "an id that runs with another input is another request: 409 (D24)",
        _BODY,
        ("put, polled with another input", "put, polled with a wrong input"),
    ),
    (
        "an id that runs is not started again, so each can be cancelled (D24), and the logs of each are its own",
        ("0.body.logs", "1.status", "1.body"),
        ("several: one id twice",),
    ),
    (
        "a client that hangs up frees the slot at once; Cog waits for the end of the model's sleep",
        ("0",),
        ("client hangs up",),
    ),
    (
        "a setup that has failed is not one that has not finished (D12)",
        ("body.error",),
        (
            "setup raises: prediction",
            "setup raises: prediction with a wrong input",
            "setup raises: idempotent prediction",
            "setup exits: prediction",
            "setup dies: prediction",
            "import fails: prediction",
            "too many slots: prediction",
            "setup takes too long: prediction",
        ),
    ),
    (
        "the logs of the failed setup are there, and its traceback (D12)",
        ("body.setup.logs",),
        (
            "setup raises: health",
            "setup exits: health",
            "setup dies: health",
            "asynchronous setup raises: health",
            "import fails: health",
            "class is missing: health",
            "file is missing: health",
            "too many slots: health",
            "setup takes too long: health",
        ),
    ),
    (
        "a worker that has died is started again (D2), and how it ended is said",
        ("0.body.error", "1", "2.status", "2.body"),
        ("crash",),
    ),
    (
        "the method is called run(); predict() is its deprecated name",
        ("body.error",),
        (
            "events of a model without",
            "events of a model without, put",
            "events of a model without, wrong input",
            "without a schema: events",
            "setup goes on: events",
        ),
    ),
    (
        "an asynchronous generator streams: its items come when it gives them (D9)",
        ("events",),
        ("async events", "async events: failing"),
    ),
    (
        "an asynchronous generator streams: its items are told of when it gives them (D9)",
        ("calls.1.body.logs", "calls.1.body.metrics"),
        ("webhooks: async",),
    ),
    (
        "a server that predicts says so; Cog calls run() with the input of a training, which is a TypeError",
        _BODY,
        ("trainable: training", "trainable: missing input", "trainable: wrong input"),
    ),
    (
        "in training mode either path is a training, checked and with its defaults",
        ("body",),
        ("training: as a prediction",),
    ),
    (
        "in training mode either path is a training, checked and with its defaults",
        _BODY,
        ("training: as a wrong prediction",),
    ),
    (
        "a training can be asked for (D26)",
        _ALL,
        ("training: get one",),
    ),
    (
        "a name is escaped, so that the whole of it arrives; Cog's ends at the # (D21)",
        ("answer.body.output", "uploads.0.path"),
        ("upload of an odd name",),
    ),
    (
        "files in objects are uploaded as well (D21)",
        ("answer.body.output", "uploads"),
        ("upload in an object", "uploads of an object"),
    ),
    (
        "an output file that is not there is a failure, and says which; Cog's prediction succeeds with null",
        ("answer.body.status", "answer.body.output", "answer.body.error"),
        ("upload of a missing file",),
    ),
    (
        "a relative Location is relative to the upload's URL (RFC 9110 §10.2.2), not to nothing",
        ("answer.body.output",),
        ("upload elsewhere",),
    ),
    (
        "an upload that the other side could not take just then is tried again",
        ("answer.body.status", "answer.body.output", "answer.body.error", "uploads"),
        ("upload that fails once",),
    ),
    (
        "an answer's version is the server's own (RFC 9112 §2.3); a connection of HTTP/1.0 is closed, its default",
        ("",),
        ("HTTP/1.0", "HTTP/1.0, kept", "HTTP/1.0, prediction"),
    ),
    (
        "nothing is no id, so there is nothing to cancel at this address",
        ("headers.content-type", "body"),
        ("cancel nothing",),
    ),
    (
        "a body that says it is too large is refused before it comes (D19)",
        ("",),
        ("too large",),
    ),
    (
        "what was accepted is finished and its last webhook is sent (D7)",
        ("2",),
        ("SIGTERM of an asynchronous one",),
    ),
)

DIFFERENCES: dict[str, Difference] = {}
for _reason, _places, _names in _GROUPS:
    for _name in _names:
        assert _name not in DIFFERENCES, f"{_name} is listed twice"
        DIFFERENCES[_name] = Difference(_places, _reason)
