"""`scripts/bench push`: an image into Debian's docker-registry on the loopback, against docker push and skopeo copy."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import engine
import measure
from relay import relayed
from subject import example

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Engine
    from subject import Subject

__all__ = ["bench"]

_NOWHERE = "http://127.0.0.1:1/simple"  # an index that nobody can fetch from
_OURS, _DOCKER, _SKOPEO = "cog-oci push", "docker push", "skopeo copy"


def bench(folder: Path, runs: int) -> None:
    """examples/ocr, everything below `folder`."""
    if why := engine.lacking() or ("" if shutil.which("skopeo") else "needs skopeo"):
        measure.skip("ocr: push", why)
        return
    subject = example("ocr", folder)
    subject.lock(bytecode=True)
    subject.image()
    (folder / "engine").mkdir()
    with engine.started(folder / "engine") as daemon:
        measure.say(f"ocr: against {daemon('version', '--format', 'dockerd {{.Server.Version}}')} and skopeo")
        _first(subject, daemon, folder / "layout", runs)
        _changed(subject, daemon, runs)
        _clean(subject, daemon, runs)


def _first(subject: Subject, daemon: Engine, layout: Path, runs: int) -> None:
    """The same layers, from where each side keeps them, to a registry that has nothing. In turns."""
    subject("copy", str(subject.archive), f"{layout}/")
    daemon("load", "--quiet", "--input", str(subject.archive))
    daemon("tag", f"{subject.name}:bench", f"{daemon.registry}/theirs:v1")
    insecure = ("--quiet", "--dest-tls-verify=false")
    commands = {
        _OURS: ("cog-oci", "push", f"{daemon.registry}/ours:v1"),
        _DOCKER: (daemon.client, "push", "--quiet", f"{daemon.registry}/theirs:v1"),
        _SKOPEO: ("skopeo", "copy", *insecure, f"oci:{layout}", f"docker://{daemon.registry}/layout:v1"),
    }

    def take(side: str) -> measure.Run:
        if (daemon.folder / "registry" / "docker").is_dir():
            daemon.empty_registry()
        os.sync()
        return subject.run(*commands[side], env=daemon.env, servers=daemon.pids)

    measure.say("ocr: first push")
    taken = dict(zip(commands, measure.in_turns(list(commands), runs, take), strict=True))
    for peer in (_DOCKER, _SKOPEO):
        measure.show(
            f"ocr: first push against {peer}",
            taken[_OURS],
            peer=taken[peer],
            layers_mb=_megabytes(subject),
            peer_is=peer,
        )


def _changed(subject: Subject, daemon: Engine, runs: int) -> None:
    """One line of the code is another: the whole command, and in a run of its own what goes over the wire."""
    measure.say("ocr: one line changed")
    subject("push", f"{daemon.registry}/ours:v1")

    def push(registry: str) -> measure.Run:
        subject.add_a_line()
        os.sync()
        return subject("push", f"{registry}/ours:v1", servers=daemon.pids)

    taken = [push(daemon.registry) for _ in range(runs)]
    with relayed(daemon.registry) as relay:
        push(relay.address)
    measure.show("ocr: one line changed to pushed", taken, moved_mb=round(relay.moved / 1e6, 3))


def _clean(subject: Subject, daemon: Engine, runs: int) -> None:
    """From a machine with an empty store to a repository with nothing in it; the cache is in the same registry."""
    measure.say("ocr: from a clean machine")
    subject("push", f"{daemon.registry}/ours:v1", env=_caching(daemon.registry, "COG_CACHE_PUSH"))
    clean = replace(subject, cache=subject.cache.parent / "clean")

    def push(registry: str, name: str) -> measure.Run:
        shutil.rmtree(clean.cache, ignore_errors=True)
        subject.add_a_line()
        os.sync()
        env = {**_caching(registry), "UV_DEFAULT_INDEX": _NOWHERE}
        return clean("push", f"{registry}/{name}:v1", env=env, servers=daemon.pids)

    taken = [push(daemon.registry, f"clean{number}") for number in range(runs)]
    with relayed(daemon.registry) as relay:
        push(relay.address, "counted")
    store = sum(file.stat().st_size for file in clean.cache.rglob("*") if file.is_file())
    measure.show(
        "ocr: one line changed, pushed from an empty store with the cache in the registry",
        taken,
        moved_mb=round(relay.moved / 1e6, 3),
        store_mb=round(store / 1e6, 3),
    )


def _caching(registry: str, *flags: str) -> dict[str, str]:
    return {"COG_CACHE": f"{registry}/cache", **dict.fromkeys(flags, "1")}


def _megabytes(subject: Subject) -> float:
    sizes = (layer.blobs["gzip"].size for layer in subject.parts.layers)
    return round(sum(sizes) / 1e6, 1)
