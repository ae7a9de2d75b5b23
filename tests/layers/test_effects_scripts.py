"""What evaluated scripts leave in a tree: files, owners, users, records of dpkg's tools; and what they may not do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cog_oci.layers._effects.unknown import UnknownScriptError
from tests.layers.deb_builder import deb, entries_of, file, folder, symlink

SYSTEM = deb(
    "base-passwd",
    {
        "usr/share/base-passwd/passwd.master": file(b"root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534::/:/x\n"),
        "usr/share/base-passwd/group.master": file(b"root:*:0:\nshadow:*:42:\nusers:*:100:\nnogroup:*:65534:\n"),
        **{path: folder() for path in ("etc", "home", "srv", "var/lib/dpkg", "var/lib/ucf", "usr/bin", "usr/share/a")},
        "usr/share/a/a.conf": file(b"x\n", 0o640),
        "usr/bin/tool": file(b"t", 0o755),
        "usr/lib/sysusers.d/daemon.conf": file(
            b'u daemon - "A daemon" /srv/daemon\ng plain 77 -\n# a comment\nm a b\n'
        ),
    },
)


def made(store, script: str, name: str = "a", **fields: str) -> dict:
    """The entries of a small system and one package with this postinst; without those of the system's own."""
    return entries_of(store, SYSTEM, deb(name, scripts={"postinst": f"#!/bin/sh\nset -e\n{script}"}, **fields))


def text(entry) -> str:
    return bytes(entry.content.data).decode()


@pytest.mark.parametrize(
    ("script", "path", "kind", "mode"),
    [
        ("mkdir /srv/a", "srv/a", "directory", 0o755),
        ("mkdir -p -m 700 /srv/a/b", "srv/a/b", "directory", 0o700),
        ("umask 077; mkdir /srv/a", "srv/a", "directory", 0o700),
        ("umask 077\ntouch /srv/a", "srv/a", "file", 0o600),
        ("install -d -m 2775 /srv/a", "srv/a", "directory", 0o2775),
        ("cp -p /usr/share/a/a.conf /etc/", "etc/a.conf", "file", 0o640),
        ("install -m 644 /usr/share/a/a.conf /etc/b.conf", "etc/b.conf", "file", 0o644),
        ("chmod u+s,go-r /usr/bin/tool", "usr/bin/tool", "file", 0o4711),
        ("chmod 0750 /usr/bin/tool", "usr/bin/tool", "file", 0o750),
        ("echo one > /etc/a; echo two >> /etc/a", "etc/a", "file", 0o644),
        ("ln -s ../usr /srv/a", "srv/a", "symlink", 0o777),
        ("ln -sfr /etc/x /srv/a", "srv/a", "symlink", 0o777),
        ("ln -s ../usr /srv/a; ln -sfn ../usr /srv/a", "srv/a", "symlink", 0o777),
        ("ln -s /home /srv/b; ln -sf ../usr /srv/b", "home/usr", "symlink", 0o777),
        ("mkdir /srv/c; ln -sn ../usr /srv/c", "srv/c/usr", "symlink", 0o777),
    ],
)
def test_files_are_made_as_the_commands_make_them(store, script, path, kind, mode):
    entry = made(store, script)[path]

    assert (entry.kind, oct(entry.mode)) == (kind, oct(mode))
    assert entry.target in {"", "../usr", "../etc/x"}
    assert entry.content is None or bytes(entry.content.data) in {b"", b"x\n", b"t", b"one\ntwo\n"}


def test_nothing_is_at_an_empty_path(store):
    found = made(store, 'for kind in e d x; do [ -$kind "$(which none)" ] && touch /a || touch /b; done')

    assert "b" in found
    assert "a" not in found


def test_users_of_adduser_have_the_lowest_free_numbers(store):
    script = "adduser --system --quiet --group --home /srv/a --gecos 'A user' a\nadduser --system b\nadduser b users\n"

    found = made(store, script)

    assert text(found["etc/passwd"]).splitlines()[2:] == [
        "a:x:100:101:A user:/srv/a:/usr/sbin/nologin",
        "b:x:101:65534::/nonexistent:/usr/sbin/nologin",
    ]
    assert text(found["etc/group"]).splitlines()[2:] == ["users:*:100:b", "nogroup:*:65534:", "a:x:101:"]
    assert (found["srv/a"].uid, found["srv/a"].gid) == (100, 101)


def test_users_of_sysusers_have_the_highest_free_numbers(store):
    snippet = "# Automatically added by dh_installsysusers/13\nsystemd-sysusers ${DPKG_ROOT:+--root=x} daemon.conf\n"

    found = made(store, f"shadowconfig on\n{snippet}# End automatically added section\n")

    assert "daemon:x:999:999:A daemon:/srv/daemon:/usr/sbin/nologin" in text(found["etc/passwd"])
    assert {"daemon:x:999:", "plain:x:77:"} <= set(text(found["etc/group"]).splitlines())
    assert "daemon:!*:0::::::" in text(found["etc/shadow"])
    assert (found["etc/shadow"].mode, found["etc/shadow"].gid) == (0o640, 42)
    assert text(found["etc/gshadow"]).splitlines()[-1] == "plain:!*::"


def test_a_user_that_is_there_stays_as_it_is(store):
    found = made(store, "getent passwd nobody || adduser --system nobody\nid -u nobody\nadduser --system nobody\n")

    assert text(found["etc/passwd"]).count("nobody") == 1


def test_owners_that_are_asked_for_are_recorded(store):
    script = """
    addgroup --system --force-badname _a
    if ! dpkg-statoverride --list /usr/bin/tool >/dev/null; then
        dpkg-statoverride --update --add root _a 2755 /usr/bin/tool
    fi
    dpkg-statoverride --list /usr/bin/tool || touch /etc/never
    """

    found = made(store, script)

    assert (found["usr/bin/tool"].gid, found["usr/bin/tool"].mode) == (101, 0o2755)
    assert text(found["var/lib/dpkg/statoverride"]) == "root _a 2755 /usr/bin/tool\n"
    assert "etc/never" not in found


def test_a_temporary_file_of_a_script_is_gone_when_it_removes_it(store):
    found = made(store, "echo a4 > /etc/new\nucf /etc/new /etc/papersize\nucfr a /etc/papersize\nrm -f /etc/new\n")

    assert "etc/new" not in found
    assert text(found["etc/papersize"]) == "a4\n"
    assert text(found["var/lib/ucf/hashfile"]) == "2f1ad364c25bfd8dcee21c2d6ea97a3a  /etc/papersize\n"
    assert text(found["var/lib/ucf/registry"]) == "a\t/etc/papersize\n"


def test_a_question_has_its_default_for_an_answer(store):
    templates = "Template: a/colour\nType: string\nDefault: red\nDescription: x\n\nTemplate: a/none\nType: string\n"
    script = ". /usr/share/debconf/confmodule\ndb_version 2.0\ndb_get a/colour\necho $RET > /etc/a\n"
    asking = deb("a", scripts={"postinst": f"#!/bin/sh -e\n{script}", "templates": templates})

    assert text(entries_of(store, SYSTEM, asking)["etc/a"]) == "red\n"


def test_an_answer_that_a_package_works_out_is_not_known(store):
    script = ". /usr/share/debconf/confmodule\ndb_get a/b\necho $RET > /etc/a\n"
    asking = deb("a", scripts={"postinst": script, "config": "db_set a/b $(hostname)\n"})

    with pytest.raises(UnknownScriptError, match=r"`db_get a/b`|RET"):
        entries_of(store, SYSTEM, asking)


def test_a_package_is_configured_after_those_that_it_depends_on(store):
    makes = deb("z", scripts={"postinst": "#!/bin/sh -e\nmkdir /srv/z\n"}, Provides="virtual-z (= 1)")
    uses = deb("a", scripts={"postinst": "#!/bin/sh -e\ntouch /srv/z/a\n"}, Depends="c | virtual-z, tool:any (>= 1)")

    assert "srv/z/a" in entries_of(store, SYSTEM, makes, uses)


def test_what_another_package_has_is_asked_for(store):
    script = """
    command -v tool >/dev/null && echo "$(which tool)" > /etc/a
    if [ -x /usr/bin/tool ] && [ -d /srv -a ! -e /srv/x -o -L /none ] && [ -s /usr/bin/tool ]; then touch /etc/b; fi
    for i in /usr/share/a/*.conf /none/*; do echo $i >> /etc/c; done
    dpkg-query -W -f '${Version}' gone || echo "$(dpkg --print-architecture)" > /etc/d
    """

    found = made(store, script)

    assert text(found["etc/a"]) == "/usr/bin/tool\n"
    assert "etc/b" in found
    assert text(found["etc/c"]) == "/usr/share/a/a.conf\n/none/*\n"
    assert text(found["etc/d"]) == "amd64\n"


def test_an_alternative_that_is_taken_back_is_not_there(store):
    script = """
    update-alternatives --install /usr/bin/x x /usr/bin/tool 5
    update-alternatives --install /usr/bin/y y /usr/bin/tool 5
    update-alternatives --install /usr/bin/y y /usr/share/a/a.conf 50
    update-alternatives --remove-all x
    update-alternatives --remove y /usr/share/a/a.conf
    """

    found = made(store, script)

    assert "usr/bin/x" not in found
    assert found["etc/alternatives/y"].target == "/usr/bin/tool"


def test_what_dpkg_keeps_has_a_folder_without_dpkg(store):
    bare = deb("bare", {"usr/bin/tool": file(b"t")})
    script = "#!/bin/sh -e\ndpkg-statoverride --add 0 0 755 /none\ndpkg-divert --no-rename --divert /a /b\n"

    found = entries_of(store, bare, deb("a", scripts={"postinst": script}))

    assert text(found["var/lib/dpkg/diversions"]) == "/b\n/a\na\n"
    assert text(found["var/lib/dpkg/statoverride"]) == "0 0 755 /none\n"


def test_a_file_that_the_package_itself_brings_stays_where_it_is_diverted_for_others(store):
    script = "#!/bin/sh -e\ndpkg-divert --package a --add --rename --divert /usr/share/a/x.tiny /usr/share/a/x\n"
    sums = {"md5sums": "9dd4e461268c8034f5c8564e155c67a6  usr/share/a/x\n"}
    members = {"usr/share/a/x": file(b"x")}

    found = entries_of(store, SYSTEM, deb("a", members, scripts={"preinst": script, **sums}))

    assert text(found["var/lib/dpkg/diversions"]) == "/usr/share/a/x\n/usr/share/a/x.tiny\na\n"
    assert "usr/share/a/x" in found
    with pytest.raises(UnknownScriptError, match="dpkg-divert"):
        entries_of(store, SYSTEM, deb("a", scripts={"preinst": script}), deb("b", members, scripts=sums))


@pytest.mark.parametrize(
    ("script", "command"),
    [
        (r"echo 'a\nb' > /etc/x", "echo"),
        ("rm -f /usr/bin/tool", "rm -f /usr/bin/tool"),
        ("mkdir -m u=rwx /srv/a", "mkdir -m u=rwx"),
        ("install -d -m x /srv/a", "install -d -m x"),
        ("dpkg-statoverride --update --add root root rwx /usr/bin/tool", "dpkg-statoverride"),
        ("echo x > /none/x", "> /none/x"),
        ("update-gsfontmap", "update-gsfontmap (which fails)"),
        ("rm -rf /", "rm -rf /"),
        ("mv /usr/bin/tool /usr/bin/other", "mv /usr/bin/tool"),
        ("mkdir /none/a", "(which fails)"),
        ("chown nobody:none /usr/bin/tool", "chown nobody:none"),
        ("chown -R nobody /srv", "chown -R"),
        ("chmod +X /usr/bin/tool", r"chmod +X"),
        ("dpkg-divert --rename --divert /usr/bin/t /usr/bin/tool", "dpkg-divert"),
        ("[ 1 -lt x ]", "[ 1 -lt x ]"),
        ("dpkg-query -W base-passwd | true\nv=$(dpkg-query -W base-passwd)\nx $v\n", "dpkg-query -W base-passwd"),
    ],
)
def test_what_cannot_be_done_to_a_tree_is_refused(store, script, command):
    with pytest.raises(UnknownScriptError) as caught:
        made(store, script)

    assert command in str(caught.value)
    assert caught.value.package == "a"


def test_paths_are_followed_through_links(store):
    merged = deb("merged", {"bin": symlink("usr/bin")})
    script = "#!/bin/sh -e\nln -s /bin/tool /bin/alias\nchmod 700 /bin/alias\n"

    found = entries_of(store, SYSTEM, merged, deb("a", scripts={"postinst": script}))

    assert found["usr/bin/alias"].target == "/bin/tool"
    assert found["usr/bin/tool"].mode == 0o700


def test_what_compiles_files_of_desktops_is_not_loaded_without_them():
    loaded = "import sys, cog_oci.layers._effects; print(*sorted(name for name in sys.modules if '_effects.' in name))"

    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()

    assert "cog_oci.layers._effects.ldcache" in names
    assert not [name for name in names if "._effects.glib" in name or "._effects.mime." in name]
