"""Trusted authorities: one bundle, and names by which OpenSSL finds each certificate."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.layers._effects.x509 import subject_hash
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, lay_out

POSTINST = """#!/bin/sh
cat > /etc/ca-certificates.conf <<EOF
# one certificate a line
EOF
"""


def certificate(subject: str, folder, *options: str) -> bytes:
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8"),
            *("-keyout", "/dev/null", "-subj", subject, *options),
        ],
        capture_output=True,
        check=True,
        cwd=folder,
    )
    return done.stdout


def ca_certificates(**certificates: bytes) -> bytes:
    files = {f"usr/share/ca-certificates/mozilla/{name}.crt": file(data) for name, data in certificates.items()}
    return deb("ca-certificates", files, scripts={"postinst": POSTINST})


def test_bundle_configuration_and_links_name_every_certificate(store, tmp_path):
    need("openssl")
    one, two = certificate("/O=A  Test/CN=Root", tmp_path), certificate("/O=a test/CN=ROOT", tmp_path)

    found = entries_of(store, ca_certificates(**{"B (old)": one.rstrip(b"\n"), "A": two}))

    assert found["etc/ssl/certs/ca-certificates.crt"].content.data == two + one
    assert found["etc/ca-certificates.conf"].content.data.decode().split("\n") == [
        *("# one certificate a line", "mozilla/A.crt", "mozilla/B (old).crt", "")
    ]
    links = {path: entry.target for path, entry in found.items() if entry.kind == "symlink"}
    name = subject_hash(one, "one")
    assert links == {
        "etc/ssl/certs/A.pem": "/usr/share/ca-certificates/mozilla/A.crt",
        "etc/ssl/certs/B_=old=.pem": "/usr/share/ca-certificates/mozilla/B (old).crt",
        f"etc/ssl/certs/{name}.0": "A.pem",
        f"etc/ssl/certs/{name}.1": "B_=old=.pem",
    }


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_named(store, pem):
    with pytest.raises(CogError, match=r"/usr/share/ca-certificates/mozilla/bad\.crt is not a certificate"):
        entries_of(store, ca_certificates(bad=pem))


parts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).map(
    lambda text: text.replace("\\", "_").replace("/", "_").replace("+", "_").replace("=", "_") or "x"
)


@pytest.mark.oracle
@settings(max_examples=12, deadline=None)
@given(parts, parts, st.sampled_from(["/", "+"]))
def test_openssl_hashes_the_subject_the_same(tmp_path_factory, organisation, name, separator):
    need("openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subject = f"/O=x{organisation}  y{separator}CN= {name}z "
    pem = certificate(subject, folder, *(["-multivalue-rdn"] if separator == "+" else []))

    told = subprocess.run(["openssl", "x509", "-noout", "-subject_hash"], input=pem, capture_output=True, check=True)

    assert subject_hash(pem, "a test") == told.stdout.decode().strip()


@pytest.mark.oracle
def test_openssl_rehash_makes_the_same_links(store, tmp_path):
    need("openssl")
    pems = {name: certificate(f"/CN={'same' if name < 'c' else name}", tmp_path) for name in "abcd"}
    root = tmp_path / "root"
    found = entries_of(store, ca_certificates(**pems))
    lay_out(found, root)
    folder = root / "etc/ssl/certs"
    ours = {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}
    for path in list(folder.iterdir()):
        name = path.name
        path.unlink()
        if name.endswith(".pem"):
            shutil.copy(root / f"usr/share/ca-certificates/mozilla/{name[:-4]}.crt", path)

    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)

    theirs = {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}
    assert theirs == {name: target for name, target in ours.items() if not name.endswith(".pem")}
