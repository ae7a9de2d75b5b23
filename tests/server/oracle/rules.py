"""Differences that run through many answers: what they are, why, and how theirs reads without them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RULES", "Rule", "settle"]

MOMENTS = ("created_at", "started_at", "completed_at")
ENDED_BADLY = ("failed", "canceled")
PARSER = "Failed to parse the request body as JSON: "
PIPED = "setup subprocess\n"
"""What a program writes that setup starts: it comes through a pipe, and Cog loses it where it comes after the rest."""
WRAPPED = re.compile(
    r"^(Prediction failed: )?(Prediction failed|Training failed|Generator iteration error|Async prediction failed"
    r"|Failed to (serialize|process) output): "
)

Node = dict[str, Any]


class Rule(NamedTuple):
    """`apply(theirs, ours)` changes two objects that are at the same place of both answers."""

    reason: str
    apply: Callable[[Node, Node], None]


def settle(theirs: Any, ours: Any) -> tuple[Any, Any, set[str]]:
    """Both answers without these differences, and the names of the rules that were needed."""
    used: set[str] = set()
    theirs, ours = _settle(theirs, ours, used)
    return theirs, ours, used


def _settle(theirs: Any, ours: Any, used: set[str]) -> tuple[Any, Any]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        theirs, ours = dict(theirs), dict(ours)
        for name, rule in RULES.items():
            before = dict(theirs), dict(ours)
            rule.apply(theirs, ours)
            if (theirs, ours) != before:
                used.add(name)
        for key in theirs.keys() & ours.keys():
            theirs[key], ours[key] = _settle(theirs[key], ours[key], used)
    elif isinstance(theirs, list | tuple) and isinstance(ours, list | tuple) and len(theirs) == len(ours):
        pairs = [_settle(one, other, used) for one, other in zip(theirs, ours, strict=True)]
        return [one for one, _ in pairs], [other for _, other in pairs]
    return theirs, ours


def _is_prediction(node: Node) -> bool:
    return isinstance(node.get("status"), str) and "id" in node


def _moments(theirs: Node, ours: Node) -> None:
    if _is_prediction(theirs) and _is_prediction(ours):
        for name in MOMENTS:
            if name not in theirs:
                ours.pop(name, None)


def _once(theirs: Node, ours: Node) -> None:
    if isinstance(theirs.get("error"), str) and isinstance(ours.get("error"), str):
        theirs["error"] = WRAPPED.sub("", theirs["error"])


def _kept(theirs: Node, ours: Node) -> None:
    if _is_prediction(theirs) and theirs["status"] == ours.get("status") in ENDED_BADLY:
        if theirs.get("logs") == "" != ours.get("logs"):
            theirs["logs"] = ours.get("logs")
        if "output" not in theirs:
            ours.pop("output", None)


def _version(theirs: Node, ours: Node) -> None:
    if "coglet" in theirs:
        for name in ("coglet", "git_sha", "build_time"):
            del theirs[name]
        ours.pop("cog_oci", None)


def _prefix(theirs: Node, ours: Node) -> None:
    if isinstance(theirs.get("logs"), str):
        theirs["logs"] = theirs["logs"].replace("[coglet::setup] ", "")


def _lines(theirs: Node, ours: Node) -> None:
    said = ours.get("logs", "")
    if (
        "completed_at" in theirs
        and theirs["status"] == "succeeded"
        and any(logs.startswith(theirs.get("logs", "")) for logs in (said, said.replace(PIPED, "")))
    ):
        theirs.pop("logs", None)
        ours.pop("logs", None)


def _parser(theirs: Node, ours: Node) -> None:
    bodies = theirs.get("body"), ours.get("body")
    if bodies[0] != bodies[1] and all(isinstance(body, str) and body.startswith(PARSER) for body in bodies):
        theirs["body"] = ours["body"] = PARSER


def _struct(theirs: Node, ours: Node) -> None:
    if isinstance(theirs.get("body"), str):
        theirs["body"] = theirs["body"].replace("expected struct PredictionRequest", "expected an object")


def _order(theirs: Node, ours: Node) -> None:
    if isinstance(theirs.get("calls"), list) and isinstance(ours.get("calls"), list):
        theirs["calls"] = sorted(theirs["calls"], key=_progress)


def _start(theirs: Node, ours: Node) -> None:
    if "calls" in theirs and theirs["calls"] and ours.get("calls"):
        first = theirs["calls"][0]
        if first["body"]["status"] == "processing" and ours["calls"][0]["body"]["status"] == "starting":
            theirs["calls"] = [{**first, "body": {**first["body"], "status": "starting"}}, *theirs["calls"][1:]]


def _progress(call: Node) -> tuple[bool, int, int]:
    body = call["body"]
    return body["status"] != "processing", len(body["logs"]), len(body.get("output") or ())


RULES: dict[str, Rule] = {
    "moments": Rule(
        "a prediction says when it was created, started and completed, as the schema declares (D20)", _moments
    ),
    "error once": Rule("an error is said once, with its type (D16)", _once),
    "logs kept": Rule("a failed or cancelled prediction keeps its logs and the output that it had (D10)", _kept),
    "version": Rule("each server says its own version", _version),
    "prefix": Rule("setup's logs are what the model printed, without a prefix on every line (D12)", _prefix),
    "last lines": Rule(
        "setup's last lines are in its logs; Cog loses those that come late or have no end (D11)", _lines
    ),
    "parser": Rule(
        "the sentence about what is no JSON is another parser's; status and beginning are the same", _parser
    ),
    "object": Rule("JSON has objects; the name of a type in Cog's source says nothing to a client", _struct),
    "webhooks in order": Rule("webhooks come in order, the last one last; Cog's overtake each other (D6)", _order),
    "start": Rule("the webhook of the start says starting, as its documentation does (D20)", _start),
}
