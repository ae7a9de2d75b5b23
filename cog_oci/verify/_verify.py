"""An image held against its own lock: every layer is made again, from nothing but what the lock names."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from cog_oci import __version__, git
from cog_oci.blobs import open_plain
from cog_oci.build import artifact_layers
from cog_oci.bytecode import CannotCompileError
from cog_oci.compare import compare_configs, compare_layers
from cog_oci.errors import CogError
from cog_oci.image_config import LOCK_LABEL
from cog_oci.layers.ca import CERTIFICATES
from cog_oci.lock import Lock
from cog_oci.making import fetch
from cog_oci.oci import Image, ImageConfig, LayerBlob, parse_digest, sha256
from cog_oci.options import DEFAULTS
from cog_oci.plan import make_plan
from cog_oci.verify._rebuild import UnavailableError, open_bench
from cog_oci.verify._report import Report, Verdict, first
from cog_oci.verify._stored import Damage, locate, opened_plain, plain_diff_id, verify_bytes

if TYPE_CHECKING:
    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import StoredImage, StoredLayer
    from cog_oci.options import Options
    from cog_oci.plan import Plan
    from cog_oci.transports.sources import Source
    from cog_oci.verify._rebuild import Bench
    from cog_oci.verify._report import Outcome
    from cog_oci.workshop import Workshop

__all__ = ["fitting", "verify"]


def fitting(project: Project, image: StoredImage, options: Options = DEFAULTS) -> Plan:
    """What the project would make of the image's own lock, with the image's compression and the commit it names.

    Raises CogError when the project has no lock, another one, or one that no longer fits it, and when the image trusts
    certificates that are not given.
    """
    locked = Lock.read(project.lock_path)
    carried = locked.carried(image.platform).to_bytes()
    if sha256(carried) != image.labels.get(LOCK_LABEL):
        raise CogError(
            f"{project.lock_path} is not the lock that the image was made from",
            hint="check out the state of the project that the image was made from",
        )
    # The lock is often committed after the build that completed it: the commit is what the image says it is.
    commit = {name: image.labels[name] for name in git.NAMES if name in image.labels}
    options = replace(options, compression=_image_compression(image), labels=commit)
    if not any(layer.name == CERTIFICATES for layer in image.layers):
        options = replace(options, certificates=())  # those of this machine are not what it was built with
    elif not options.certificates:
        raise CogError(
            "the image trusts certificates of its own, and COG_CA_CERT is not set here",
            hint="set COG_CA_CERT to what it was when the image was built",
        )
    plan = make_plan(project, image.platform, locked, options)
    if len(plan.layers) != len(image.layers):
        # Weights in layers of their own are a choice that is made at the build; their number tells.
        other = make_plan(project, image.platform, locked, replace(options, separate_weights=True))
        if len(other.layers) == len(image.layers):
            return other
    return plan


def verify(
    source: Source,
    image: StoredImage,
    shop: Workshop,
    plan: Plan | None = None,
    why: str = "",
    project: Project | None = None,
) -> Report:
    """Make every layer of the image again that can be made, and compare.

    Without a plan, as `fitting` gives it, that is what the lock alone decides; `why` says then why there is none. The
    `project` that it was given for knows where its own files and its indexes are. Raises what making a layer raises.
    """
    why = why or "it is made from the project's files"
    return _Verification(source, image, shop, plan, why, project).report()


class _Verification:
    def __init__(
        self, source: Source, image: StoredImage, shop: Workshop, plan: Plan | None, why: str, project: Project | None
    ) -> None:
        self._source, self._image, self._shop, self._plan, self._why = source, image, shop, plan, why
        self._project = project
        self._problems: list[str] = []
        self._unavailable: list[str] = []

    def report(self) -> Report:
        locked = self._lock()
        verdicts = self._rebuilt(locked) if locked else [self._alone(layer, "") for layer in self._image.layers]
        return Report(
            self._source.name,
            self._image.platform,
            self._image.descriptor.digest,
            tuple(verdicts),
            tuple(self._problems),
            self._notes(),
        )

    def _lock(self) -> Lock | None:
        """The lock that the label names: it came with the image, or the project has it."""
        label = self._image.labels.get(LOCK_LABEL)
        if label is None:
            self._problems.append(f"the image has no label {LOCK_LABEL}: cog-oci did not make it")
            return None
        try:
            data = self._source.find(parse_digest(label))
            if data is None and self._plan is not None:
                data = self._plan.carried
            if data is not None:
                locked = Lock.from_bytes(data, "the image's lock")
                locked.platform(self._image.platform)
                return locked
        except CogError as error:
            self._problems.append(f"label {LOCK_LABEL}: {error}")
            return None
        self._problems.append(
            f"label {LOCK_LABEL}: the lock {label} is not kept with the image (docker save does not): name its project"
        )
        return None

    def _rebuilt(self, locked: Lock) -> list[Verdict]:
        kept = self._image.layers
        if self._plan is not None:
            layers = list(self._plan.layers)
        else:
            layers = artifact_layers(locked.platform(self._image.platform), _image_compression(self._image))
        if len(kept) < len(layers) or (self._plan and len(kept) > len(layers)):
            self._problems.append(f"the image has {len(kept)} layers, and {len(layers)} are made of its lock")
        made: list[tuple[Verdict, LayerBlob]] = []
        with open_bench(self._shop, partial(fetch, self._project, self._image.platform, locked)) as bench:
            for number, stored in enumerate(kept):
                layer = layers[number] if number < len(layers) else None
                verdict, blob = self._one(stored, layer, locked.platform(self._image.platform), bench)
                made.append((verdict, replace(blob, command=getattr(layer, "told", ""))))
        self._configuration([blob for _, blob in made])
        if self._unavailable:
            self._problems.append(f"not made again, for want of what it takes: {', '.join(self._unavailable)}")
        return [verdict for verdict, _ in made]

    def _one(
        self, stored: StoredLayer, layer: Layer | None, parts: PlatformLock, bench: Bench
    ) -> tuple[Verdict, LayerBlob]:
        """The verdict on one layer, and the layer as it should be, as far as that is known."""
        if layer is None:
            return self._alone(stored, self._why), LayerBlob(stored.name, stored.diff_id, stored.descriptor, 0)
        if parts.steps:
            from cog_oci.verify._steps import prepared  # noqa: PLC0415 - few images have steps

            compression = _image_compression(self._image)
            ready = prepared(layer, self._image.platform, parts, self._shop.progress, compression)
            if isinstance(ready, str):
                return self._alone(stored, ready), LayerBlob(layer.name, stored.diff_id, stored.descriptor, 0)
            layer = ready
        try:
            made = bench.make(layer, _compression(stored))
        except UnavailableError as error:
            self._unavailable.append(layer.name)
            return self._alone(stored, str(error)), LayerBlob(layer.name, stored.diff_id, stored.descriptor, 0)
        except CannotCompileError as error:
            why = f"it is compiled Python, which this host cannot make: {error.reason}"
            return self._alone(stored, why), LayerBlob(layer.name, stored.diff_id, stored.descriptor, 0)
        return _compared(self._source, stored, made, bench), made

    def _alone(self, layer: StoredLayer, why: str) -> Verdict:
        """A layer that is not made again: it is still what the image says of it, or not."""
        found = plain_diff_id(self._source, layer)
        if isinstance(found, Damage):
            return Verdict(layer.name, layer.diff_id, "damaged", (found.reason, *locate(self._source, layer)))
        if found != layer.diff_id:
            return Verdict(layer.name, layer.diff_id, "damaged", (_misnamed(layer, found),))
        return Verdict(layer.name, layer.diff_id, "not rebuilt", (why,) if why else ())

    def _configuration(self, blobs: list[LayerBlob]) -> None:
        """Hold the configuration against the layers, and all of it against the project where that is at hand."""
        image = (
            Image(self._image.platform, ImageConfig(), tuple(blobs)) if not self._plan else self._plan.image(blobs)[0]
        )
        # Layers have verdicts of their own.
        passed_over = {"rootfs"} if self._plan else {"rootfs", "config"}
        expected, actual = (
            {key: value for key, value in document.items() if key not in passed_over}
            for document in (json.loads(image.config_document), self._image.config_json)
        )
        self._problems += first(compare_configs(expected, actual))

    def _notes(self) -> tuple[str, ...]:
        version = self._image.labels.get("run.cog.version", "")
        _, made_by_us, made_by = version.partition("+cog-oci.")
        if made_by_us and made_by != __version__:
            return (f"the image was made by cog-oci {made_by}, and this is {__version__}: its own files may differ",)
        return ()


def _compared(source: Source, stored: StoredLayer, made: LayerBlob, bench: Bench) -> Verdict:
    """The layer as it is kept beside the one that was made."""

    def verdict(outcome: Outcome, *reasons: str) -> Verdict:
        return Verdict(stored.name, stored.diff_id, outcome, reasons)

    def good() -> BinaryIO:
        return bench.store.path(made.descriptor.digest).open("rb")

    same_blob = made.descriptor.digest == stored.descriptor.digest
    found = (verify_bytes(source, stored) or made.diff_id) if same_blob else plain_diff_id(source, stored)
    if isinstance(found, Damage):
        same_envelope = same_blob or made.descriptor.media_type == stored.descriptor.media_type
        return verdict("damaged", found.reason, *locate(source, stored, good if same_envelope else None))
    if found != made.diff_id:
        with good() as blob, opened_plain(source, stored) as actual:
            differences = compare_layers(open_plain(blob, made.descriptor.media_type), actual)
        return verdict("differs", *first(differences))
    if found != stored.diff_id:
        return verdict("damaged", _misnamed(stored, found))
    if not same_blob:
        where = locate(source, stored, good) if made.descriptor.media_type == stored.descriptor.media_type else ()
        return verdict("reproduced", "in an envelope of another making", *where)
    return verdict("reproduced")


def _misnamed(layer: StoredLayer, found: str) -> str:
    return f"the configuration names diff ID {layer.diff_id}, and the layer is {found}"


def _image_compression(image: StoredImage) -> Compression:
    """The envelope of most layers: weights, which lie on top, may have none."""
    return _compression(image.layers[0]) if image.layers else "gzip"


def _compression(layer: StoredLayer) -> Compression:
    """The envelope by its media type, whoever's."""
    if layer.descriptor.media_type.endswith("gzip"):
        return "gzip"
    return "zstd" if layer.descriptor.media_type.endswith("zstd") else "none"
