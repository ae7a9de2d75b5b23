"""What real engines make of the archives, and what real models answer in them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time

import pytest

from tests.conftest import need
from tests.images.conftest import ROOT, ask, container, data_url, wait_until_ready

pytestmark = [pytest.mark.network, pytest.mark.engine]


@pytest.fixture(scope="module")
def loaded(docker, filetype):
    """The image of examples/filetype in dockerd."""
    assert "filetype:test" in docker("load", "-i", str(filetype.archive))
    return "filetype:test"


@pytest.mark.root
def test_dockerd_has_the_image_that_was_built(docker, loaded, filetype):
    (found,) = json.loads(docker("image", "inspect", loaded))

    assert found["Architecture"] == "amd64"
    assert found["Config"]["ExposedPorts"] == {"5000/tcp": {}}
    assert json.loads(found["Config"]["Labels"]["run.cog.openapi_schema"])["openapi"] == "3.0.2"
    raw = subprocess.run(["tar", "xOf", str(filetype.archive), "manifest.json"], capture_output=True, check=True).stdout
    assert found["Id"] == "sha256:" + json.loads(raw)[0]["Config"].rpartition("/")[2]


@pytest.mark.root
def test_a_container_of_the_image_says_what_a_real_file_is(docker, loaded):
    with container(docker, loaded) as (url, _):
        wait_until_ready(url)
        answer = ask(f"{url}/predictions", {"input": {"file": data_url(ROOT / "pyproject.toml")}})

    assert answer["status"] == "succeeded", answer
    assert answer["output"]["label"] == "toml"
    assert answer["metrics"]["predict_time"] > 0


@pytest.mark.root
def test_a_container_ends_in_order_when_it_is_stopped(docker, loaded):
    with container(docker, loaded) as (url, name):
        wait_until_ready(url)
        start = time.monotonic()
        docker("stop", "--time", "20", name)
        (state,) = json.loads(docker("inspect", name))

    assert state["State"]["ExitCode"] == 0
    assert time.monotonic() - start < 15


@pytest.mark.root
def test_the_tools_that_people_look_around_with_work_in_the_image(docker, loaded):
    def inside(*command: str) -> str:
        return docker("run", "--rm", "--network=host", "--entrypoint", command[0], loaded, *command[1:])

    assert inside("python", "-c", "import magika, cog; print(cog.Path.__name__)").strip() == "Path"
    assert "libstdc++.so.6" in inside("/sbin/ldconfig", "-p")
    assert "CERTIFICATE" in inside("cat", "/etc/ssl/certs/ca-certificates.crt")
    assert inside("bash", "-c", "id -un").strip() == "root"
    assert "https" in inside(
        "python", "-c", "import ssl; print('https', len(ssl.create_default_context().get_ca_certs()) > 50)"
    )


@pytest.mark.root
def test_the_ocr_example_reads_a_picture(docker, ocr):
    docker("load", "-i", str(ocr.archive))
    with container(docker, "ocr:test") as (url, _):
        wait_until_ready(url)
        answer = ask(f"{url}/predictions", {"input": {"image": data_url(ROOT / "examples" / "ocr" / "sample.png")}})

    assert answer["status"] == "succeeded", answer
    assert "layers" in answer["output"]
    assert "2026" in answer["output"]


@pytest.mark.root
def test_the_ocr_example_fails_without_its_system_packages(docker, ocr):
    docker("load", "-i", str(ocr.archive))
    script = "rm -f /usr/lib/x86_64-linux-gnu/libGL.so.1*; python -c 'import rapidocr_onnxruntime' 2>&1; true"

    assert "libGL.so.1" in docker("run", "--rm", "--network=host", "--entrypoint", "sh", "ocr:test", "-c", script)


def test_podman_loads_and_inspects_the_same_archive(filetype, tmp_path):
    need("podman")
    # podman refuses a run root whose path is longer than 50 characters.
    run = tempfile.mkdtemp(prefix="podman-")
    podman = ["podman", "--root", str(tmp_path / "root"), "--runroot", run, "--storage-driver", "vfs"]

    subprocess.run([*podman, "load", "-i", str(filetype.archive)], check=True, capture_output=True)
    found = subprocess.run([*podman, "image", "inspect", "filetype:test"], check=True, capture_output=True).stdout

    raw = subprocess.run(["tar", "xOf", str(filetype.archive), "manifest.json"], capture_output=True, check=True).stdout
    assert json.loads(found)[0]["Id"] == json.loads(raw)[0]["Config"].rpartition("/")[2]


def test_skopeo_inspects_the_same_archive(filetype):
    need("skopeo")

    found = subprocess.run(
        ["skopeo", "inspect", f"oci-archive:{filetype.archive}"], check=True, capture_output=True, text=True
    ).stdout

    assert json.loads(found)["Digest"] == filetype.digest
