"""`cog-oci plan`: the layers an image will have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._options import (
    file_option,
    image_options,
    locked,
    platform_option,
    platforms,
    project,
    schema_option,
    weights_option,
    workshop,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.layers import Layer
    from cog_oci.options import Options
    from cog_oci.plan import Plan
    from cog_oci.store import Store
    from cog_oci.workshop import Workshop

__all__ = ["plan"]


@click.command()
@file_option
@platform_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@weights_option
@schema_option
def plan(file: str, platform: str, as_json: bool, separate_weights: bool, schema: Path | None) -> None:
    """Show the layers that the image will have, bottom up: how many bytes each is, and why it is one.

    \b
    cog-oci plan
    cog-oci plan --json | jq '.[][] | .layer'

    Nothing is fetched or built. A size is that of the blob where the layer was built before (`built`), else that of the
    files it will be made from (`from`).
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.plan import make_plan

    found = project(file)
    lock = locked(found)
    options = image_options(found, separate_weights=separate_weights, schema=schema)
    with workshop() as shop:
        rows = {
            str(one): _rows(make_plan(found, one, lock, options, shop.store), shop, options)
            for one in platforms(platform)
        }
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for name, layers in rows.items():
        click.echo(f"{name}: {len(layers)} layers, {_megabytes(sum(row['bytes'] for row in layers))}")
        width = max(len(row["layer"]) for row in layers)
        for number, row in enumerate(layers, 1):
            size = _megabytes(row["bytes"])
            click.echo(f"{number:3}  {row['layer']:{width}}  {size:>10} {row['size']:5}  {row['why']}")


def _rows(planned: Plan, shop: Workshop, options: Options) -> list[dict[str, Any]]:
    from cog_oci.layers import remembered
    from cog_oci.recorded import Records

    records = Records(planned.parts.layers)
    seen: set[str] = set()

    def row(layer: Layer) -> dict[str, Any]:
        known = records.known(layer, options.compression) or remembered(layer, shop.store, options.compression)
        material = _material(layer, shop.store, seen)
        size = known.descriptor.size if known else material
        return {"layer": layer.name, "bytes": size, "size": "built" if known else "from", "why": layer.why}

    return [row(layer) for layer in planned.layers]


def _material(layer: Layer, store: Store, seen: set[str]) -> int:
    """Bytes of what the layer will be made from: the artifacts that no layer below it has, or the project's files."""
    if not layer.artifacts:
        with layer.open(store) as entries:
            return sum(entry.size for entry in entries)
    new = {artifact.sha256: artifact.size for artifact in layer.artifacts if artifact.sha256 not in seen}
    seen.update(new)
    return sum(new.values())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
