"""build.system_packages and build.apt: what is accepted, what decides a lock, and how a mistake is told."""

from __future__ import annotations

import pytest

from cog_oci.apt import AptArchive, fingerprint_of
from cog_oci.config import Project
from cog_oci.errors import CogError, SourceError
from cog_oci.memory import Memory

FINGERPRINT = "eb693b3035cd5710e231e123a4b469963bf863cc"
APT = """\
build:
  system_packages:
    - libgl1
    - jq=1.7
    - {name: git, recommends: true}
    - {name: curl, version: 8.10}
  apt:
    - name: nvidia
      url: https://repos.example.com/cuda/
      suite: /
      key: keys/nvidia.asc
      priority: 600
"""


def project(folder, text=APT):
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "nvidia.asc").write_text("a key")
    (folder / "cog.yaml").write_text(text)
    return Project.find(folder)


def test_packages_are_text_however_they_are_written(tmp_path):
    build = project(tmp_path).config.build

    assert build.system_packages == ("libgl1", "jq=1.7", "git", "curl=8.10")
    assert build.recommending == ("git",)


def test_an_archive_is_what_is_written(tmp_path):
    memory = Memory(tmp_path / "memory")
    expected = AptArchive(
        name="nvidia", url="https://repos.example.com/cuda/", suite="/", key="keys/nvidia.asc", priority=600
    )

    assert project(tmp_path).config.build.apt == (expected,)
    for _ in range(2):
        assert Project.find(tmp_path, memory=memory).config == Project.find(tmp_path).config


def test_the_image_says_which_packages_and_not_where_archives_are(tmp_path):
    said = project(tmp_path).config.said["build"]

    assert said == {
        "system_packages": ["libgl1", "jq=1.7", {"name": "git", "recommends": True}, "curl=8.10"],
    }
    only = project(tmp_path, APT[: APT.index("  system")] + APT[APT.index("  apt") :])
    assert "build" not in only.config.said


def test_an_address_is_where_cog_yaml_or_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv("COG_APT_NVIDIA", raising=False)
    archives = project(tmp_path).archives()

    assert archives.address("nvidia") == "https://repos.example.com/cuda"
    monkeypatch.setenv("COG_APT_NVIDIA", "http://mirror/cuda/")
    assert archives.address("nvidia") == "http://mirror/cuda"


def test_the_lock_depends_on_everything_of_an_archive_but_its_address(tmp_path):
    inputs = project(tmp_path).lock_inputs()

    assert project(tmp_path, APT.replace("repos.example.com", "mirror.example.com")).lock_inputs() == inputs
    for old, new in (("priority: 600", "priority: 500"), ("suite: /", "suite: sub/"), ("name: nvidia", "name: other")):
        changed = project(tmp_path, APT.replace(old, new)).lock_inputs()
        assert {name for name in inputs if changed.get(name) != inputs[name]} == {"build.apt"}
    changed = project(tmp_path, APT.replace("recommends: true", "recommends: false")).lock_inputs()
    assert inputs.keys() - changed.keys() == {"build.system_packages with recommends"}


def test_the_lock_depends_on_the_file_of_a_key(tmp_path):
    found = project(tmp_path)
    inputs = found.lock_inputs()

    (tmp_path / "keys" / "nvidia.asc").write_text("another")

    changed = found.lock_inputs()
    assert {name for name in inputs if changed[name] != inputs[name]} == {"keys/nvidia.asc"}


def test_a_key_that_is_not_there_points_at_its_line(tmp_path):
    found = project(tmp_path, APT.replace("keys/nvidia.asc", "keys/none.asc"))

    with pytest.raises(SourceError, match=r"^cog.yaml:11:12: build.apt.0.key: keys/none.asc does not exist in"):
        found.lock_inputs()


def test_a_project_without_archives_has_the_inputs_it_always_had(tmp_path):
    plain = project(tmp_path, "build: {system_packages: [libgl1]}\n")

    assert set(plain.lock_inputs()) == {"build.python_version", "build.system_packages"}


def apt(**changes):
    values = {"name": "a", "url": "http://a/x", "suite": "./", "key": "k.asc", **changes}
    return "build:\n  apt:\n  - {" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (apt(name="debian"), "build.apt.0: debian is Debian's own archive, whose address and keys are known"),
        (apt(name="A_b"), "build.apt.0.name: 'A_b' cannot be the name of an archive: use small letters"),
        (apt(url="http://me:secret@a/x"), "build.apt.0.url: a login does not belong here; use netrc"),
        (apt(url="file:/x"), "build.apt.0.url: must be an address such as https://packages.example.com/debian"),
        (apt(components="[main]"), "build.apt.0: the suite ./ is a folder, which has no components; leave them out"),
        (apt(suite="stable"), "build.apt.0: components are missing, such as [main]"),
        (apt(suite="../x/"), "build.apt.0.suite: '../x/' is not a suite; write its name, or a folder"),
        (apt(key="http://a/key"), "build.apt.0: a key that is fetched needs its fingerprint"),
        (apt(fingerprint="abc"), "build.apt.0.fingerprint: 'abc' is not the fingerprint of a key: 40 hexadecimal"),
        (apt(priority=0), "build.apt.0.priority: Input should be greater than or equal to 1"),
        (apt(prioritty=1), "build.apt.0.prioritty: unknown key, did you mean priority?"),
        ("build: {apt: [{name: a}]}\n", "build.apt.0.suite: Field required"),
        ("build: {apt: [{name: a, suite: ./, url: http://a}]}\n", "build.apt.0: key is missing: where it is, and the"),
        ("build: {apt: [{name: a, suite: ./, key: k}]}\n", "build.apt.0: url is missing: where it is, and the key"),
        (apt() + apt()[14:].replace("/x", "/y"), "build.apt: a has two addresses; two archives need two names"),
        (apt() + apt(suite="/")[14:] * 2, "build.apt: a / is there twice; it may have several components"),
        ("build: {system_packages: [3]}\n", "build.system_packages.0: must be a name, or a mapping of name, version"),
        ("build: {system_packages: [{name: l gl}]}\n", "build.system_packages.0.name: 'l gl' is not the name of a"),
        ("build: {system_packages: [{name: a1, version: =2}]}\n", "0.version: '=2' is not the version of a Debian"),
        ("build: {system_packages: [{nam: a1}]}\n", "system_packages.0.nam: unknown key, did you mean name?"),
    ],
)
def test_a_mistake_is_told_with_what_to_write(tmp_path, text, message):
    with pytest.raises(CogError) as caught:
        project(tmp_path, text)

    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_suites_of_one_archive_and_the_names_of_files_are_accepted(tmp_path):
    two = apt() + apt(suite="stable", components="[main]")[14:]

    assert [one.suite for one in project(tmp_path, two).config.build.apt] == ["./", "stable"]
    files = "build: {system_packages: [libGL.so.1, /usr/bin/ffmpeg]}\n"
    assert project(tmp_path, files).config.build.system_packages == ("libGL.so.1", "/usr/bin/ffmpeg")


@pytest.mark.parametrize(
    "text", [FINGERPRINT, FINGERPRINT.upper(), "0x" + FINGERPRINT, " ".join(FINGERPRINT), FINGERPRINT + 24 * "0"]
)
def test_a_fingerprint_is_read_as_people_write_it(text):
    assert fingerprint_of(text) == "".join(text.lower().removeprefix("0x").split())


@pytest.mark.parametrize("text", ["", FINGERPRINT[1:], "3bf863cc", "g" * 40])
def test_what_is_shorter_is_no_fingerprint(text):
    assert fingerprint_of(text) is None
