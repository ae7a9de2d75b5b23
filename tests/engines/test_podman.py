"""The podman engine before a program of that name that keeps what it was told."""

from __future__ import annotations

import json
import os
import sys

import pytest

from cog_oci.engines import EngineError, Launch, Port
from cog_oci.engines.podman import _Loaded

IMAGE = _Loaded(identity="0" * 64, diff_ids=(), labels={}, architecture="amd64", command=(), folder="/src")

PODMAN = """\
#!{python}
import json, os, sys
with open({kept!r}, "w") as kept:
    json.dump({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}, kept)
"""


def test_what_a_container_is_told_is_in_no_list_of_processes(tmp_path, monkeypatch):
    kept, program = tmp_path / "kept", tmp_path / "podman"
    program.write_text(PODMAN.format(python=sys.executable, kept=str(kept)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    env = {"GOOGLE_API_KEY": "s3cret", "PASSWORD": "two\nlines", "PATH": "/opt/bin", "XDG_CONFIG_HOME": "/config"}

    with IMAGE.start(Launch(command=("true",), env=env)) as container:
        assert container.wait() == 0

    told = json.loads(kept.read_text())
    assert [word for word in told["arguments"] if word.startswith("--env")] == [
        "--env=GOOGLE_API_KEY",
        "--env=PASSWORD",
        "--env=PATH=/opt/bin",
        "--env=XDG_CONFIG_HOME=/config",
    ]
    assert {name: told["environment"][name] for name in ("GOOGLE_API_KEY", "PASSWORD")} == {
        "GOOGLE_API_KEY": "s3cret",
        "PASSWORD": "two\nlines",
    }
    assert told["environment"]["PATH"] != "/opt/bin"


def test_a_port_at_an_address_of_ipv6_is_written_as_podman_reads_it():
    words = IMAGE._options(Launch(command=("true",), ports=(Port(5000, 80, "::1"), Port(5000, 81))))

    assert [word for word in words if "publish" in word] == [
        "--publish=[::1]:80:5000",
        "--publish=127.0.0.1:81:5000",
    ]


@pytest.mark.parametrize(
    ("gpus", "devices"), [("all", ["all"]), ("2", ["0", "1"]), ("device=1,3", ["1", "3"]), ('"device=0,1"', ["0", "1"])]
)
def test_gpus_are_devices(gpus, devices):
    words = IMAGE._options(Launch(command=("true",), gpus=gpus))

    assert [word for word in words if "gpu" in word] == [f"--device=nvidia.com/gpu={device}" for device in devices]


def test_gpus_that_are_none_are_refused():
    with pytest.raises(EngineError, match="--gpus some is none of all, a number, device=0,1"):
        list(IMAGE._options(Launch(command=("true",), gpus="some")))
