"""Exports: what other tools read from them is what the lock holds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import replace
from datetime import datetime

import pytest
from packaging.pylock import Pylock
from packaging.requirements import Requirement

from cog_oci.exports import FORMATS, Subject
from cog_oci.exports.cyclonedx import attachment
from cog_oci.lock import Lock, RecordedLayer, Rendering, Source
from cog_oci.oci import Descriptor, MediaType, Platform, sha256
from cog_oci.origins import uv
from tests.conftest import keep_wheel, make_wheel, need
from tests.test_difference import AMD, deb, lock

AMD64 = Platform("linux", "amd64")


@pytest.fixture
def subject(store, tmp_path) -> Subject:
    """A model with two wheels and two debs, one of which has its licence in the other."""
    app = replace(keep_wheel(store, make_wheel(tmp_path, "app", {"app.py": b""})), needed_by=("cog.yaml",))
    lib = replace(keep_wheel(store, make_wheel(tmp_path, "lib", {"lib.py": b"x = 1\n"})), needed_by=("app",))
    need("dpkg-deb")
    debs = (
        replace(make_deb(store, tmp_path, "base-lib", "License: GPL-2+\nLicense: MIT\n"), needed_by=("tool",)),
        replace(make_deb(store, tmp_path, "tool", None, link="base-lib"), needed_by=("base",)),
    )
    parts = replace(lock(app, lib, server=(lib,)).platforms[AMD], debs=debs)
    return Subject(
        name="cog-model",
        as_of="2026-01-01T00:00:00Z",
        platform=AMD64,
        parts=parts,
        store=store,
        locate=lambda one: [f"https://me:secret@index.example/files/{one.file}"],
        bring=lambda _: None,
    )


def make_deb(store, folder, name: str, copyright_: str | None, link: str = ""):
    """A deb that dpkg-deb makes, in the store."""
    root = folder / f"root-{name}"
    doc = root / "usr/share/doc"
    doc.mkdir(parents=True)
    if link:
        (doc / name).symlink_to(link)
    else:
        (doc / name).mkdir()
        (doc / name / "copyright").write_text(copyright_ or "")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1.0+x\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDescription: x\n"
    )
    path = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, path], check=True, capture_output=True)
    data = path.read_bytes()
    digest = store.add(data)
    return replace(deb(name, "1.0+x"), sha256=digest.removeprefix("sha256:"), size=len(data))


def test_a_deb_of_another_archive_is_not_said_to_be_debians(subject):
    debs = tuple(replace(one, archive="vendor") for one in subject.parts.debs if one.name == "tool")
    bom = json.loads(FORMATS["cyclonedx"](replace(subject, parts=replace(subject.parts, debs=debs))))

    purls = {one["name"]: one["purl"] for one in bom["components"]}
    assert purls["tool"] == "pkg:deb/vendor/tool@1.0%2Bx?arch=amd64"


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_the_same_lock_is_the_same_text(subject, format_):
    assert FORMATS[format_](subject) == FORMATS[format_](subject)


def test_a_pylock_holds_the_wheels_and_no_password(subject):
    text = FORMATS["pylock"](subject)
    pylock = Pylock.from_dict(tomllib.loads(text))

    assert "secret" not in text
    for package, wheel in zip(pylock.packages, subject.parts.wheels, strict=True):
        assert (package.name, str(package.version)) == (wheel.name, wheel.version)
        (file,) = package.wheels
        assert (file.filename, file.size, file.hashes) == (wheel.file, wheel.size, {"sha256": wheel.sha256})
        assert file.url == f"https://index.example/files/{wheel.file}"


def test_requirements_are_pinned_by_version_and_hash(subject):
    text = FORMATS["requirements"](subject)
    found = re.findall(r"^(\S+) \\\n    --hash=sha256:(\w{64})$", text, re.MULTILINE)

    assert [(Requirement(line).name, sha256) for line, sha256 in found] == [
        (wheel.name, wheel.sha256) for wheel in subject.parts.wheels
    ]
    assert "# via app" in text


def test_a_bill_of_materials_lists_every_wheel_and_deb_with_hash_licence_and_purl(subject):
    bom = json.loads(FORMATS["cyclonedx"](subject))

    listed = {one["purl"]: one for one in bom["components"]}
    assert {one["hashes"][0]["content"] for one in bom["components"]} == {
        artifact.sha256 for artifact in subject.parts.artifacts()
    }
    assert set(listed) == {
        "pkg:pypi/app@1.0",
        "pkg:pypi/lib@1.0",
        "pkg:deb/debian/base-lib@1.0%2Bx?arch=amd64&distro=trixie",
        "pkg:deb/debian/tool@1.0%2Bx?arch=amd64&distro=trixie",
    }
    licences = [{"license": {"name": "GPL-2+"}}, {"license": {"name": "MIT"}}]
    assert [one["licenses"] for purl, one in listed.items() if "deb" in purl] == [licences, licences]
    assert bom["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"
    assert datetime.fromisoformat(bom["metadata"]["timestamp"])


def test_the_bill_that_travels_is_that_of_the_lock_without_the_licences(subject, tmp_path):
    lock = Lock(as_of=subject.as_of, platforms={str(subject.platform): subject.parts})
    image = Descriptor(MediaType.MANIFEST, sha256(b"image"), 5)

    found = attachment(image, subject.name, lock, subject.platform)

    whole, bill = json.loads(FORMATS["cyclonedx"](subject)), json.loads(found.data)
    assert (found.subject, found.artifact_type) == (image, "application/vnd.cyclonedx+json")
    assert bill["components"] == [{k: v for k, v in one.items() if k != "licenses"} for one in whole["components"]]
    assert bill["dependencies"] == whole["dependencies"]
    assert bill["serialNumber"] != whole["serialNumber"]
    recorded = lock.recording({str(subject.platform): (recorded_layer(),)})
    assert attachment(image, subject.name, recorded, subject.platform) == found


def recorded_layer() -> RecordedLayer:
    digest = sha256(b"")
    blobs = {"none": Rendering(made_by="none", digest=digest, size=0)}
    return RecordedLayer(name="x", recipe="0" * 64, diff_id=digest, size=0, blobs=blobs)


def test_the_dependencies_of_a_bill_refer_to_what_it_lists(subject):
    bom = json.loads(FORMATS["cyclonedx"](subject))

    names = {one["bom-ref"]: one["name"] for one in [*bom["components"], bom["metadata"]["component"]]}
    found = {names[row["ref"]]: [names[one] for one in row["dependsOn"]] for row in bom["dependencies"]}
    assert found == {
        "app": ["lib"],
        "lib": [],
        "base-lib": [],
        "tool": ["base-lib"],
        "cog-model": ["tool", "app", "lib"],
    }


@pytest.mark.parametrize(
    ("metadata", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0\n", [{"expression": "MIT OR Apache-2.0"}]),
        ("License: BSD-3-Clause\n", [{"expression": "BSD-3-Clause"}]),
        ("License: Our own\n", [{"license": {"name": "Our own"}}]),
        (
            "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n",
            [{"license": {"name": "MIT License"}}],
        ),
        ("", None),
    ],
)
def test_the_licence_of_a_wheel_is_what_its_metadata_says(subject, store, tmp_path, metadata, licences):
    path = make_wheel(tmp_path, "said", {})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("said-1.0.dist-info/METADATA", f"Metadata-Version: 2.4\nName: said\nVersion: 1.0\n{metadata}")
    parts = replace(subject.parts, wheels=(keep_wheel(store, path),), debs=(), server=())

    (component,) = json.loads(FORMATS["cyclonedx"](replace(subject, parts=parts)))["components"]

    assert component.get("licenses") == licences


@pytest.fixture
def served(subject, site, monkeypatch):
    """The subject's wheels on an index on loopback, for this very interpreter."""
    for wheel in subject.parts.wheels:
        site.pages[f"/files/{wheel.file}"] = subject.store.path(wheel.digest).read_bytes()
        metadata = f"Metadata-Version: 2.1\nName: {wheel.name}\nVersion: {wheel.version}\n"
        site.pages[f"/files/{wheel.file}.metadata"] = metadata.encode()
        row = {"filename": wheel.file, "url": f"{site.url}/files/{wheel.file}", "core-metadata": True}
        row["hashes"] = {"sha256": wheel.sha256}
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": wheel.name, "files": [row]}).encode()
        site.pages[f"/simple/{wheel.name}/"] = lambda handler, page=page: handler.answer(
            200, page, Content_Type="application/vnd.pypi.simple.v1+json"
        )
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    parts = replace(subject.parts, interpreter=replace(subject.parts.interpreter, version=version))
    return replace(subject, parts=parts, locate=lambda one: [f"{site.url}/files/{one.file}"])


@pytest.mark.oracle
@pytest.mark.parametrize("format_", ["pylock", "requirements"])
@pytest.mark.parametrize("program", ["pip", "uv"])
def test_pip_and_uv_install_from_it(served, tmp_path, program, format_):
    name = {"pylock": "pylock.toml", "requirements": "requirements.txt"}[format_]
    (tmp_path / name).write_text(FORMATS[format_](served))
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    command = {
        "pip": [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-cache-dir"],
        "uv": [uv(), "pip", "install", "--python", str(python), "--no-cache"],
    }[program]
    strict = ["--require-hashes"] if format_ == "requirements" else []

    done = subprocess.run([*command, *strict, "-r", name], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([python, "-c", "import app, lib; assert lib.x == 1"], check=True)


@pytest.fixture
def from_everywhere(subject):
    """Wheels that no index serves: at an address, of the project, built from an archive of an index, from a commit."""
    first, *_ = subject.parts.wheels
    kinds = {
        "address": Source(url="https://x.example/address-1.0-py3-none-any.whl"),
        "commit": Source(url="https://x.example/repo", commit="c" * 40, revision="main", subdirectory="py"),
        "near": Source(path="wheels/near-1.0-py3-none-any.whl"),
        "packed": Source(path="packed-1.0.tar.gz", file="packed-1.0.tar.gz", sha256="d" * 64, size=7),
        "source": Source(index="default", file="source-1.0.tar.gz", sha256="e" * 64, size=9),
    }
    wheels = tuple(replace(first, name=name, index="", source=source) for name, source in kinds.items())
    return replace(subject, parts=replace(subject.parts, wheels=wheels, server=(), debs=()))


def test_a_pylock_says_of_each_wheel_what_it_is_made_from(from_everywhere):
    def locate(one):
        yield one.source.url if one.source else f"https://me:secret@index.example/{one.file}"

    text = FORMATS["pylock"](replace(from_everywhere, locate=locate))

    address, commit, near, packed, source = Pylock.from_dict(tomllib.loads(text)).packages
    assert "secret" not in text
    assert address.archive.url == "https://x.example/address-1.0-py3-none-any.whl"
    assert (commit.vcs.url, commit.vcs.commit_id, commit.vcs.subdirectory) == ("https://x.example/repo", "c" * 40, "py")
    assert (near.archive.path, near.archive.size) == ("wheels/near-1.0-py3-none-any.whl", address.archive.size)
    assert (packed.archive.path, packed.archive.hashes) == ("packed-1.0.tar.gz", {"sha256": "d" * 64})
    assert (source.sdist.filename, source.sdist.url) == ("source-1.0.tar.gz", "https://index.example/source-1.0.tar.gz")
    assert source.sdist.hashes == {"sha256": "e" * 64}


def test_a_requirements_file_says_it_too(from_everywhere):
    rows = [row for row in FORMATS["requirements"](from_everywhere).splitlines() if not row.startswith(("#", "    #"))]
    sha256 = from_everywhere.parts.wheels[0].sha256

    assert " ".join(row.strip(" \\") for row in rows).split() == [
        *("address", "@", "https://x.example/address-1.0-py3-none-any.whl", f"--hash=sha256:{sha256}"),
        *("commit", "@", f"git+https://x.example/repo@{'c' * 40}#subdirectory=py"),
        *("./wheels/near-1.0-py3-none-any.whl", f"--hash=sha256:{sha256}"),
        *("./packed-1.0.tar.gz", f"--hash=sha256:{'d' * 64}"),
        *("source==1.0", f"--hash=sha256:{'e' * 64}"),
    ]


def test_a_bill_says_where_they_are_from(from_everywhere):
    urls = {}
    for wheel in from_everywhere.parts.wheels:
        parts = replace(from_everywhere.parts, wheels=(wheel,))
        (component,) = json.loads(FORMATS["cyclonedx"](replace(from_everywhere, parts=parts)))["components"]
        urls[component["name"]] = component["purl"]

    assert urls["address"] == "pkg:pypi/address@1.0?download_url=https%3A//x.example/address-1.0-py3-none-any.whl"
    assert urls["commit"] == f"pkg:pypi/commit@1.0?vcs_url=git%2Bhttps%3A//x.example/repo%40{'c' * 40}"
    assert urls["near"] == "pkg:pypi/near@1.0"
