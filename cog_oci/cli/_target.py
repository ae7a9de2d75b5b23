"""What a push is for: the model that the environment names, else the argument, else `image:` (Cog's order)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REPLICATE", "push_target"]

REPLICATE = "r8.im"
"""Where models go when neither the model nor COG_REGISTRY_HOST says which registry."""


def push_target(argument: str | None, image: str | None, environment: Mapping[str, str]) -> str:
    """The name to push to. CogError when there is none, or two.

    A model that COG_MODEL or COG_MODEL_REPO names gets a tag of its own, with the time of the push, if COG_MODEL_TAG
    does not say which.
    """
    model = _model(environment)
    if model and argument:
        raise CogError(
            "positional image argument not supported with a model that COG_MODEL* names",
            hint="leave out the argument, or unset the variables",
        )
    if found := model or argument or image:
        return found
    raise CogError(
        "To push images, you must either set the 'image' option in cog.yaml or pass an image name as an argument. "
        "For example, 'cog-oci push registry.example.com/your-username/model-name'"
    )


def _model(environment: Mapping[str, str]) -> str | None:
    whole = environment.get("COG_MODEL", "")
    registry = environment.get("COG_MODEL_REGISTRY", "")
    repository = environment.get("COG_MODEL_REPO", "")
    tag = environment.get("COG_MODEL_TAG", "")
    if not (whole or registry or repository or tag):
        return None
    if not (whole or repository):
        raise CogError("COG_MODEL_REGISTRY or COG_MODEL_TAG is set, and no model", hint="set COG_MODEL_REPO, too")
    if "/" in registry:
        raise CogError(f"COG_MODEL_REGISTRY={registry!r} must be the bare host, as in registry.example.com")
    if ":" in repository:
        raise CogError(f"COG_MODEL_REPO={repository!r} must be the bare path, as in your-username/model-name")
    if tag.startswith("cog-"):
        raise CogError(f"COG_MODEL_TAG={tag!r}: tags that start with cog- are made by pushes", hint="use another one")
    host, _, rest = whole.partition("/")
    path, _, own_tag = rest.partition(":")
    if whole and not path:
        raise CogError(f"COG_MODEL={whole!r} must be the full name, as in registry.example.com/you/model")
    moment = f"{datetime.now(UTC):cog-%Y%m%dt%H%M%Sz}"
    chosen = registry or host or environment.get("COG_REGISTRY_HOST") or REPLICATE
    return f"{chosen}/{repository or path}:{tag or own_tag or moment}"
