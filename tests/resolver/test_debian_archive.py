"""Signed states of a suite: what is believed, what is refused, and by which name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher, NotFoundError
from cog_oci.oci import sha256
from cog_oci.resolver import _debian_archive
from cog_oci.resolver._debian_archive import UnavailableStateError, open_suite
from cog_oci.resolver._debian_index import PackageIndex
from cog_oci.resolver._debian_suite import ExpiredReleaseError, ReleaseError, SignatureError, WrongSuiteError
from cog_oci.store import DigestMismatchError
from tests.resolver.debian_archive import NOW, YESTERDAY, Publication, paragraph, signing_key, suite_of


@pytest.fixture
def archive(site):
    return Publication(site, packages=paragraph("a") + paragraph("b", depends="a"))


@pytest.fixture
def opened(store, tmp_path, archive):
    """Open the suite, at the archive's address or at those given."""
    suite = suite_of(tmp_path)

    def function(*addresses, as_of=NOW, suite=suite):
        return open_suite(suite, addresses or [archive.url], Fetcher(store), store, as_of)

    return function


@pytest.fixture
def indexes(opened, store):
    """The text of every index of the suite."""
    return lambda architecture="amd64": list(opened().packages(Fetcher(store), architecture))


def test_a_signed_suite_gives_its_indexes_and_its_name_for_the_lock(archive, opened, indexes, store):
    archive.publish()
    inrelease = archive.site.pages[f"{archive.page}/InRelease"]

    assert indexes() == [archive.packages.encode()]
    locked = opened().archive
    assert (locked.name, locked.suite, locked.date) == ("debian", "trixie", f"{YESTERDAY:%Y-%m-%dT%H:%M:%SZ}")
    assert store.path(sha256(inrelease)).read_bytes() == inrelease
    assert locked.inrelease == sha256(inrelease).removeprefix("sha256:")


def test_a_changed_text_under_a_known_signature_is_refused(archive, opened):
    archive.publish()
    page = f"{archive.page}/InRelease"
    archive.site.pages[page] = archive.site.pages[page].replace(b"Codename: trixie", b"Codename: trixi3")

    with pytest.raises(
        SignatureError, match=r"InRelease of debian trixie: the signature by \w+ is not valid"
    ) as caught:
        opened()

    assert caught.value.signers
    assert caught.value.hint


def test_a_signature_by_a_stranger_is_refused_by_name(archive, opened):
    replace(archive, signer=signing_key("stranger")).publish()

    with pytest.raises(SignatureError, match="which is not a key of debian"):
        opened()


def test_no_signature_is_refused(archive, opened):
    archive.site.pages[f"{archive.page}/InRelease"] = archive.text().encode()

    with pytest.raises(SignatureError, match="it is not signed"):
        opened()


def test_a_signature_cut_off_is_refused(archive, opened):
    archive.site.pages[f"{archive.page}/InRelease"] = archive.signed().partition(b"-----BEGIN PGP SIGNATURE")[0]

    with pytest.raises(SignatureError, match="cannot be read"):
        opened()


def test_text_in_front_of_the_signed_one_is_refused(archive, opened):
    archive.site.pages[f"{archive.page}/InRelease"] = b"Acquire-By-Hash: no\n\n" + archive.signed()

    with pytest.raises(SignatureError):
        opened()


def test_text_behind_the_signature_is_not_believed(archive, opened):
    archive.site.pages[f"{archive.page}/InRelease"] = (
        archive.signed() + archive.text().replace("trixie", "sid").encode()
    )

    assert opened().archive.suite == "trixie"


def test_another_suite_under_this_name_is_refused(archive, opened):
    replace(archive, fields={"Codename": "sid", "Suite": "unstable"}).publish()

    with pytest.raises(WrongSuiteError, match="it is the one of sid or unstable") as caught:
        opened()

    assert caught.value.found == ("sid", "unstable")


def test_a_stale_mirror_is_refused(archive, opened):
    replace(archive, valid_until=NOW - timedelta(hours=1)).publish()

    with pytest.raises(ExpiredReleaseError, match="it was valid until"):
        opened()


def test_a_mirror_that_is_stale_now_is_refused_for_the_past_too(archive, opened):
    replace(archive, valid_until=NOW - timedelta(hours=1)).publish()

    with pytest.raises(ExpiredReleaseError):
        opened(as_of=NOW - timedelta(hours=2))


def test_a_snapshot_has_to_be_valid_at_its_own_time(archive, opened):
    past = replace(
        archive,
        address="/archive/debian/20200102T000000Z/",
        date=NOW - timedelta(days=400),
        valid_until=NOW - timedelta(days=393),
    )
    replace(past, address=past.address.rstrip("/")).publish()

    assert opened(past.url, as_of=NOW - timedelta(days=395)).release.date == past.date
    with pytest.raises(ExpiredReleaseError):
        opened(past.url, as_of=NOW - timedelta(days=300))


def test_the_snapshot_is_used_when_the_mirror_is_younger(archive, opened):
    archive.publish()
    past = replace(archive, address="/archive/debian/20200102T000000Z", date=NOW - timedelta(days=9)).publish()

    state = opened(archive.url, past.url, as_of=NOW - timedelta(days=5))

    assert state.release.date == past.date
    assert state.address.startswith(past.url)


def test_a_mirror_that_does_not_answer_is_passed_over(archive, opened, site):
    archive.publish()

    assert opened(f"{site.url}/nothing", archive.url).address.startswith(archive.url)


def test_a_state_that_no_address_has_is_an_error_with_what_each_had(archive, opened, site):
    archive.publish()

    with pytest.raises(UnavailableStateError, match="no address has debian trixie as of") as caught:
        opened(archive.url, f"{site.url}/archive/debian/20200102T000000Z", as_of=NOW - timedelta(days=5))

    younger, absent = caught.value.reasons
    assert "which is later" in younger
    assert "HTTP 404" in absent
    assert "COG_MIRROR_DEBIAN" in caught.value.hint


def test_no_address_is_an_error(opened, store, tmp_path):
    with pytest.raises(UnavailableStateError, match="no address is known"):
        open_suite(suite_of(tmp_path), [], Fetcher(store), store, NOW)


def test_an_index_is_asked_for_by_its_hash(archive, indexes, site):
    archive.publish()
    site.asked.clear()

    indexes()

    assert site.asked == [f"{archive.page}/InRelease", archive.by_hash_page]


def test_an_index_that_is_missing_by_hash_is_found_by_name(archive, indexes, site):
    archive.publish()
    del site.pages[archive.by_hash_page]

    assert indexes() == [archive.packages.encode()]


def test_an_archive_without_by_hash_is_asked_by_name(archive, indexes, site):
    replace(archive, by_hash=False).publish()

    assert indexes() == [archive.packages.encode()]
    assert not any("by-hash" in path for path in site.asked)


def test_a_changed_index_is_refused_and_not_kept(archive, indexes, site, store):
    archive.publish()
    site.pages[archive.by_hash_page] = archive.index[:-1] + b"?"

    with pytest.raises(DigestMismatchError, match=r"debian trixie main/binary-amd64/Packages\.xz"):
        indexes()

    assert not store.has(sha256(archive.index))


def test_an_index_that_has_vanished_is_an_error_with_its_name(archive, indexes, site):
    archive.publish()
    del site.pages[archive.by_hash_page], site.pages[f"{archive.page}/{archive.index_path}"]

    with pytest.raises(NotFoundError, match="main/binary-amd64/Packages"):
        indexes()


def test_an_architecture_without_packages_is_named_beside_those_there_are(archive, indexes):
    archive.publish()

    with pytest.raises(
        ReleaseError, match="it lists no main/binary-riscv64/Packages; its architectures are all, amd64"
    ):
        indexes("riscv64")


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
def test_every_compression_that_archives_use_is_read(archive, indexes, suffix):
    replace(archive, suffix=suffix).publish()

    assert indexes() == [archive.packages.encode()]


def test_an_index_that_cannot_be_unpacked_is_the_archives_fault(archive, indexes, monkeypatch):
    monkeypatch.setattr(Publication, "index", property(lambda _: b"not xz at all"))
    archive.publish()

    with pytest.raises(ReleaseError, match="is signed for, and cannot be unpacked"):
        indexes()


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
def test_an_index_that_unpacks_to_too_much_is_refused(archive, indexes, suffix, monkeypatch):
    monkeypatch.setattr(_debian_archive, "_INDEX_LIMIT", 100)
    replace(archive, suffix=suffix).publish()

    with pytest.raises(ReleaseError, match=f"Packages{suffix} unpacks to more than"):
        indexes()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"Filename": "../x.deb"}, r"the path '../x.deb'"),
        ({"Filename": "/etc/x.deb"}, r"the path '/etc/x.deb'"),
        ({"Filename": "a/../../x.deb"}, r"the path 'a/../../x.deb'"),
        ({"Filename": "./"}, r"the path './'"),
        ({"Filename": "a\tb.deb"}, r"the path 'a\\tb.deb'"),
        ({"sha256": "../../x"}, r"the SHA256 '../../x'"),
        ({"Size": "big"}, "invalid literal"),
        ({"Depends": "a (~ 1)"}, r"'a \(~ 1\)' is not a relation"),
    ],
)
def test_a_package_that_is_listed_wrongly_is_told_by_name(fields, problem):
    index = PackageIndex("amd64")
    index.add("vendor", paragraph("odd", **fields).encode())

    with pytest.raises(CogError, match=rf"the index of vendor lists odd with what cannot be right: .*{problem}"):
        index.versions("odd")


def test_a_paragraph_of_no_package_is_an_error():
    index = PackageIndex("amd64")

    with pytest.raises(CogError, match=r"the index of vendor has a paragraph without a Package: b'Version: 1"):
        index.add("vendor", paragraph("a").encode() + b"\nVersion: 1\n")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), unique=True, max_size=9), st.integers(1, 40))
def test_an_index_in_pieces_lists_what_it_lists_as_a_whole(packages, size):
    text = "\n".join(paragraph(name, version=str(number), Provides="x") for name, number in packages).encode()
    whole, cut = PackageIndex("amd64"), PackageIndex("amd64")
    whole.add("vendor", text)
    cut.add("vendor", [text[at : at + size] for at in range(0, len(text), size)])

    for index in (whole, cut):
        assert {(name, int(one.version)) for name in "abc" for one in index.versions(name)} == set(packages)
        assert index.names == {name for name, _ in packages}
    assert list(map(str, cut.providers("x"))) == list(map(str, whole.providers("x")))


def test_packages_for_all_that_stand_apart_are_read_too(archive, opened, store, site):
    apart = replace(archive, fields={"Architectures": "all amd64"}, packages=paragraph("doc"), architecture="all")
    apart.publish()
    row = f" {sha256(archive.index).removeprefix('sha256:')} {len(archive.index)} {archive.index_path}\n"
    text = apart.text() + row
    site.pages[f"{archive.page}/{archive.index_path}"] = archive.index
    apart.text = lambda: text
    site.pages[f"{archive.page}/InRelease"] = apart.signed()

    assert list(opened().packages(Fetcher(store), "amd64")) == [archive.packages.encode(), apart.packages.encode()]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"Date": ""}, "it has no Date"),
        ({"Date": "someday"}, "Date is 'someday', which is not a time"),
        ({"X": "y\nSHA256:\n zz 1 main"}, "its table of SHA256 has the line"),
    ],
)
def test_a_signed_text_that_says_too_little_is_refused(archive, opened, fields, problem):
    archive.fields.update(fields)
    if "X" in fields:
        archive.text = lambda: f"Codename: trixie\nDate: Mon, 24 Nov 2025 00:00:00 UTC\nX: {fields['X']}\n"
    archive.publish()

    with pytest.raises(ReleaseError, match=problem):
        opened()
