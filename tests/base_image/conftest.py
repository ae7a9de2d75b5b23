"""A registry in memory for base images."""

from __future__ import annotations

import pytest

from tests.transports.strict_registry import strict


@pytest.fixture
def registry():
    with strict() as found:
        yield found
