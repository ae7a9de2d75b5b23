"""`cog-oci serve --reload`, between two lives of the server."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cog_oci.cli.serve import _Kitchen
from cog_oci.errors import CogError


@pytest.mark.parametrize(
    "mistake", [CogError("run.py:1: a mistake", hint="mend it"), FileNotFoundError(2, "gone", "run.py")]
)
def test_a_mistake_is_told_and_the_next_change_waited_for(monkeypatch, mistake):
    said, attempts = [], iter([mistake, "ready"])

    def ready(_):
        found = next(attempts)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(_Kitchen, "ready", ready)
    kitchen = _Kitchen("cog.yaml", None, None, SimpleNamespace(progress=SimpleNamespace(say=said.append)), None, False)

    assert kitchen.ready_again(SimpleNamespace(changed=lambda: ["run.py"])) == "ready"
    assert said[0].startswith("error: ")
    assert said[0].endswith("waiting")
    with pytest.raises(type(mistake)):
        attempts = iter([mistake])
        kitchen.ready_again(None)
