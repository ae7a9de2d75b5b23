"""A real registry on loopback, and archives and layouts to read."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import need
from tests.ports import free_port

_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: 127.0.0.1:{port}{tls}}}
{auth}
"""


@dataclass
class Registry:
    """Debian's docker-registry, serving plain HTTP on this machine."""

    host: str
    root: Path

    def blob(self, digest: str) -> Path:
        """The file in which it keeps a blob or a manifest."""
        name = digest.removeprefix("sha256:")
        return self.root / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def fill(self, layout: Path, name: str, *options: str) -> None:
        """Copy the image of an OCI layout into it."""
        subprocess.run(
            [
                *("skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", *options),
                *(f"oci:{layout}", f"docker://{self.host}/{name}"),
            ],
            check=True,
        )


def start_registry(folder: Path, auth: str = "", tls: str = "") -> tuple[subprocess.Popen, Registry]:
    """A registry that has said that it is there."""
    need("docker-registry", "skopeo")
    port = free_port()
    config = folder / "config.yml"
    config.write_text(_CONFIG.format(root=folder / "data", port=port, auth=auth, tls=tls))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    log.close()
    found = Registry(f"127.0.0.1:{port}", folder / "data")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://{found.host}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:  # it wants a password, so it is there
            error.close()
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)  # nothing announces the port
        else:
            break
    return process, found


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry without passwords."""
    process, found = start_registry(tmp_path_factory.mktemp("registry"))
    try:
        yield found
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A user without any credentials: those of whoever runs the tests are not used."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder
