"""Accounts, shells, defaults and base-files' directories: what a fresh system has in /etc and around it."""

from __future__ import annotations

import pytest

from cog_oci.layers._effects.shell import heredoc
from cog_oci.layers._effects.tree import Tree
from cog_oci.layers._effects.unknown import UnknownScriptError
from cog_oci.layers._tar import Entry
from tests.layers.deb_builder import deb, entries_of, file, folder, symlink

BASE_FILES = deb(
    "base-files",
    {
        "root": folder(0o700),
        "tmp": folder(0o1777),
        "etc/dpkg/origins/debian": file(b"Vendor: Debian\n"),
        "usr/share/base-files/profile": file(b"umask 022\n"),
        "usr/share/base-files/info.dir": file(b"info"),
        "var/run": folder(),
        "var/lock": folder(0o1777),
        "usr/bin": folder(),
        "bin": symlink("usr/bin"),
    },
    scripts={
        "postinst": """#!/bin/sh
install_directory() {
  if [ ! -d "$DPKG_ROOT/$1" ]; then mkdir "$DPKG_ROOT/$1"; fi
}
  install_from_default profile       /etc/profile
  install_from_default info.dir /usr/share/info/dir
  install_directory mnt       755 root
  install_directory var/mail 2775 mail
  install_directory run/lock 1777 root
  migrate_directory /var/run /run
  migrate_directory /var/lock /run/lock
  install_local_dir /usr/local/bin
  ensure_file_owner_mode /var/log/wtmp root:utmp 664
""",
    },
)
BASE_PASSWD = deb(
    "base-passwd",
    {
        "usr/share/base-passwd/passwd.master": file(b"root:*:0:0:root:/root:/bin/bash\n"),
        "usr/share/base-passwd/group.master": file(b"root:*:0:\nmail:*:8:\nutmp:*:43:\n"),
    },
    scripts={"postinst": '#!/bin/sh\ntouch "$DPKG_ROOT/etc/subuid"\n'},
)


NSSWITCH = """#!/bin/sh
set -e
if [ "$1" = configure ] && [ ! -e /etc/nsswitch.conf ]; then
    cp -p /usr/share/libc-bin/nsswitch.conf /etc/nsswitch.conf
fi
"""


def text(entries: dict[str, Entry], path: str) -> str:
    return bytes(entries[path].content.data).decode()


def test_base_files_sets_up_what_its_own_script_says(store):
    found = entries_of(store, BASE_FILES, BASE_PASSWD)

    assert text(found, "etc/profile") == "umask 022\n"
    assert "usr/share/info/dir" not in found, "left out, as all of info"
    assert (found["var/mail"].mode, found["var/mail"].gid) == (0o2775, 8)
    assert (found["var/log/wtmp"].mode, found["var/log/wtmp"].gid, found["var/log/wtmp"].size) == (0o664, 43, 0)
    assert {path: found[path].mode for path in ("root", "tmp", "run/lock", "mnt", "usr/local/bin")} == {
        "root": 0o700,
        "tmp": 0o1777,
        "run/lock": 0o1777,
        "mnt": 0o755,
        "usr/local/bin": 0o755,
    }
    assert {path: found[path].target for path in found if found[path].kind == "symlink"} == {
        "bin": "usr/bin",
        "etc/dpkg/origins/default": "debian",
        "usr/local/man": "share/man",
        "var/lock": "/run/lock",
        "var/run": "/run",
        "var/spool/mail": "../mail",
    }


def test_what_a_package_has_under_var_run_is_under_run(store):
    found = entries_of(store, BASE_FILES, BASE_PASSWD, deb("a", {"var/run/a": folder(), "var/lock/b": folder()}))

    assert found["run/a"].kind == found["run/lock/b"].kind == "directory"
    assert not [path for path in found if path.startswith(("var/run/", "var/lock/"))]


def test_a_system_layer_repeats_nothing_of_the_base_but_the_directories_above_its_files(store):
    found = entries_of(store, deb("a", {"root/x": file(b"x"), "tmp/x": file(b"x")}), below=(BASE_FILES, BASE_PASSWD))

    assert {path for path in found if not path.startswith("var")} == {"root", "root/x", "tmp", "tmp/x"}
    assert (found["root"].mode, found["tmp"].mode) == (0o700, 0o1777)


def test_accounts_are_base_passwd_s(store):
    found = entries_of(store, BASE_PASSWD)

    assert text(found, "etc/passwd") == "root:*:0:0:root:/root:/bin/bash\n"
    assert text(found, "etc/group").startswith("root:*:0:\n")
    assert "etc/subuid" in found
    assert "etc/subgid" not in found


def test_shells_are_listed_by_both_paths(store):
    found = entries_of(
        store,
        deb(
            "debianutils",
            {
                "bin": symlink("usr/bin"),
                "usr/bin/sh": symlink("dash"),
                "usr/share/debianutils/shells": file(b"# shells\n/bin/sh\n"),
                "usr/share/debianutils/shells.d/bash": file(b"/bin/bash # GNU's\n/usr/bin/bash\n"),
            },
        ),
    )

    assert text(found, "etc/shells") == "# shells\n/bin/sh\n/usr/bin/sh\n/bin/bash \n/usr/bin/bash \n/usr/bin/bash\n"
    assert text(found, "var/lib/shells.state").split("\n")[:2] == ["/bin/sh", "/usr/bin/sh"]


def test_the_time_zone_is_utc(store):
    found = entries_of(store, deb("tzdata", {"usr/share/zoneinfo/Etc/UTC": file(b"TZif")}))

    assert found["etc/localtime"].target == "/usr/share/zoneinfo/Etc/UTC"
    assert text(found, "etc/timezone") == "Etc/UTC\n"


def test_a_file_that_a_package_brings_is_not_replaced_by_a_default(store):
    own = deb("site-policy", {"etc/nsswitch.conf": file(b"ours\n")})

    files = {"usr/share/libc-bin/nsswitch.conf": file(b"theirs\n")}
    found = entries_of(store, own, deb("libc-bin", files, scripts={"postinst": NSSWITCH}))

    assert text(found, "etc/nsswitch.conf") == "ours\n"


def test_a_default_that_its_package_no_longer_brings_is_an_error(store):
    with pytest.raises(UnknownScriptError, match=r"cp -p /usr/share/libc-bin/nsswitch\.conf.* \(which fails\)"):
        entries_of(store, deb("libc-bin", {"etc": folder()}, scripts={"postinst": NSSWITCH}))


def test_what_netbase_writes_is_read_from_its_script(store):
    script = "create() {\n  cat > /etc/hosts <<-EOF\n\t127.0.0.1\tlocalhost\n\n\tEOF\n}\ncreate\n"

    found = entries_of(store, deb("netbase", {"etc": folder()}, scripts={"postinst": script}))

    assert text(found, "etc/hosts") == "127.0.0.1\tlocalhost\n\n"
    assert "etc/networks" not in found


@pytest.mark.parametrize(
    ("version", "chosen"),
    [
        (["70-no-bitmaps.conf"], "70-no-bitmaps.conf"),
        (["70-no-bitmaps.conf", "70-no-bitmaps-except-emoji.conf"], "70-no-bitmaps-except-emoji.conf"),
    ],
)
def test_fontconfig_gets_the_answers_that_its_questions_default_to(store, version, chosen):
    files = {f"usr/share/fontconfig/conf.avail/{name}": file(b"x") for name in ["10-hinting-slight.conf", *version]}

    found = entries_of(store, deb("fontconfig-config", files))

    links = {path.rpartition("/")[2] for path in found if path.startswith("etc/fonts/conf.d/")}
    assert links == {"10-hinting-slight.conf", chosen}


def test_a_text_with_variables_is_not_literal():
    assert heredoc("cat > /etc/x <<EOF\n$HOME\nEOF\n", "/etc/x") is None
    assert heredoc("cat > /etc/y <<EOF\nx\nEOF\n", "/etc/x") is None
    assert heredoc('cat > /etc/x <<"END"\nx\nEND\n', "/etc/x") == b"x\n"


def test_links_are_followed_inside_the_root():
    tree = Tree(
        {
            entry.path: entry
            for entry in (
                Entry.symlink("bin", "usr/bin"),
                Entry.symlink("usr/bin/awk", "/etc/alternatives/awk"),
                Entry.symlink("etc/alternatives/awk", "/bin/../bin/mawk"),
                Entry.file("usr/bin/mawk", b"m"),
                Entry.symlink("loop", "loop"),
                Entry.symlink("up", "../../usr"),
                Entry.symlink("broken", "nowhere"),
            )
        }
    )

    assert tree.resolve("bin/awk") == "usr/bin/mawk"
    assert tree.read("/bin/awk") == b"m"
    assert tree.resolve("up/bin/mawk") == "usr/bin/mawk"
    assert tree.children("bin") == ["awk", "mawk"]
    assert [path for path in ("loop", "broken", "usr/bin/mawk/x", "absent") if path in tree] == []
