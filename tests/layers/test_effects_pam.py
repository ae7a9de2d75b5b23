"""PAM's common files are byte by byte those that pam-auth-update makes of the same profiles."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers._effects import effects_above
from cog_oci.layers._effects.pam import pam_files
from cog_oci.layers._effects.unknown import UnknownScriptError
from cog_oci.layers._tar import Entry
from tests.conftest import need
from tests.layers.deb_builder import deb, entries_of, file

KINDS = ("auth", "account", "password", "session", "session-noninteractive")
TEMPLATE = """# ours
# here are the per-package modules (the "Primary" block)
{0}
# here's the fallback if no module succeeds
{1}\trequisite\tpam_deny.so
# and here are more per-package modules (the "Additional" block)
# end of pam-auth-update config
# below
"""
TEMPLATES = {kind: TEMPLATE.format("$primary", kind.partition("-")[0]).encode() for kind in KINDS}
UNIX = b"""Name: Unix
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\tpam_unix.so  try_first_pass
Auth-Initial:
\t[success=end default=ignore]\tpam_unix.so
Session-Type: Additional
Session:
\trequired\tpam_unix.so
"""
OTHER = b"""Name: Other
Default: yes
Priority: 512
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\tpam_other.so
\t[success=1 default=ignore]\tpam_more.so debug
"""


def runtime(**profiles: bytes) -> bytes:
    files = {f"usr/share/pam-configs/{name}": file(data) for name, data in profiles.items()}
    files |= {f"usr/share/pam/common-{kind}": file(template) for kind, template in TEMPLATES.items()}
    return deb("libpam-runtime", files, version="1.7.0-5")


def rows(data: bytes) -> list[str]:
    return [row for row in data.decode().splitlines() if not row.startswith("#")]


def test_a_module_that_knows_a_person_jumps_over_those_after_it(store):
    other = deb("other", {"usr/share/pam-configs/other": file(OTHER)})

    found = entries_of(store, runtime(unix=UNIX), other)

    assert rows(bytes(found["etc/pam.d/common-auth"].content.data)) == [
        "auth\t[success=3 default=ignore]\tpam_other.so ",
        "auth\t[success=1 default=ignore]\tpam_more.so debug",
        "auth\t[success=1 default=ignore]\tpam_unix.so try_first_pass",
        "auth\trequisite\tpam_deny.so",
    ]
    assert bytes(found["var/lib/pam/seen"].content.data) == b"other\nunix\n"


def test_without_a_profile_for_a_type_its_stack_lets_everyone_through():
    found = pam_files({"unix": UNIX}, TEMPLATES, "1.7.0-5")

    assert rows(found["etc/pam.d/common-session"]) == [
        "session\t[default=1]\t\t\tpam_permit.so",
        "session\trequisite\tpam_deny.so",
        "session\trequired\tpam_unix.so ",
    ]
    assert found["var/lib/pam/session"].startswith(b"Module: null\n")


@pytest.mark.parametrize(("version", "counts"), [("1.5.2-6+deb12u2", False), ("1:1.5.2-6", False), ("1.7.0-5", True)])
def test_only_the_word_yes_makes_a_profile_interactive_from_1_7_on(version, counts):
    found = pam_files({"unix": UNIX + b"Session-Interactive-Only: no\n"}, TEMPLATES, version)

    assert (b"pam_unix" in found["etc/pam.d/common-session-noninteractive"]) == counts


def test_a_profile_rules_out_those_of_less_priority():
    found = pam_files({"unix": UNIX, "other": OTHER + b"Conflicts: x, unix\n"}, TEMPLATES, "1.7.0-5")

    assert b"pam_unix" not in found["etc/pam.d/common-auth"]
    assert found["var/lib/pam/seen"] == b"other\nunix\n"


@pytest.mark.parametrize(("left", "written"), [(KINDS[2:], set()), (KINDS, {"auth", "account"})])
def test_a_template_without_places_ends_it(left, written):
    templates = {kind: TEMPLATES[kind] for kind in left} | ({"password": b"none"} if written else {})

    found = pam_files({"unix": UNIX}, templates, "1.7.0-5")

    assert {path.partition("common-")[2] for path in found if path.startswith("etc/")} == written
    assert "var/lib/pam/seen" in found


@pytest.mark.parametrize("changed", [False, True])
def test_files_on_a_base_image_get_new_profiles_unless_someone_changed_them(changed):
    before = pam_files({"unix": UNIX}, TEMPLATES, "1.7.0-5")
    if changed:
        before["etc/pam.d/common-auth"] += b"auth required pam_own.so\n"
    files = {**before, "usr/share/pam-configs/unix": UNIX, "usr/share/pam-configs/other": OTHER}
    files |= {f"usr/share/pam/common-{kind}": template for kind, template in TEMPLATES.items()}
    package = type("P", (), {"name": "libpam-runtime", "fields": {"Version": "1.7.0-5", "Architecture": "all"}})()
    package.script = lambda _: ""

    found = effects_above(
        {path: Entry.file(path, data) for path, data in files.items()}, [], {"libpam-runtime": package}
    )

    assert ("etc/pam.d/common-auth" in found) != changed
    assert changed or b"pam_other.so" in bytes(found["etc/pam.d/common-auth"].content.data)


@pytest.mark.parametrize("words", ["--package --enable mkhomedir", "--package --remove unix", "--disable x"])
def test_a_script_that_asks_for_other_profiles_than_usual_is_refused(store, words):
    script = f"#!/bin/sh\npam-auth-update {words}\n"

    with pytest.raises(UnknownScriptError, match="pam-auth-update"):
        entries_of(store, deb("asks", scripts={"postinst": script}))


def test_a_script_that_asks_for_the_usual_profiles_is_not(store):
    entries_of(
        store, deb("asks", scripts={"postinst": '#!/bin/sh\npam-auth-update --root "$DPKG_ROOT" --package own\n'})
    )


CONTROL = st.sampled_from(
    ["required", "[success=end default=ignore]", "[success=end x=2 default=end]", "optional", "[]", "*"]
)
MODULE = st.sampled_from(["pam_a.so", "pam_send.so", "pam_b.so  x=1 y", "pam_c.so [a b]\t z ", "", "# no", "0"])
LINE = st.builds(
    lambda indent, control, module: f"{indent}{control}\t{module}", st.sampled_from(["\t", " "]), CONTROL, MODULE
)
LINES = st.lists(
    st.one_of(LINE, LINE, LINE, st.sampled_from(["", "\t0", "  ", "# a: b", "\tpam_tally.so"])), max_size=3
)


@st.composite
def profile(draw, names, *, default: str = "") -> bytes:
    fields = [
        f"Name: {draw(st.sampled_from(['A', 'B b', '']))}",
        f"Default: {default or draw(st.sampled_from(['yes', 'no', 'yes ']))}",
    ]
    fields.append(f"Priority: {draw(st.sampled_from(['0', '128', '-1', '1e3', '7x', 'high', '2.5']))}")
    if rivals := draw(st.lists(st.sampled_from(names), max_size=2)):
        fields.append(f"Conflicts: {', '.join(rivals)}")
    for kind in ("Auth", "Account", "Password", "Session"):
        if draw(st.booleans()):
            position = draw(
                st.sampled_from(["Primary", "Additional", "Primary", "Additional", "Final", "Primary ", "0"])
            )
            fields.append(f"{kind}-Type: {position}")
            for suffix in draw(
                st.lists(st.sampled_from(["", "-Initial", "-Final"]), min_size=1, max_size=2, unique=True)
            ):
                first = draw(st.sampled_from(["", "", "", " ", " required pam_inline.so"]))
                fields.append("\n".join([f"{kind}{suffix}:{first}", *draw(LINES)]))
    if (only := draw(st.sampled_from([None, None, "yes", "no"]))) is not None:
        fields.append(f"Session-Interactive-Only: {only}")
    return ("\n".join(draw(st.permutations(fields))) + draw(st.sampled_from(["\n", "", "\n\n"]))).encode()


NAMES = ["a", "b", "unix", "z~", "#z#", "B"]


@st.composite
def profiles(draw) -> dict[str, bytes]:
    """Some profiles, of which one is on by default: with none the program asks for ever."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    found = {name: draw(profile([one for one in NAMES if one != name])) for name in names}
    return {**found, "own": draw(profile(NAMES, default="yes").filter(lambda data: b"pam_tally" not in data))}


def pam_auth_update(profiles: dict[str, bytes]) -> dict[str, bytes]:
    """What the program makes of profiles, with the templates of this machine and a debconf of its own."""
    root = Path(tempfile.mkdtemp())
    try:
        for folder in ("etc/pam.d", "var/lib/pam", "usr/share/pam-configs"):
            (root / folder).mkdir(parents=True)
        for name, data in profiles.items():
            (root / "usr/share/pam-configs" / name).write_bytes(data)
        database = "".join(
            f"Name: {name}\nDriver: File\nMode: 600\nFilename: {root}/{name}.dat\n\n"
            for name in ("config", "templates")
        )
        (root / "debconf.conf").write_text(f"Config: config\nTemplates: templates\n\n{database}")
        env = {**os.environ, "DEBCONF_SYSTEMRC": str(root / "debconf.conf"), "DEBIAN_FRONTEND": "noninteractive"}
        words = ["pam-auth-update", "--root", root, "--package", "--force"]
        subprocess.run(words, env=env, check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        made = [path for folder in ("etc/pam.d", "var/lib/pam") for path in (root / folder).iterdir()]
        return {str(path.relative_to(root)): path.read_bytes() for path in made}
    finally:
        shutil.rmtree(root)


def ours(profiles: dict[str, bytes]) -> dict[str, bytes]:
    """The same, of the version on this machine."""
    templates = {kind: Path(f"/usr/share/pam/common-{kind}").read_bytes() for kind in KINDS}
    words = ["dpkg-query", "-W", "-f", "${Version}", "libpam-runtime"]
    version = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return pam_files(profiles, templates, version)


@pytest.mark.oracle
@pytest.mark.root
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(profiles())
def test_pam_auth_update_writes_the_same(drawn):
    need("pam-auth-update", "dpkg-query")
    if os.geteuid():
        pytest.skip("debconf needs to be root")

    assert ours(drawn) == pam_auth_update(drawn)


@pytest.mark.oracle
@pytest.mark.root
def test_the_profiles_of_this_machine_are_written_the_same():
    need("pam-auth-update", "dpkg-query")
    if os.geteuid():
        pytest.skip("debconf needs to be root")
    found = {path.name: path.read_bytes() for path in Path("/usr/share/pam-configs").iterdir()}

    assert ours(found) == pam_auth_update(found)
    assert len(ours(found)) == 11


def test_a_profile_of_many_lines_is_put_together_once():
    profile = b"Default: yes\nAuth-Type: Primary\nAuth:\n" + b" a\n" * 100_000
    began = time.process_time()

    assert pam_files({"a": profile}, {}, "1.5.2-6") == {"var/lib/pam/seen": b"a\n"}
    assert time.process_time() - began < 2
