"""What a person reads who asks for what there is not: another suite that has it, its successor, who has the file."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.oci import sha256
from cog_oci.resolver._debian_contents import holders, looks_like_a_file
from cog_oci.resolver._debian_reasons import FileNameError, UnknownPackageError
from cog_oci.resolver.debian import DebianResolver, others
from tests.resolver import debian_archive
from tests.resolver.debian_archive import NOW, Publication, paragraph

OWN = paragraph("libgl1") + paragraph("libglx-mesa0") + paragraph("ffmpeg") + paragraph("libglib2.0-0t64")
OLD = paragraph(
    "libgl1-mesa-glx", "22", depends="libgl1, libglx-mesa0 | gone", description="transitional dummy package"
) + paragraph("openjdk-17-jre", "17.0.1")
CONTENTS = b"""\
bin/ls                                                  utils/coreutils
usr/bin/ffmpeg                                          video/ffmpeg
usr/lib/debug/usr/bin/ffmpeg                            debug/ffmpeg-dbgsym
usr/lib/x86_64-linux-gnu/libGL.so.1                     libs/libgl1
usr/lib/x86_64-linux-gnu/primus/libGL.so.1              libs/primus-libs
usr/lib/x86_64-linux-gnu/libGL.so.10                    libs/libgl10
usr/share/two words/ffmpeg                              doc/two,doc/one-doc
"""


@pytest.fixture
def contents(tmp_path):
    path = tmp_path / "Contents-amd64.gz"
    path.write_bytes(gzip.compress(CONTENTS))
    return path


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("libGL.so.1", ["libgl1"]),
        ("/usr/bin/ffmpeg", ["ffmpeg"]),
        ("/bin/ffmpeg", ["ffmpeg"]),
        ("/usr/bin/ls", ["coreutils"]),
        ("/bin/l", []),
        ("GL.so.1", []),
        ("/usr/share/two words/ffmpeg", ["two", "one-doc"]),
        ("/usr/lib/x86_64-linux-gnu/primus/libGL.so.1", ["primus-libs"]),
        ("libGL.so", []),
    ],
)
def test_a_file_is_found_by_its_path_or_its_name(contents, name, packages):
    assert holders(contents, name)[name] == packages


def test_what_looks_like_a_file_is_told_from_the_name_of_a_package():
    assert all(map(looks_like_a_file, ["libGL.so.1", "libfoo.so", "/usr/bin/ffmpeg", "bin/x"]))
    assert not any(map(looks_like_a_file, ["libgl1", "libso1", "python3.11", "libc.somewhere"]))


@pytest.fixture
def resolver(site, store, tmp_path):
    """A resolver that has three other suites to ask."""
    main = Publication(site, packages=OWN)
    main.publish()
    replace(main, suite="bookworm", packages=OLD).publish()
    suite = debian_archive.suite_of(tmp_path)
    elsewhere = [
        replace(suite, components=("non-free",)),
        replace(suite, suite="bookworm"),
        replace(suite, suite="nowhere"),
    ]
    return DebianResolver(Fetcher(store), store, [suite], "amd64", {"debian": [main.url]}.__getitem__, NOW, elsewhere)


def test_a_package_of_another_suite_is_told_with_its_version(resolver):
    with pytest.raises(UnknownPackageError, match=r"^openjdk-17-jre does not exist in trixie; bookworm has 17\.0\.1$"):
        resolver.resolve([], ["openjdk-17-jre=17.0.1"])


def test_a_package_that_only_stood_for_others_is_told_with_those(resolver):
    with pytest.raises(UnknownPackageError, match="where it only stands for libgl1 and libglx-mesa0") as caught:
        resolver.resolve([], ["libgl1-mesa-glx"])

    assert caught.value.hint == "name libgl1 and libglx-mesa0 in its place"
    assert "libgl1" in caught.value.near


def add_to_suite(site, page, files):
    """List more files in a suite's InRelease: it is signed again."""
    publication = Publication(site, packages=OWN)
    text = publication.text()
    for path, data in files.items():
        text += f" {sha256(data).removeprefix('sha256:')} {len(data)} {path}\n"
        site.pages[f"{page}/{path}"] = data
    publication.text = lambda: text
    site.pages[f"{page}/InRelease"] = publication.signed()


def test_a_package_of_another_component_is_told_with_what_to_write(resolver, site):
    packages = gzip.compress(paragraph("unrar").encode())
    add_to_suite(site, "/debian/dists/trixie", {"non-free/binary-amd64/Packages.gz": packages})

    with pytest.raises(UnknownPackageError, match="it is in non-free, which trixie is not read with") as caught:
        resolver.resolve([], ["unrar"])

    assert caught.value.hint == "add it to build.apt: {name: debian, suite: trixie, components: [non-free]}"


def test_a_file_is_told_with_the_package_that_has_it(resolver, site, contents):
    add_to_suite(site, "/debian/dists/trixie", {"main/Contents-amd64.gz": contents.read_bytes()})

    with pytest.raises(FileNameError, match=r"^libGL.so.1 is a file, not a package of trixie; it is in libgl1$"):
        resolver.resolve([], ["libGL.so.1"])
    with pytest.raises(FileNameError, match=r"a package of trixie$"):
        resolver.resolve([], ["/bin/ls"])


def test_what_is_for_every_architecture_has_a_list_of_its_own(resolver, site):
    everywhere = gzip.compress(b"usr/bin/pip3    python/ffmpeg\n")
    add_to_suite(
        site,
        "/debian/dists/trixie",
        {"main/Contents-amd64.gz": b"not gzip", "main/Contents-all.gz": everywhere},
    )

    with pytest.raises(FileNameError, match=r"^/usr/bin/pip3 is a file, not a package of trixie; it is in ffmpeg$"):
        resolver.resolve([], ["/usr/bin/pip3"])


@pytest.mark.parametrize(
    ("name", "near"),
    [("libglib-2.0.so.0", "libglib2.0-0t64"), ("libGL.so.1", "libgl1"), ("/opt/bin/ffmpeg", "ffmpeg")],
)
def test_without_a_list_of_files_the_name_is_guessed(resolver, name, near):
    with pytest.raises(FileNameError, match=rf"; near: {near}$"):
        resolver.resolve([], [name])


def test_a_damaged_list_of_files_is_no_error_of_its_own(resolver, site):
    add_to_suite(site, "/debian/dists/trixie", {"main/Contents-amd64.gz": b"not gzip"})

    with pytest.raises(FileNameError, match=r"a package of trixie; near: libgl1$"):
        resolver.resolve([], ["libGL.so.1"])


def test_a_name_that_nobody_knows_is_told_without_guesses(resolver):
    with pytest.raises(UnknownPackageError, match=r"^zzz does not exist in trixie$") as caught:
        resolver.resolve([], ["zzz"])

    assert "check the spelling" in caught.value.hint


def test_others_are_the_components_that_are_left_and_the_other_releases():
    assert [(one.suite, one.components) for one in others("trixie")] == [
        ("trixie", ("contrib",)),
        ("trixie", ("non-free",)),
        ("trixie", ("non-free-firmware",)),
        ("bookworm", ("main",)),
    ]
