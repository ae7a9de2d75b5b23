"""The sandbox as an engine: what it knows of an image of somebody else's."""

from __future__ import annotations

from cog_oci.engines.sandbox import _as_ours
from tests.image_maker import Listed, made


def test_an_image_that_exists_is_run_as_its_configuration_says(store):
    config = {
        "env": {"A": "x=y", "EMPTY": ""},
        "entrypoint": ("/sbin/tini", "--"),
        "command": ("python", "-m", "cog.server.http"),
        "working_dir": "/src",
        "labels": {"run.cog.version": "0.1"},
        "user": "app:video",
    }
    image = made(store, Listed("nothing", []), **config)

    assert _as_ours(image.stored()).config == image.config
