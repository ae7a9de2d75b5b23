"""dpkg's database: dpkg and scanners see every package, and what belongs to it."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file, folder, lay_out

LIBRARY = deb(
    "liba1",
    {"etc": folder(), "etc/a.conf": file(b"x=1\n"), "usr/share/man/man1/a.1.gz": file(b"m"), "bin/a": file(b"a")},
    scripts={
        "md5sums": "0cc175b9c0f1b6a831c399e269772661  bin/a\n",
        "conffiles": "/etc/a.conf\nremove-on-upgrade /etc/old.conf\n",
        "triggers": "# what it wants to know\ninterest-noawait /usr/share/a\ninterest rebuild-a\nactivate-noawait ldconfig\n",
    },
    Multi_Arch="same",
    Depends="libc6 (>=2.3),\n b|c",
    Homepage="https://example.org",
    Description="short\n long\n .\n more",
)
ADMIN = "var/lib/dpkg"


def text(entries, path: str) -> str:
    return bytes(entries[f"{ADMIN}/{path}"].content.data).decode()


def test_the_status_is_in_dpkg_s_order_and_style(store):
    found = entries_of(store, deb("z"), LIBRARY)

    digest = hashlib.md5(b"x=1\n").hexdigest()
    assert text(found, "status") == (
        "Package: liba1\nStatus: install ok installed\nInstalled-Size: 100\n"
        "Maintainer: Someone <someone@example.org>\nArchitecture: amd64\nMulti-Arch: same\n"
        f"Version: 1.0\nDepends: libc6 (>= 2.3), b | c\nConffiles:\n /etc/a.conf {digest}\n"
        " /etc/old.conf newconffile remove-on-upgrade\n"
        "Description: short\n long\n .\n more\nHomepage: https://example.org\n\n"
        "Package: z\nStatus: install ok installed\nInstalled-Size: 100\n"
        "Maintainer: Someone <someone@example.org>\nArchitecture: amd64\nVersion: 1.0\nDescription: a test\n"
    )


def test_every_file_of_a_package_is_listed_as_it_calls_it(store):
    found = entries_of(store, LIBRARY)

    assert text(found, "info/liba1:amd64.list") == "/.\n/etc\n/etc/a.conf\n/usr/share/man/man1/a.1.gz\n/bin/a\n"
    assert text(found, "info/liba1:amd64.md5sums").endswith("  bin/a\n")
    assert f"{ADMIN}/info/liba1:amd64.control" not in found


def test_checksums_are_made_up_for_a_package_that_brings_none(store):
    conffile = {"conffiles": "/etc/z.conf\n"}

    found = entries_of(store, deb("z", {"etc/z.conf": file(b"z"), "usr/z": file(b"z")}, scripts=conffile))

    assert text(found, "info/z.md5sums") == f"{hashlib.md5(b'z').hexdigest()}  usr/z\n"


def test_interests_in_triggers_are_recorded(store):
    found = entries_of(store, LIBRARY)

    assert text(found, "triggers/File") == "/usr/share/a liba1:amd64/noawait\n"
    assert text(found, "triggers/rebuild-a") == "liba1:amd64\n"
    assert f"{ADMIN}/triggers/ldconfig" not in found


def test_a_system_layer_has_the_whole_status_and_only_its_own_lists(store):
    found = entries_of(store, deb("z"), below=(LIBRARY,))

    assert text(found, "status").count("Package: ") == 2
    assert [path for path in found if path.endswith(".list")] == [f"{ADMIN}/info/z.list"]


@pytest.mark.oracle
def test_dpkg_reads_it(store, tmp_path):
    need("dpkg-query", "dpkg")
    lay_out(entries_of(store, LIBRARY, deb("z", {"usr/share/doc/z/copyright": file(b"MIT")})), tmp_path / "root")
    admin = f"--admindir={tmp_path / 'root' / ADMIN}"

    def query(*arguments: str) -> str:
        done = subprocess.run(["dpkg-query", admin, *arguments], capture_output=True, text=True, check=True)
        assert not done.stderr
        return done.stdout

    assert query("-W", "-f", "${binary:Package} ${Version} ${db:Status-Abbrev}\n") == "liba1:amd64 1.0 ii \nz 1.0 ii \n"
    assert query("-L", "liba1").split() == ["/.", "/etc", "/etc/a.conf", "/usr/share/man/man1/a.1.gz", "/bin/a"]
    assert query("-S", "/usr/share/doc/z/copyright") == "z: /usr/share/doc/z/copyright\n"
    audit = subprocess.run(["dpkg", admin, "--audit"], capture_output=True, text=True, check=False)
    assert (audit.returncode, audit.stdout) == (0, "")
