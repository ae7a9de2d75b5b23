"""The story as a whole, where it ends early."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cog_oci import build
from cog_oci.config import Project
from cog_oci.errors import SourceError
from cog_oci.oci import Platform
from cog_oci.origins import default_index


def test_a_python_package_that_cannot_be_had_points_at_its_place_in_cog_yaml(
    tmp_path, store, site, request, monkeypatch
):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    default_index.cache_clear()
    request.addfinalizer(default_index.cache_clear)
    (tmp_path / "cog.yaml").write_text("build:\n  python_packages:\n    - nonesuch>=1\n")
    now = datetime.now(UTC).replace(microsecond=0)

    with pytest.raises(SourceError, match=r"^cog.yaml:3:7: build.python_packages: .*nonesuch was not found"):
        build.lock(Project.find(tmp_path), [Platform("linux", "arm64")], now, build.Workshop(store))
