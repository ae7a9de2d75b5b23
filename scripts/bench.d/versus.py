"""A project built by cog-oci and by BuildKit, in turns, from the same files."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

import buildkit
import measure

if TYPE_CHECKING:
    from buildkit import BuildKit
    from engine import Engine
    from subject import Subject

__all__ = ["alone", "figures"]

_BUILD = "docker build alone"
_BASE_THERE = "docker push, base there"


def alone(subject: Subject, runs: int, why: str) -> None:
    """Without a peer, and saying why."""
    subject.image()  # what the store lacks is fetched now
    measure.show(f"{_name(subject)}: warm store, no layers, to archive", [_cold(subject) for _ in range(runs)])
    measure.skip(f"{_name(subject)}: against BuildKit", why)


def figures(subject: Subject, engine: Engine, runs: int) -> None:
    """From nothing built to an image that can be pushed; then from a changed line to an image in the daemon."""
    subject.image()  # what the store lacks is fetched now
    peer = buildkit.prepared(engine, subject.project, subject.parts, subject.store)
    _from_nothing(subject, peer, runs)
    _one_line(subject, peer, runs)
    peer.forget()


def _from_nothing(subject: Subject, peer: BuildKit, runs: int) -> None:
    ours: list[measure.Run] = []
    theirs: dict[str, dict[str, list[measure.Run]]] = {name: defaultdict(list) for name in buildkit.INSTALLERS}
    for number in range(runs):
        measure.say(f"{subject.name}: from nothing built, {number + 1} of {runs}")
        ours.append(_cold(subject))
        for installer, ways in theirs.items():
            peer.forget()
            os.sync()
            built = peer.build(installer)
            ways[_BUILD].append(built)
            ways[_BASE_THERE].append(built + peer.push())
            peer.engine.empty_registry()
            ways["docker push"].append(built + peer.push())
            ways["docker save | gzip -6"].append(built + peer.save())
    for installer, ways in theirs.items():
        # cog-oci starts without a base: the same end from the same start is everything compressed.
        compared = min(ways.keys() - {_BUILD, _BASE_THERE}, key=lambda way: measure.median(ways[way]).seconds)
        measure.show(
            f"{_name(subject)}: warm store, no layers, to archive; BuildKit with {installer}",
            ours,
            peer=ways[compared],
            peer_is=f"docker build, {compared}",
            peer_each={way: round(measure.median(taken).seconds, 3) for way, taken in ways.items()},
            archive_mb=round(subject.archive.stat().st_size / 1e6, 1),
        )


def _one_line(subject: Subject, peer: BuildKit, runs: int) -> None:
    subject.load(peer.engine)
    peer.build()
    ours: dict[str, list[measure.Run]] = {}
    theirs: list[measure.Run] = []
    for number in range(runs):
        measure.say(f"{subject.name}: one line changed, {number + 1} of {runs}")
        ways = {
            "with --load": subject.load,
            "through a pipe": subject.load_piped,
            "through an archive": subject.load_archive,
        }
        for way, load in ways.items():
            subject.add_a_line()
            os.sync()
            ours.setdefault(way, []).append(load(peer.engine))
        subject.add_a_line()
        os.sync()
        theirs.append(peer.build())
    for way, taken in ours.items():
        measure.show(f"{_name(subject)}: one line changed to loaded into dockerd, {way}", taken, peer=theirs)


def _cold(subject: Subject) -> measure.Run:
    subject.forget_layers()
    os.sync()
    return subject.image()


def _name(subject: Subject) -> str:
    return f"{subject.name} with bytecode" if subject.parts.bytecode else subject.name
