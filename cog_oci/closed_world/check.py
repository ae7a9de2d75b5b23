"""An image in the store → its gaps, with nothing worked out twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.blobs import open_plain
from cog_oci.closed_world.gap import Gap
from cog_oci.memory import Memory, Question
from cog_oci.oci import canonical_json
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from cog_oci.closed_world._layer import LayerFacts
    from cog_oci.oci import Image, LayerBlob
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["examine"]

_HERE = Path(__file__).parent
_READING = (_HERE / "_layer.py", _HERE / "_elf.py")
_JUDGING = (*_READING, _HERE / "_linker.py", _HERE / "_gaps.py")
_WORTH_KEEPING = 4 << 20  # bytes of a blob that is looked through in an instant


def examine(image: Image, store: Store, progress: Progress = SILENT) -> list[Gap]:
    """What is missing in the image, whose layers are in the store or have been looked through before.

    Raises FileNotFoundError for a layer that is neither, and CogError for one that is damaged.
    """
    looking = _Looking(store, progress)
    deciding = [layer for layer in image.layers if not looking.inert(layer)]
    library_path = image.config.env.get("LD_LIBRARY_PATH", "")
    asked = canonical_json({"library path": library_path, "layers": [layer.diff_id for layer in deciding]})
    question = Question(asked, *_JUDGING)
    answer = looking.memory.recall(question)
    if answer is None:
        answer = [asdict(gap) for gap in _found(looking.all_facts(deciding), library_path)]
        looking.memory.keep(question, answer)
    return [
        Gap(
            plugin=row["plugin"],
            library=row["library"],
            wanted_by=tuple(row["wanted_by"]),
            versions=tuple(row["versions"]),
            at=row["at"],
        )
        for row in answer
    ]


class _Looking:
    """Facts of layers, each read once."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self.memory = Memory(store.root / "checked")
        self._store, self._progress = store, progress
        self._facts: dict[str, LayerFacts] = {}

    def inert(self, layer: LayerBlob) -> bool:
        """Whether a layer has nothing to do with libraries. Only small ones are looked at: others are made seldom."""
        return layer.descriptor.size < _WORTH_KEEPING and layer.name == "code" and self.facts(layer).inert

    def all_facts(self, layers: list[LayerBlob]) -> list[LayerFacts]:
        """In this order; two are read at a time, the largest first. What is not here is known before any is read."""
        for layer in layers:
            if not self._store.has(layer.descriptor.digest, layer.descriptor.size):
                self.facts(layer)
        with ThreadPoolExecutor(2, thread_name_prefix="closed-world") as pool:
            list(pool.map(self.facts, sorted(layers, key=lambda layer: -layer.uncompressed_size)))
        return [self.facts(layer) for layer in layers]

    def facts(self, layer: LayerBlob) -> LayerFacts:
        """What there is to know of a layer."""
        if (known := self._facts.get(layer.diff_id)) is None:
            known = self._facts[layer.diff_id] = self._remembered(layer) or self._read(layer)
        return known

    def _remembered(self, layer: LayerBlob) -> LayerFacts | None:
        from cog_oci.closed_world._layer import LayerFacts  # noqa: PLC0415 - what was found before needs no layer

        values: dict[str, Any] | None = self.memory.recall(_question(layer))
        return None if values is None else LayerFacts.of_json(values)

    def _read(self, layer: LayerBlob) -> LayerFacts:
        from cog_oci.closed_world._layer import read_facts  # noqa: PLC0415 - likewise

        path = self._store.path(layer.descriptor.digest)
        scratch = self._store.root / "tmp"  # beside the blobs there is room for what comes out of them
        scratch.mkdir(parents=True, exist_ok=True)
        with (
            path.open("rb") as blob,
            self._progress.task(f"looking through {layer.name}", layer.descriptor.size) as task,
        ):
            found = read_facts(open_plain(blob, layer.descriptor.media_type), layer.name, scratch)
            task.advance(layer.descriptor.size)
        if layer.descriptor.size >= _WORTH_KEEPING or layer.name != "code":
            self.memory.keep(_question(layer), found.to_json())
        return found


def _question(layer: LayerBlob) -> Question:
    return Question(layer.diff_id.encode(), *_READING)


def _found(facts: list[LayerFacts], library_path: str) -> list[Gap]:
    from cog_oci.closed_world._gaps import find_gaps  # noqa: PLC0415 - a change of the code alone needs none of it
    from cog_oci.closed_world._linker import World  # noqa: PLC0415 - likewise

    return find_gaps(World(facts, library_path))
