"""The image that a project without its code is, remembered: to know it again takes neither its lock's parts nor a plan.

What would be found is a function of the files that decide the lock, the lock, and how the image is made: an answer is
remembered under all of these, and under what this program consists of.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci import shipped
from cog_oci.memory import Question
from cog_oci.oci import Descriptor, Image, ImageConfig, LayerBlob, Platform, canonical_json, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.config import Project
    from cog_oci.memory import Memory
    from cog_oci.options import Options

__all__ = ["deciding", "question_of", "recall", "remember"]


def question_of(project: Project, platform: Platform, options: Options) -> Question | None:
    """What to ask for; None where there is no lock, or where the code, which changes, is part of the image.

    Raises SourceError for an input of the lock that is not there.
    """
    if not options.mounted or not project.lock_path.exists():
        return None
    asked = {**deciding(project, platform, options), "lock": sha256(project.lock_path.read_bytes())}
    return Question(canonical_json(asked))


def deciding(project: Project, platform: Platform, options: Options) -> dict[str, Any]:
    """What decides the image beside the lock, as it is now, to be compared. Raises SourceError as `question_of`."""
    return {
        "program": sorted(_program()),
        "file": sha256(project.file.read_bytes()),
        "inputs": project.lock_inputs(),
        "platform": str(platform),
        "compression": options.compression,
        "certificates": [sha256(one) for one in options.certificates],
        "labels": dict(options.labels),
    }


def recall(question: Question, memory: Memory) -> Image | None:
    """The image, as it was found once; its layers need not be anywhere any more."""
    known = memory.recall(question)
    try:
        return None if known is None else _image(known)
    except (KeyError, TypeError):  # a file that somebody has changed
        return None


def remember(question: Question, memory: Memory, image: Image) -> None:
    """Answer the same question with this image."""
    rows = [asdict(layer) for layer in image.layers]
    memory.keep(question, {"platform": asdict(image.platform), "config": asdict(image.config), "layers": rows})


def _image(known: dict[str, Any]) -> Image:
    config: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in known["config"].items()
    }
    layers = (LayerBlob(**{**row, "descriptor": Descriptor(**row["descriptor"])}) for row in known["layers"])
    return Image(Platform(**known["platform"]), ImageConfig(**config), tuple(layers))


def _program() -> Iterator[tuple[str, int, int]]:
    """The files of this program, each with its size and the time of its last change: reading all takes longer."""
    waiting = [str(Path(__file__).parent), str(shipped.lockfile(""))]
    yield _stamp(str(shipped.cuda_index()), shipped.cuda_index().stat())
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                else:
                    yield _stamp(entry.path, entry.stat())


def _stamp(path: str, found: os.stat_result) -> tuple[str, int, int]:
    return path, found.st_size, found.st_mtime_ns
