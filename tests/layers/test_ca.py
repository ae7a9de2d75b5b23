"""Certificates of the user's own: read in every form, refused when they are none, trusted beside Debian's."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from functools import cache

import pytest

from cog_oci.errors import CogError
from cog_oci.layers import realise
from cog_oci.layers._effects.x509 import subject_hash
from cog_oci.layers._tar import in_order
from cog_oci.layers.ca import CA_ENVIRONMENT, CaLayer, read_certificates
from tests.conftest import need
from tests.layers.deb_builder import deb, file, keep, lay_out

POSTINST = """#!/bin/sh
cat > /etc/ca-certificates.conf <<EOF
# one certificate a line
EOF
"""


@cache
def certificate(subject: str, *, key: bool = False) -> bytes:
    """A certificate in PEM; with `key`, its private key before it."""
    need("openssl")
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", "/dev/stdout" if key else "/dev/null", "-subj", subject),
        ],
        capture_output=True,
        check=True,
    )
    return made.stdout


def converted(pem: bytes, *arguments: str) -> bytes:
    return subprocess.run(["openssl", "x509", *arguments], input=pem, capture_output=True, check=True).stdout


@pytest.fixture
def debians() -> bytes:
    """What the base trusts: to OpenSSL its subject is that of `one`, which differs in letters' case."""
    return certificate("/O=company/CN=one")


@pytest.fixture
def one() -> bytes:
    return certificate("/O=Company/CN=One")


@pytest.fixture
def two() -> bytes:
    return certificate("/O=Company/CN=Two")


@pytest.mark.parametrize(
    "render", [bytes.decode, lambda pem: base64.encodebytes(pem).decode(), lambda pem: f"\n {pem.decode()}\n\n"]
)
def test_text_and_base64_of_text_are_read(one, two, render):
    assert read_certificates(render(one + two)) == (one, two)


def test_a_file_is_read(tmp_path, one):
    (tmp_path / "ca.txt").write_bytes(one)

    assert read_certificates(str(tmp_path / "ca.txt")) == (one,)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path, one, two):
    (tmp_path / "b.crt").write_bytes(one)
    (tmp_path / "a.PEM").write_bytes(two)
    (tmp_path / "README").write_text("nothing")
    (tmp_path / "old.crt").mkdir()

    assert read_certificates(str(tmp_path)) == (two, one)


def test_home_is_where_it_is_said_to_be(tmp_path, one, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").write_bytes(one)

    assert read_certificates("~/ca.pem") == (one,)


def test_a_certificate_is_the_same_however_it_is_written(one):
    described = converted(one, "-text")
    windows = one.replace(b"\n", b"\r\n")
    begin, *body, end = one.splitlines()
    one_line = b"\n".join([begin, b"".join(body), end])

    assert len(described) > len(one)
    for text in (described, windows, one_line, one + one):
        assert read_certificates(text.decode()) == (one,)


def fault(value: object) -> str:
    """What is said of this value, without the variable's name."""
    with pytest.raises(CogError, match=r"^COG_CA_CERT: ") as caught:
        read_certificates(str(value))
    assert caught.value.hint
    return str(caught.value).removeprefix("COG_CA_CERT: ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("no.crt", "'no.crt'"),
        ("A" * 5000, f"'{'A' * 60}…'"),
        ("~nobody-here/x", "'~nobody-here/x'"),
        ("a\0b", r"'a\x00b'"),
    ],
)
def test_what_is_not_there_is_said_with_what_was_tried(value, shown):
    assert fault(value) == f"{shown} is no file, no folder, no PEM text and no base64 of one"


def test_nothing_at_all_is_said():
    assert fault(" ") == "it is empty"


def test_a_folder_without_certificates_is_said(tmp_path):
    assert fault(tmp_path) == f"the folder {tmp_path} has no *.crt and no *.pem file"


def test_a_file_that_cannot_be_read_is_said(tmp_path, one):
    (tmp_path / "ca.crt").write_bytes(one)
    (tmp_path / "ca.crt").chmod(0)
    if os.access(tmp_path / "ca.crt", os.R_OK):
        pytest.skip("needs a user who may not read everything")

    assert fault(tmp_path / "ca.crt") == f"{tmp_path}/ca.crt cannot be read: Permission denied"


def test_a_private_key_is_refused_wherever_it_is(tmp_path):
    both = certificate("/CN=key", key=True)
    (tmp_path / "ca.pem").write_bytes(both)
    unfinished = "-----BEGIN RSA PRIVATE KEY-----\nMIIB"

    assert fault(tmp_path) == f"{tmp_path}/ca.pem holds a private key, which everyone who has the image could read"
    assert fault(both.decode()).startswith("its text holds a private key")
    assert fault(base64.b64encode(both).decode()).startswith("its base64 text holds a private key")
    assert fault(unfinished).startswith("its text holds a private key")


@pytest.mark.parametrize("kind", ["CERTIFICATE REQUEST", "TRUSTED CERTIFICATE", "PKCS7", "PUBLIC KEY"])
def test_what_is_no_certificate_is_called_by_its_name(one, kind):
    other = f"-----BEGIN {kind}-----\nMIIB\n-----END {kind}-----\n"

    assert fault(one.decode() + other) == f"its text holds a {kind}, and only a CERTIFICATE can be trusted"


def test_der_is_recognised(tmp_path, one):
    (tmp_path / "ca.crt").write_bytes(converted(one, "-outform", "der"))
    (tmp_path / "other.crt").write_text("hello")

    assert "`openssl x509 -inform der` makes PEM of it" in fault(tmp_path / "ca.crt")
    assert fault(tmp_path / "other.crt") == f"{tmp_path}/other.crt holds no certificate in PEM"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rows: [rows[0], "!" + rows[1][1:], *rows[2:]], "Only base64 data is allowed"),
        (lambda rows: [rows[0], rows[1][1:], *rows[2:]], r"Incorrect padding|Invalid base64.*"),
        (lambda rows: [*rows[:2], rows[-1]], "an element longer than what holds it"),
        (lambda rows: [rows[0], "MAA=", rows[-1]], ""),
    ],
)
def test_a_damaged_certificate_is_counted_out(one, two, spoil, reason):
    damaged = "\n".join(spoil(two.decode().splitlines()))

    assert re.fullmatch(f"certificate 2 in its text is damaged: ({reason})", fault(one.decode() + damaged))


def test_a_text_that_was_cut_short_is_noticed(one, two):
    text = (one + two).decode()

    assert fault(text[:-40]) == "its text is cut short: it begins 2 certificates and ends 1"


def trusting(store, debians: bytes, *others: bytes) -> tuple:
    """The debs of an image: ca-certificates in its base, and these above."""
    bundled = {"usr/share/ca-certificates/mozilla/Base.crt": file(debians)}
    return (
        keep(store, deb("ca-certificates", bundled, scripts={"postinst": POSTINST}), "ca-certificates"),
        *(keep(store, content, f"other{number}", "system") for number, content in enumerate(others)),
    )


def entries(layer: CaLayer, store) -> dict:
    with layer.open(store) as found:
        return {entry.path: entry for entry in in_order(found)}


def content(entry) -> bytes:
    return b"".join(entry.content.chunks())


def test_certificates_are_trusted_beside_those_of_the_base(store, debians, one, two):
    found = entries(CaLayer((one, two), trusting(store, debians)), store)

    assert content(found["etc/ssl/certs/ca-certificates.crt"]) == debians + one + two
    assert content(found["usr/local/share/ca-certificates/cog-ca-2.crt"]) == two
    links = {path: entry.target for path, entry in found.items() if entry.kind == "symlink"}
    assert links == {
        "etc/ssl/certs/cog-ca-1.pem": "/usr/local/share/ca-certificates/cog-ca-1.crt",
        "etc/ssl/certs/cog-ca-2.pem": "/usr/local/share/ca-certificates/cog-ca-2.crt",
        f"etc/ssl/certs/{subject_hash(one, 'one')}.1": "cog-ca-1.pem",
        f"etc/ssl/certs/{subject_hash(two, 'two')}.0": "cog-ca-2.pem",
    }
    assert set(CA_ENVIRONMENT.values()) == {"/etc/ssl/certs/ca-certificates.crt"}


@pytest.mark.parametrize("listed", [True, False])
def test_certificates_that_a_system_package_brings_stay_trusted(store, debians, one, two, listed):
    path = "usr/share/ca-certificates/other/More.crt"
    lists = {"md5sums": f"{'0' * 32}  {path}\n"} if listed else {}
    found = entries(CaLayer((one,), trusting(store, debians, deb("more", {path: file(two)}, scripts=lists))), store)

    assert content(found["etc/ssl/certs/ca-certificates.crt"]) == debians + two + one


def test_packages_that_bring_none_are_not_unpacked(store, debians, one):
    damaged = deb("big", scripts={"md5sums": f"{'0' * 32}  usr/lib/x\n"}, data=b"no tar")

    assert "etc/ssl/certs/cog-ca-1.pem" in entries(CaLayer((one,), trusting(store, debians, damaged)), store)


def test_only_debs_that_may_bring_certificates_are_needed(store, debians, one):
    python, authorities = keep(store, deb("python3"), "python3"), trusting(store, debians)[0]
    system = keep(store, deb("libgl1"), "libgl1", "system")

    assert CaLayer((one,), (python, authorities, system)).artifacts == (authorities, system)


def test_an_image_without_the_package_is_told_what_it_needs(store, one):
    with pytest.raises(CogError, match="COG_CA_CERT needs the package ca-certificates"):
        entries(CaLayer((one,), ()), store)


def test_the_recipe_is_the_certificates_in_their_order_and_the_debs(store, debians, one, two):
    debs = trusting(store, debians)
    layers = [CaLayer((one, two), debs), CaLayer((two, one), debs), CaLayer((one,), debs), CaLayer((one, two), ())]

    assert len({layer.recipe for layer in layers}) == 4
    assert CaLayer((one, two), debs).recipe == layers[0].recipe
    assert realise(layers[0], store).name == "certificate authorities"


@pytest.mark.oracle
def test_debians_own_program_makes_the_same(store, tmp_path, debians, one, two):
    need("update-ca-certificates", "openssl")
    root = tmp_path / "root"
    lay_out(entries(CaLayer((one, two), trusting(store, debians)), store), root)
    sources, hooks, theirs = tmp_path / "share", tmp_path / "hooks", tmp_path / "certs"
    for folder in (sources / "mozilla", hooks, theirs):
        folder.mkdir(parents=True)
    (sources / "mozilla" / "Base.crt").write_bytes(debians)
    (tmp_path / "conf").write_text("mozilla/Base.crt\n")

    subprocess.run(
        [
            *("update-ca-certificates", "--certsconf", tmp_path / "conf", "--certsdir", sources, "--hooksdir", hooks),
            *("--localcertsdir", root / "usr/local/share/ca-certificates", "--etccertsdir", theirs),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"},
    )

    ours = root / "etc/ssl/certs"
    assert (ours / "ca-certificates.crt").read_bytes() == (theirs / "ca-certificates.crt").read_bytes()
    # Debian's own lies in another layer of ours; its program numbers equal subjects as it finds them.
    names = {path.name for path in ours.iterdir()} | {"Base.pem", f"{subject_hash(one, 'one')}.0"}
    assert {path.name for path in theirs.iterdir()} == names
