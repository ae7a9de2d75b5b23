"""Where our answers differ from Cog's on purpose: the name of the request → why."""

from __future__ import annotations

__all__ = ["DIFFERENCES"]

_ONCE = "the error is said once, and a failed prediction keeps its logs and the output that it had"
_PARSER = "the sentence is that of another JSON parser"

DIFFERENCES: dict[str, str] = {
    "index": "/docs is not advertised while there is no page behind it; Cog answers 404 there",
    "health": "setup's logs are whole, subprocesses included, and carry no prefix",
    "failure": _ONCE,
    "failure without text": _ONCE,
    "exit": _ONCE,
    "alien": _ONCE,
    "retyped metric": _ONCE,
    "failing tokens": _ONCE,
    "failing async": _ONCE,
    "missing file output": _ONCE,
    "all kinds of output": "what a subprocess and a descriptor print is in the logs, and so is a line without an end",
    "thread": "the unfinished line of the prediction before is not in the logs of this one",
    "numbers": "a number that JSON does not have is null and a big integer is exact, where Cog's prediction fails",
    "days": "dates and decimals have a JSON form, where Cog's prediction fails",
    "bad json": _PARSER,
    "no json": _PARSER,
    "array": "a request is an object; Cog takes an array for its fields in their order, an accident of its parser",
    "positional array": "a request is an object; Cog takes an array for its fields in their order, an accident of its parser",
    "null filter": "null is no filter, as null is no webhook and no id",
    "duplicate keys": "of two equal keys the last one counts, as in most JSON parsers; Cog does so within the input only",
    "types again": "a mutable default is not shared between predictions",
    "whole float": "what is declared as an int is an int, though JSON said 3.0",
    "int for float": "what is declared as a float is a float, though JSON said 1",
    "given null": "null may be given where it is the value of leaving the field out",
    "data url": "the file's name has no random prefix",
    "invalid base64": "the client is told; Cog hands over an empty file",
    "local path": "the client is told; Cog hands over a str, on which the model fails",
    "big integer": "integers are compared and said exactly",
    "sick": "a setup that has failed is not one that has not finished",
    "sick health": "the logs of the failed setup and its traceback are there",
}
