"""Which daemon is meant, by Docker's rules: DOCKER_HOST, then a context, then this host's socket."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from cog_oci.transports._daemon import Daemon, find_daemon
from tests.conftest import need


@pytest.fixture
def folder(tmp_path):
    """Docker's configuration, with a context of the name `far` that is the current one."""
    identity = hashlib.sha256(b"far").hexdigest()
    meta = tmp_path / "contexts" / "meta" / identity
    meta.mkdir(parents=True)
    endpoint = {"Host": "tcp://10.0.0.1:2376", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": endpoint}}))
    (tmp_path / "contexts" / "tls" / identity / "docker").mkdir(parents=True)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    return tmp_path


def found(folder, **environment: str) -> Daemon:
    return find_daemon({"DOCKER_CONFIG": str(folder), **environment})


def test_the_current_context_is_taken_with_its_certificates(folder):
    daemon = found(folder)

    assert daemon.address == "tcp://10.0.0.1:2376"
    assert daemon.certificates is not None
    assert not daemon.is_local


def test_a_variable_comes_before_the_current_context(folder):
    assert found(folder, DOCKER_HOST="unix:///mine", DOCKER_CONTEXT="far") == Daemon("unix:///mine")
    assert found(folder, DOCKER_CONTEXT="default").address == "unix:///var/run/docker.sock"
    assert found(folder / "nothing").address == "unix:///var/run/docker.sock"


def test_who_has_no_home_has_the_daemon_of_this_machine(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    assert find_daemon({}) == Daemon("unix:///var/run/docker.sock")


def test_a_context_that_is_not_there_is_said(folder):
    with pytest.raises(OSError, match="there is no context 'near' in "):
        found(folder, DOCKER_CONTEXT="near").connect(1)


@pytest.mark.parametrize("text", ["", "[]", '{"Endpoints": {}}', '{"Endpoints": {"docker": 1}}'])
def test_a_context_that_cannot_be_read_is_said(folder, text):
    (file,) = folder.rglob("meta.json")
    file.write_text(text)

    with pytest.raises(OSError, match=r"meta\.json cannot be read"):
        found(folder).connect(1)


def test_a_configuration_that_cannot_be_read_names_no_context(folder):
    (folder / "config.json").write_text("{")

    assert found(folder).address == "unix:///var/run/docker.sock"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:port", "npipe:////./pipe/docker", "ssh://host"])
def test_addresses_that_nobody_can_speak_to_are_errors(address):
    with pytest.raises(OSError, match=r"not spoken|neither unix|Port could not"):
        Daemon(address).connect(1)


def test_a_daemon_behind_tls_sees_our_certificate_and_we_see_its_own(tmp_path):
    need("openssl")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=us", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with context.wrap_socket(peer, server_side=True) as secured:
                secured.sendall(b"hello " + dict(*secured.getpeercert()["subject"])["commonName"].encode())

        thread = threading.Thread(target=answer)
        thread.start()
        host = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        daemon = find_daemon({"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
        with daemon.connect(10) as stream:
            said = stream.recv(100)
        thread.join()

    assert said == b"hello us"
