"""What apt, pip and uv are told of this machine, and only while a step runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.lock import Deb
from cog_oci.steps._tools import network_env, network_files, passwords, tool_files
from tests.steps.test_runner import PARTS

APT = Deb(
    name="apt",
    version="1",
    file="pool/apt.deb",
    sha256="0" * 64,
    size=1,
    archive="debian",
    architecture="amd64",
    layer="system",
)


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    monkeypatch.setattr("cog_oci.steps._tools.default_index", lambda: "https://me:p4ss@packages.example.com/simple")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


def mirrors(name: str) -> list[str]:
    return [f"http://mirror.example.com/{name}", "https://snapshot.example.org/x"]


def test_apt_is_told_the_mirrors_where_the_image_has_it_and_trusts_debians_keys_alone():
    with_apt = network_files(replace(PARTS, debs=(APT,)), mirrors, ())

    lines = with_apt["/etc/apt/sources.list"][1].decode().splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.example.com/debian trixie main",
        "http://mirror.example.com/debian trixie-updates main",
        "http://mirror.example.com/debian-security trixie-security main",
    ]
    assert all("signed-by=/usr/share/keyrings/debian-archive-keyring.gpg" in line for line in lines)
    assert not any("check-valid-until" in line for line in lines)
    assert "/etc/apt/sources.list" not in network_files(PARTS, mirrors, ())


def test_a_past_state_of_the_archive_is_taken_though_its_signature_is_of_the_past():
    files = network_files(replace(PARTS, debs=(APT,)), lambda name: mirrors(name)[1:], ())

    assert files["/etc/apt/sources.list"][1].decode().count("check-valid-until=no") == 3


def test_the_index_is_in_the_least_of_pips_files_and_its_password_is_kept_out_of_what_is_said():
    files = network_files(PARTS, mirrors, ())

    assert files["/etc/xdg/pip/pip.conf"][1] == b"[global]\nindex-url = https://me:p4ss@packages.example.com/simple\n"
    assert passwords([files["/etc/uv/uv.toml"][1].decode()]) == [b"p4ss"]


@pytest.mark.parametrize(
    ("login", "secrets"),
    [
        ("me:p@ss", [b"p@ss"]),
        ("me:p%40ss", [b"p%40ss", b"p@ss"]),
        ("to-ken-1234", [b"to-ken-1234"]),
        ("to-ken-1234:", [b"to-ken-1234"]),
        (":p4ss", [b"p4ss"]),
        ("git", []),
    ],
)
def test_what_is_secret_in_an_address_is_its_password_or_the_token_that_stands_alone(login, secrets):
    assert passwords([f"https://{login}@packages.example.com/simple"]) == secrets


def test_proxies_and_certificates_are_handed_on(monkeypatch, tmp_path):
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    (tmp_path / "bundle.pem").write_bytes(b"OURS")

    files = network_files(PARTS, mirrors, (b"THEIRS",))
    env = network_env(files)

    assert files["/run/cog-oci/certificates.pem"][1] == b"OURS\nTHEIRS"
    assert env["https_proxy"] == "http://proxy.example.com:3128"
    assert env["PIP_CERT"] == env["SSL_CERT_FILE"] == "/run/cog-oci/certificates.pem"


def test_no_service_is_started_by_a_package():
    assert tool_files()["/usr/sbin/policy-rc.d"] == (0o755, b"#!/bin/sh\nexit 101\n")
