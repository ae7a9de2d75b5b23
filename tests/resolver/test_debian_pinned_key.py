"""Keys that say who they are with SHA-1: what they sign counts where someone has pinned them, as far as they may sign."""

from __future__ import annotations

import subprocess

import pytest
from pysequoia import Cert

from cog_oci.resolver._debian_pinned_key import cleartext, is_bound, signed_by
from cog_oci.resolver._debian_release import verify
from cog_oci.resolver._debian_suite import SignatureError, Suite
from tests.conftest import need
from tests.resolver.debian_archive import signing_key
from tests.resolver.weak_key import INRELEASE, KEY, RELEASE, SIGNATURE

FINGERPRINT = Cert.from_bytes(KEY.encode()).fingerprint


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "key.asc").write_text(KEY)
    return Suite("vendor", "./", tmp_path / "key.asc", ())


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_a_pinned_key_has_signed_counts_though_it_says_who_it_is_with_sha1(suite, ends):
    assert not is_bound(Cert.from_bytes(KEY.encode()))
    assert is_bound(signing_key().extract_certificate())

    inside = verify(INRELEASE.replace("\n", ends).encode(), suite)
    apart = verify(RELEASE.encode(), suite, SIGNATURE.encode())

    assert inside.signed_by == apart.signed_by == FINGERPRINT
    assert inside.files == apart.files
    assert list(inside.files) == ["Packages"]
    assert f"{inside.date:%Y-%m-%d %H:%M}" == "2026-11-23 10:00"


@pytest.mark.parametrize(
    ("old", "new"),
    [("10:00", "11:00"), ("SHA256:\n", "SHA256:\n\n"), ("- -X", "-X"), ("\nSHA256", "\nX: y\nSHA256")],
)
def test_a_changed_text_is_refused(suite, old, new):
    assert old in INRELEASE

    with pytest.raises(SignatureError):
        verify(INRELEASE.replace(old, new).encode(), suite)


def test_a_changed_text_apart_from_its_signature_is_refused(suite):
    for text in (RELEASE + "\n", RELEASE.replace("10:00", "10:01"), ""):
        with pytest.raises(SignatureError, match="is not valid: the text was changed, or the key, which says"):
            verify(text.encode(), suite, SIGNATURE.encode())


def test_what_stands_around_the_signed_text_is_not_read(suite):
    release = verify((INRELEASE + "\nDate: Mon, 23 Nov 2099 10:00:00 UTC\n").encode(), suite)

    assert release.date.year == 2026
    with pytest.raises(SignatureError, match="it is not signed"):
        verify(("Date: x\n" + INRELEASE).encode(), suite)
    with pytest.raises(SignatureError):
        verify(INRELEASE.replace("Hash: SHA512\n", "Hash: SHA512\nDate: x\n").encode(), suite)


def test_debians_own_keys_have_to_be_sound(tmp_path):
    (tmp_path / "key.asc").write_text(KEY)

    with pytest.raises(SignatureError, match="which says who it is with SHA-1"):
        verify(INRELEASE.encode(), Suite("debian", "./", tmp_path / "key.asc", ()))


def test_another_pinned_key_is_not_this_one(tmp_path):
    (tmp_path / "key.asc").write_text(str(signing_key().extract_certificate()))

    with pytest.raises(SignatureError, match="which is not a key of vendor"):
        verify(INRELEASE.encode(), Suite("vendor", "./", tmp_path / "key.asc", ()))


def test_a_damaged_signature_is_no_signature():
    key = Cert.from_bytes(KEY.encode())
    text, block = cleartext(INRELEASE.encode())
    lines = block.split(b"\n")

    assert signed_by(key, text, block)
    # What the third line holds, the key's number and the first bits of the hash, is no part of what is signed.
    for number in (2, *range(4, len(lines) - 4)):
        damaged = lines[number][:5] + (b"A" if lines[number][5:6] != b"A" else b"B") + lines[number][6:]
        block = b"\n".join([*lines[:number], damaged, *lines[number + 1 : -3], b"-----END PGP SIGNATURE-----", b""])
        try:
            assert not signed_by(key, text, block), number
        except RuntimeError:  # not even a packet
            continue


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN PGP SIGNED MESSAGE-----\n\nno end", INRELEASE.replace("- -X", "-X")]
)
def test_what_is_not_in_the_cleartext_form_is_told_from_what_is(text):
    assert cleartext(text.encode()) is None


_ALONE = ("--pinentry-mode", "loopback", "--passphrase", "")


class Gpg:
    """GnuPG with a home of its own, which makes keys that bind themselves with SHA-1."""

    def __init__(self, home):
        home.mkdir(mode=0o700)
        self._home = home

    def run(self, *arguments, text=b""):
        command = ["gpg", "--homedir", str(self._home), "--batch", "--quiet", "--yes", *_ALONE, *arguments]
        return subprocess.run(command, input=text, check=True, capture_output=True).stdout

    def key(self, name, *what, made="20200101T000000"):
        self.run(
            "--cert-digest-algo", "SHA1", "--faked-system-time", made, "--quick-gen-key", f"{name}@example.com", *what
        )
        return self.certificate(name)

    def certificate(self, name):
        return Cert.from_bytes(self.run("--export", f"{name}@example.com"))

    def sign(self, name, text, *options):
        return self.run("--local-user", f"{name}@example.com", *options, "--detach-sign", text=text)


@pytest.fixture(scope="module")
def gpg(tmp_path_factory):
    need("gpg", "gpgconf")
    home = tmp_path_factory.mktemp("gpg") / "home"
    yield Gpg(home)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)


@pytest.mark.oracle
def test_signatures_of_gnupg_are_read_as_gnupg_reads_them(gpg):
    key = gpg.key("plain", "rsa3072", "sign,cert", "never")

    for digest in ("SHA256", "SHA384", "SHA512"):
        assert signed_by(key, b"text", gpg.sign("plain", b"text", "--digest-algo", digest))
    assert not signed_by(key, b"text", gpg.sign("plain", b"other"))
    assert not signed_by(key, b"text", gpg.sign("plain", b"text", "--digest-algo", "SHA1"))
    past = ("--faked-system-time", "20210101T000000", "--default-sig-expire", "1d")
    assert not signed_by(key, b"text", gpg.sign("plain", b"text", *past))


@pytest.mark.oracle
def test_a_key_may_sign_only_as_far_as_it_says(gpg):
    expired = gpg.key("expired", "rsa2048", "sign,cert", "1y")
    small = gpg.key("small", "rsa1024", "sign,cert", "never")
    curve = gpg.key("curve", "ed25519", "sign,cert", "never")
    certifying = gpg.key("certifying", "rsa2048", "cert", "never")
    gpg.run("--quick-add-key", certifying.fingerprint, "rsa2048", "sign", "never")
    then = ("--faked-system-time", "20200201T000000")

    assert not signed_by(expired, b"text", gpg.sign("expired", b"text", *then))
    for name, key in (("small", small), ("curve", curve), ("certifying", gpg.certificate("certifying"))):
        assert not signed_by(key, b"text", gpg.sign(name, b"text")), name


@pytest.mark.oracle
def test_a_key_that_was_revoked_signs_no_more(gpg):
    key = gpg.key("revoked", "rsa2048", "sign,cert", "never")
    signature = gpg.sign("revoked", b"text")
    assert signed_by(key, b"text", signature)

    rule = gpg._home / "openpgp-revocs.d" / f"{key.fingerprint.upper()}.rev"
    gpg.run("--import", text=rule.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))

    assert not signed_by(gpg.certificate("revoked"), b"text", signature)
