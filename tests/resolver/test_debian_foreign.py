"""Archives of others: flat ones, signatures that are apart, keys, and how much each archive counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pysequoia import SignatureMode, sign

from cog_oci.apt import AptArchive, Archives
from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher, NotFoundError
from cog_oci.lock import Deb
from cog_oci.oci import sha256
from cog_oci.origins import Origins, VanishedError
from cog_oci.resolver._debian_archive import UnavailableStateError, open_suite
from cog_oci.resolver._debian_reasons import UnsatisfiableError
from cog_oci.resolver._debian_suite import SignatureError, WrongSuiteError
from cog_oci.resolver.debian import DebianResolver, suite_of
from cog_oci.store import DigestMismatchError
from tests.resolver import debian_archive
from tests.resolver.debian_archive import NOW, YESTERDAY, Publication, paragraph, signing_key

FINGERPRINT = signing_key().extract_certificate().fingerprint
OWN = paragraph("libc6", "2.41") + paragraph("libnccl2", "2.22.3-1", depends="libc6") + paragraph("jq", depends="libc6")


def vendor_paragraph(name, version="1.0", **fields):
    """As NVIDIA's archive has it: files beside the index."""
    return paragraph(name, version, Filename=f"./{name}_{version}_amd64.deb", **fields)


@pytest.fixture
def debian(site):
    return Publication(site, packages=OWN).publish()


@pytest.fixture
def vendor(site):
    """A flat archive, with the index that every apt of the last twenty years reads."""
    packages = vendor_paragraph("libnccl2", "2.27-1+cuda12", depends="libc6") + vendor_paragraph("cuda-cudart-12-4")
    return Publication(
        site, suite="./", address="/cuda/x86_64", packages=packages, suffix=".gz", fields={}, by_hash=False
    )


@pytest.fixture
def key(tmp_path):
    """The key as a file of the project."""
    (tmp_path / "vendor.asc").write_text(str(signing_key().extract_certificate()))
    return "vendor.asc"


@pytest.fixture
def foreign(store, tmp_path, vendor, key):
    """The suite of the vendor's archive, as `build.apt` has it with these changes."""

    def function(**changes):
        values = {"name": "vendor", "url": vendor.url, "suite": vendor.suite, "key": key, **changes}
        return suite_of(AptArchive(**values), tmp_path, Fetcher(store), store)

    return function


@pytest.fixture
def resolver(debian, vendor, store, tmp_path, foreign):
    """A resolver for Debian's archive and the vendor's."""

    def function(**changes):
        addresses = {"debian": [debian.url], "vendor": [vendor.url]}
        suites = [debian_archive.suite_of(tmp_path), foreign(**changes)]
        return DebianResolver(Fetcher(store), store, suites, "amd64", addresses.__getitem__, NOW)

    return function


def found(resolution, name):
    return next((deb.version, deb.archive, deb.file) for deb in resolution.debs if deb.name == name)


@pytest.mark.parametrize("suite", ["./", "/", "sub/folder/"])
@pytest.mark.parametrize("detached", [False, True], ids=["inside", "apart"])
def test_a_flat_archive_is_read_whichever_way_it_is_signed(vendor, resolver, suite, detached):
    replace(vendor, suite=suite, detached=detached).publish()

    resolution = resolver(suite=suite).resolve([], ["cuda-cudart-12-4", "jq"])

    assert found(resolution, "cuda-cudart-12-4") == ("1.0", "vendor", "cuda-cudart-12-4_1.0_amd64.deb")
    assert found(resolution, "jq")[1] == "debian"
    own, others = resolution.archives
    assert (own.key, others.key) == ("", FINGERPRINT)
    assert (others.name, others.suite) == ("vendor", suite)


def test_a_bucket_that_forbids_what_it_does_not_have_is_asked_for_the_other_signature(vendor, resolver, site):
    replace(vendor, detached=True).publish()
    site.pages["/cuda/x86_64/InRelease"] = lambda handler: handler.answer(403, b"")

    assert resolver().archives[1].key == FINGERPRINT
    del site.pages["/cuda/x86_64/Release.gpg"]
    with pytest.raises(UnavailableStateError, match="/cuda/x86_64/InRelease: HTTP 403"):
        _ = resolver().archives


def test_the_lock_names_what_was_signed_and_the_store_keeps_it(vendor, foreign, store):
    replace(vendor, detached=True).publish()

    state = open_suite(foreign(), [vendor.url], Fetcher(store), store, NOW)

    text = vendor.site.pages["/cuda/x86_64/Release"]
    assert state.archive.inrelease == sha256(text).removeprefix("sha256:")
    assert store.path(sha256(text)).read_bytes() == text


def test_a_suite_with_components_is_read_as_debians(vendor, resolver):
    replace(vendor, suite="stable").publish()

    assert found(resolver(suite="stable", components=("main",)).resolve([], ["libnccl2"]), "libnccl2")[1] == "vendor"
    replace(vendor, suite="stable", fields={"Codename": "other"}).publish()
    with pytest.raises(WrongSuiteError, match="it is the one of other") as caught:
        resolver(suite="stable", components=("main",)).resolve([], ["jq"])
    assert "write one of those as its suite" in caught.value.hint


def test_debs_of_a_flat_archive_are_beside_its_index(vendor, resolver, store, monkeypatch):
    monkeypatch.delenv("COG_APT_VENDOR", raising=False)
    vendor.publish()
    deb = next(one for one in resolver().resolve([], ["cuda-cudart-12-4"]).debs if one.archive == "vendor")

    origins = Origins(Fetcher(store), NOW, archives=Archives({"vendor": f"{vendor.url}/"}))

    assert next(iter(origins.locate(deb))) == f"{vendor.url}/cuda-cudart-12-4_1.0_amd64.deb"
    monkeypatch.setenv("COG_APT_VENDOR", "http://mirror/nv")
    assert next(iter(origins.locate(deb))) == "http://mirror/nv/cuda-cudart-12-4_1.0_amd64.deb"


def test_an_archive_that_is_not_known_here_is_named_with_its_variable(store, monkeypatch):
    monkeypatch.delenv("COG_APT_SOME_VENDOR", raising=False)

    with pytest.raises(CogError, match="from the archive 'some-vendor', which is not known") as caught:
        Origins(Fetcher(store), NOW).archive("some-vendor")

    assert "COG_APT_SOME_VENDOR" in caught.value.hint


def test_a_deb_that_its_archive_has_no_more_is_named_with_what_to_do(vendor, store):
    data = b"a deb"
    deb = Deb(
        name="cudart",
        version="12.4",
        file="cudart_12.4%3a1_amd64.deb",
        sha256=sha256(data).removeprefix("sha256:"),
        size=len(data),
        archive="vendor",
        architecture="amd64",
        layer="system",
    )
    fetcher = Fetcher(store)
    origins = Origins(fetcher, NOW, archives=Archives({"vendor": vendor.url}))

    with pytest.raises(VanishedError, match=r"vendor does not have cudart_12.4%3a1_amd64.deb any more") as caught:
        fetcher.artifacts([deb], origins.locate)
    assert "cog-oci lock -P cudart" in caught.value.hint

    vendor.site.pages["/cuda/x86_64/cudart_12.4%253a1_amd64.deb"] = b"a dab"
    with pytest.raises(DigestMismatchError, match="cudart"):
        fetcher.artifacts([deb], origins.locate)
    assert not store.has(deb.digest)
    vendor.site.pages["/cuda/x86_64/cudart_12.4%253a1_amd64.deb"] = data
    fetcher.artifacts([deb], origins.locate)
    assert store.has(deb.digest, deb.size)


def test_the_highest_version_wins_whoever_has_it(vendor, resolver):
    vendor.publish()

    assert found(resolver().resolve([], ["libnccl2"]), "libnccl2")[:2] == ("2.27-1+cuda12", "vendor")


@pytest.mark.parametrize(("priority", "archive"), [(499, "debian"), (500, "vendor"), (600, "vendor"), (1, "debian")])
def test_a_higher_priority_comes_before_a_higher_version(vendor, resolver, priority, archive):
    vendor.publish()

    assert found(resolver(priority=priority).resolve([], ["libnccl2"]), "libnccl2")[1] == archive


def test_a_higher_priority_takes_a_lower_version(vendor, resolver):
    replace(vendor, packages=vendor_paragraph("libnccl2", "1.0")).publish()

    assert found(resolver(priority=900).resolve([], ["libnccl2"]), "libnccl2")[0] == "1.0"
    assert found(resolver().resolve([], ["libnccl2"]), "libnccl2")[0] == "2.22.3-1"


@pytest.mark.parametrize(
    ("fields", "archive"),
    [
        ({"NotAutomatic": "yes"}, "debian"),
        ({"NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}, "debian"),
        ({}, "vendor"),
    ],
)
def test_an_archive_that_wants_to_be_asked_for_by_name_counts_less(vendor, resolver, fields, archive):
    replace(vendor, fields=fields).publish()

    assert found(resolver().resolve([], ["libnccl2"]), "libnccl2")[1] == archive
    assert found(resolver(priority=500).resolve([], ["libnccl2"]), "libnccl2")[1] == "vendor"
    assert found(resolver().resolve([], ["libnccl2=2.27-1+cuda12"]), "libnccl2")[1] == "vendor"


def test_what_only_a_low_priority_has_is_taken_where_it_is_needed(vendor, resolver):
    more = vendor_paragraph("trainer", depends="libnccl2 (>= 2.25)")
    replace(vendor, packages=vendor.packages + more).publish()

    assert found(resolver(priority=1).resolve([], ["trainer"]), "libnccl2")[1] == "vendor"


def test_a_locked_deb_stays_until_its_priority_is_lower_or_it_is_to_be_upgraded(vendor, resolver):
    vendor.publish()
    old = resolver().resolve([], ["libnccl2"]).debs
    replace(vendor, packages=vendor.packages + vendor_paragraph("libnccl2", "2.28")).publish()

    assert found(resolver().resolve([], ["libnccl2"], old), "libnccl2")[0] == "2.27-1+cuda12"
    moved = resolver().resolve([], ["libnccl2"], old, {"libnccl2": None})
    assert found(moved, "libnccl2")[:2] == ("2.28", "vendor")
    assert found(resolver(priority=100).resolve([], ["libnccl2"], old), "libnccl2")[1] == "debian"
    back = resolver().resolve([], ["libnccl2"], old, {"libnccl2": "2.22.3-1"})
    assert found(back, "libnccl2")[1] == "debian"


def test_packages_of_other_architectures_in_the_same_index_are_not_there(vendor, resolver):
    other = vendor_paragraph("libnccl2", "9", architecture="arm64") + vendor_paragraph("docs", architecture="all")
    replace(vendor, packages=vendor.packages + other).publish()

    resolution = resolver().resolve([], ["libnccl2", "docs"])

    assert found(resolution, "libnccl2")[0] == "2.27-1+cuda12"
    assert found(resolution, "docs")[1] == "vendor"


def test_two_archives_that_contradict_each_other_are_both_in_the_reasons(vendor, resolver):
    replace(vendor, packages=vendor_paragraph("cudnn", depends="libc6 (>= 2.99)")).publish()

    with pytest.raises(UnsatisfiableError, match=r"cog.yaml → cudnn 1.0 needs libc6 \(>= 2.99\), and there is only"):
        resolver().resolve(["libc6"], ["cudnn"])


def test_an_index_that_is_listed_and_not_kept_is_passed_over(vendor, resolver, site):
    vendor.publish()
    plain = vendor.packages.encode()
    text = vendor.text() + f" {sha256(plain).removeprefix('sha256:')} {len(plain)} ./Packages\n"
    site.pages["/cuda/x86_64/InRelease"] = sign(signing_key().signer(), text.encode(), mode=SignatureMode.CLEAR)
    del site.pages["/cuda/x86_64/Packages.gz"]

    with pytest.raises(NotFoundError, match=r"vendor ./ Packages.gz"):
        resolver().resolve([], ["jq"])
    site.pages["/cuda/x86_64/Packages"] = plain
    assert found(resolver().resolve([], ["libnccl2"]), "libnccl2")[1] == "vendor"


def test_a_key_is_fetched_and_known_by_its_fingerprint(vendor, foreign, resolver, site, store):
    vendor.publish()
    site.pages["/key.pub"] = bytes(signing_key().extract_certificate())
    address = f"{site.url}/key.pub"

    wanted = foreign(key=address, fingerprint=FINGERPRINT)
    assert open_suite(wanted, [vendor.url], Fetcher(store), store, NOW).archive.key == FINGERPRINT

    site.pages["/key.pub"] = bytes(signing_key("stranger").extract_certificate())
    with pytest.raises(CogError, match=f"the key of vendor has the fingerprint [0-9a-f]+, not {FINGERPRINT}"):
        foreign(key=address, fingerprint=FINGERPRINT)


def test_of_several_keys_in_a_file_only_that_of_the_fingerprint_counts(vendor, foreign, tmp_path, store):
    replace(vendor, signer=signing_key("stranger")).publish()
    stranger = signing_key("stranger").extract_certificate()
    (tmp_path / "two.gpg").write_bytes(bytes(signing_key().extract_certificate()) + bytes(stranger))

    def opened(**changes):
        return open_suite(foreign(key="two.gpg", **changes), [vendor.url], Fetcher(store), store, NOW)

    assert opened().archive.key == stranger.fingerprint
    assert opened(fingerprint=stranger.fingerprint).archive.key == stranger.fingerprint
    with pytest.raises(SignatureError, match="which is not a key of vendor") as caught:
        opened(fingerprint=FINGERPRINT)
    assert "ask whoever runs vendor" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"not a key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_a_file_that_holds_no_key_is_refused_by_name(foreign, tmp_path, data):
    (tmp_path / "bad.asc").write_bytes(data)

    with pytest.raises(CogError, match=r"bad.asc holds no OpenPGP key"):
        foreign(key="bad.asc")


def test_a_signature_apart_by_several_keys_counts_by_the_one_that_is_known(vendor, foreign, site, store):
    replace(vendor, detached=True).publish()
    text = site.pages["/cuda/x86_64/Release"]
    keys = (signing_key("stranger"), signing_key())
    both = [sign(key.signer(), text, mode=SignatureMode.DETACHED, armor=False) for key in keys]
    site.pages["/cuda/x86_64/Release.gpg"] = b"".join(both)

    assert open_suite(foreign(), [vendor.url], Fetcher(store), store, NOW).archive.key == FINGERPRINT


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        (lambda text: sign(signing_key().signer(), text + b"x", mode=SignatureMode.DETACHED), "is not valid: the text"),
        (lambda text: sign(signing_key("stranger").signer(), text, mode=SignatureMode.DETACHED), "not a key of vendor"),
        (lambda _: b"no signature", "its signature cannot be read"),
        (lambda _: b"", "its signature cannot be read"),
    ],
)
def test_a_signature_apart_that_does_not_fit_is_refused(vendor, foreign, site, store, signature, problem):
    replace(vendor, detached=True).publish()
    site.pages["/cuda/x86_64/Release.gpg"] = signature(site.pages["/cuda/x86_64/Release"])

    with pytest.raises(SignatureError, match=problem):
        open_suite(foreign(), [vendor.url], Fetcher(store), store, NOW)


def test_debians_own_archive_must_be_signed_inside(debian, store, tmp_path, site):
    replace(debian, detached=True).publish()
    del site.pages[f"{debian.page}/InRelease"]

    with pytest.raises(UnavailableStateError, match="InRelease: HTTP 404"):
        open_suite(debian_archive.suite_of(tmp_path), [debian.url], Fetcher(store), store, NOW)


def test_an_archive_without_a_past_says_so(vendor, foreign, store):
    vendor.publish()

    with pytest.raises(UnavailableStateError, match=r"no address has vendor ./ as of .* which is later") as caught:
        open_suite(foreign(), [vendor.url], Fetcher(store), store, YESTERDAY - timedelta(days=1))

    assert "only its present state" in caught.value.hint
    assert "COG_APT_VENDOR" in caught.value.hint
