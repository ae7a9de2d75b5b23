"""`cog-oci run`: one prediction in the image, with any engine or none."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._cog_flags import image_flags
from cog_oci.cli._launch import Where, container_options, input_option, pairs, token_option
from cog_oci.cli._options import file_option, offline_option, project, schema_option, weights_option, workshop
from cog_oci.cli._steps import step_options
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.cli._steps import StepOptions
    from cog_oci.schema import Schema

__all__ = ["run"]


@click.command()
@click.argument("image", required=False)
@file_option
@input_option("Input")
@click.option(
    "--json",
    "whole",
    is_flag=False,
    flag_value="",
    metavar="[JSON|@FILE|-]",
    help="All inputs as a JSON object, from a file with @, from standard input with -; prints the whole answer as JSON."
    " Without a value it only does the latter.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the output to this file.")
@click.option("--setup-timeout", default=300, show_default=True, help="Seconds that the model may take to set up.")
@token_option
@container_options
@step_options
@image_flags
@offline_option
@weights_option
@schema_option
def run(  # noqa: PLR0913 - one argument an option
    *,
    where: Where,
    image: str | None,
    file: str,
    inputs: tuple[str, ...],
    whole: str | None,
    output: Path | None,
    setup_timeout: int,
    context: dict[str, str],
    offline: bool,
    steps: StepOptions,
    separate_weights: bool,
    schema: Path | None,
) -> None:
    """Run one prediction: in the project's image, built first, or in IMAGE.

    \b
    cog-oci run -i prompt="a red fox" -i steps=4
    cog-oci run -i image=@photo.jpg -o out.png
    echo '{"prompt": "a red fox"}' | cog-oci run --json -
    cog-oci run registry.example.com/you/model -i prompt=hello

    Inputs are checked before anything is built or started. Text that the model returns is on standard output, files are
    written to the working folder, all else is on standard error.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.cli._answer import Display, check_writable
    from cog_oci.cli._asked import Asked
    from cog_oci.cli._asking import ask
    from cog_oci.cli._ready import at_hand, interface_document, named, ready
    from cog_oci.engines import choose

    if whole and inputs:
        raise CogError("Must use one of --json or --input to provide model inputs")
    check_writable(output)
    found = None if image else project(file)

    @cache
    def given() -> tuple[Mapping[str, Any], dict[str, Any]]:
        document = interface_document(image_of) if found is None else _model(found, schema).document
        return document, _given(document, inputs, whole)

    with workshop(offline=offline) as plain:
        shop = steps.allowing(plain)
        at_once = at_hand(found, where, shop) if found is not None else None
        if at_once is not None:
            engine, image_of = at_once
        elif found is not None:
            given()  # what is wrong with them is said before an engine is looked for
            engine = choose(where.engine)
            image_of = ready(found, where, engine, shop, separate_weights=separate_weights, schema=schema)
        else:
            engine = choose(where.engine)
            image_of = named(image or "", engine, shop)

        def asking() -> Asked:
            document, values = given()
            shop.progress.say("Starting the image and running setup()...")
            body = {"input": values, "context": context}
            return Asked(kind="predictions", body=body, setup_timeout=setup_timeout, events=_streams(document))

        display = Display(shop.progress, "Running prediction...", whole=whole is not None, output=output)
        ask(engine, image_of, where, "predictions", asking, display)


def _model(found: Any, schema: Path | None) -> Schema:
    from cog_oci.model import read_model

    model = read_model(found, schema)
    if model is None:
        raise CogError("cog.yaml names no model to run", hint="add `run: run.py:Runner`")
    return model


def _streams(document: Mapping[str, Any]) -> bool:
    """Whether the model sends events (as Cog's documents say it)."""
    operation = document.get("paths", {}).get("/predictions", {}).get("post", {})
    return operation.get("x-cog-streaming") is True


def _given(document: Mapping[str, Any], inputs: tuple[str, ...], whole: str | None) -> dict[str, Any]:
    """The inputs, checked."""
    from cog_oci.inputs import Interface

    interface = Interface(document)
    values: dict[str, Any] = interface.read(_object(whole)) if whole else interface.parse(pairs(inputs))
    interface.check(values)
    return values


def _object(text: str) -> dict[str, Any]:
    if text in {"-", "@-"}:
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CogError(f"cannot read the inputs from {text[1:]}: {error}") from None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CogError(f"the value of --json is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CogError("the value of --json must be an object of inputs by name")
    return value
