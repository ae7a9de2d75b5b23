"""`cog-oci train`: one training in the image, with any engine or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._cog_flags import image_flags
from cog_oci.cli._launch import Where, container_options, input_option, pairs, token_option
from cog_oci.cli._options import file_option, offline_option, project, workshop
from cog_oci.cli._steps import step_options
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.cli._steps import StepOptions
    from cog_oci.schema import Schema

__all__ = ["train"]


@click.command()
@click.argument("image", required=False)
@file_option
@input_option("TrainingInput")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("weights"),
    show_default=True,
    help="Write the weights to this file.",
)
@click.option("--setup-timeout", default=300, show_default=True, help="Seconds that the server may take to start.")
@token_option
@container_options
@step_options
@image_flags
@offline_option
def train(  # noqa: PLR0913 - one argument an option
    *,
    where: Where,
    image: str | None,
    file: str,
    inputs: tuple[str, ...],
    output: Path,
    setup_timeout: int,
    context: dict[str, str],
    offline: bool,
    steps: StepOptions,
) -> None:
    """Run one training: in the project's image, built first, or in IMAGE.

    \b
    cog-oci train -i data=@photos.zip -i steps=100 -o weights.tar

    The training is what `train:` of cog.yaml names. Inputs are checked before anything is built or started.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli._answer import Display, check_writable
    from cog_oci.cli._asked import Asked
    from cog_oci.cli._asking import ask
    from cog_oci.cli._ready import interface_document, named, ready
    from cog_oci.engines import choose

    check_writable(output)
    found = None if image else project(file)
    model = _model(found) if found is not None else None
    given = _given(model.document, inputs) if model is not None else {}
    with workshop(offline=offline) as plain:
        shop = steps.allowing(plain)
        engine = choose(where.engine)
        if found is not None:
            image_of = ready(found, where, engine, shop)
        else:
            image_of = named(image or "", engine, shop)
            given = _given(interface_document(image_of), inputs)
        shop.progress.say("Starting the image for training...")
        asked = Asked(kind="trainings", body={"input": given, "context": context}, setup_timeout=setup_timeout)
        display = Display(shop.progress, "Running training...", output=output, read=_weights)
        ask(engine, image_of, where, "trainings", lambda: asked, display)


def _model(found: Any) -> Schema:
    from cog_oci.model import read_model

    model = read_model(found) if found.config.training else None
    if model is None:
        raise CogError("cog.yaml names no training", hint="add `train: train.py:train`, beside `run:`")
    return model


def _given(document: Mapping[str, Any], inputs: tuple[str, ...]) -> dict[str, Any]:
    """The inputs, checked."""
    from cog_oci.inputs import Interface

    if "TrainingInput" not in document["components"]["schemas"]:
        raise CogError("the image has no training", hint="add `train:` to its cog.yaml, and build it again")
    interface = Interface(document, "TrainingInput")
    values: dict[str, Any] = interface.parse(pairs(inputs))
    interface.check(values)
    return values


def _weights(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer with the weights as its output, where the training returns an object that has them."""
    output = answer.get("output")
    if isinstance(output, dict) and set(output) == {"weights"}:
        return {**answer, "output": output["weights"]}
    return answer
