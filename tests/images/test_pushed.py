"""An image that was pushed: whoever pulls it has the image that was built, and it runs."""

from __future__ import annotations

import subprocess

import pytest

from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.images.conftest import ROOT, ask, cog_oci, container, data_url, wait_until_ready
from tests.transports.conftest import registry  # noqa: F401 - a fixture

pytestmark = [pytest.mark.network, pytest.mark.engine]


@pytest.fixture(scope="module")
def pushed(filetype, registry):  # noqa: F811 - the fixture
    """The name of examples/filetype in a real registry."""
    name = f"{registry.host}/pushed/filetype:v1"
    cache = {"COG_CACHE": f"{registry.host}/pushed/cache", "COG_CACHE_PUSH": "1"}
    done = cog_oci("push", name, cwd=filetype.folder, COG_CACHE_DIR=str(filetype.store), **cache)
    assert done.stdout.strip() == filetype.digest
    return name


@pytest.mark.root
def test_dockerd_pulls_it_and_it_says_what_a_file_is(docker, pushed):
    docker("pull", "-q", pushed)
    with container(docker, pushed) as (url, _):
        wait_until_ready(url)
        answer = ask(f"{url}/predictions", {"input": {"file": data_url(ROOT / "pyproject.toml")}})

    assert answer["status"] == "succeeded", answer
    assert answer["output"]["label"] == "toml"


def test_skopeo_pulls_the_same_image(pushed, filetype, tmp_path):
    need("skopeo")
    copy = ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{pushed}", f"oci:{tmp_path}/layout:v1"]
    subprocess.run(copy, check=True)

    with open_source(str(tmp_path / "layout")) as source, open_source(str(filetype.archive)) as built:
        assert source.images() == built.images()


def test_a_machine_with_nothing_pushes_the_same_image_in_kilobytes(pushed, filetype, registry, tmp_path):  # noqa: F811 - the fixture
    done = cog_oci(
        *("push", f"{registry.host}/pushed/again:v1"),
        cwd=filetype.folder,
        COG_CACHE_DIR=str(tmp_path / "empty"),
        COG_CACHE=f"{registry.host}/pushed/cache",
        UV_DEFAULT_INDEX="http://127.0.0.1:1/simple",
    )

    assert done.stdout.strip() == filetype.digest
    assert "mounted" in done.stderr
    kept = sum(file.stat().st_size for file in (tmp_path / "empty").rglob("*") if file.is_file())
    assert kept < 1_000_000
