"""`cog-oci verify` as a user runs it: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from cog_oci.transports.sources import open_source
from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand
from tests.images.conftest import cog_oci

CODE = "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self) -> str:\n        return ''\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with a project and its image; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("built")
    project = folder / "project"
    project.mkdir()
    (project / "cog.yaml").write_text("run: run.py:Runner\n")
    (project / "run.py").write_text(CODE)
    lock_by_hand(project)
    command("image", "-o", str(folder / "image.tar"), cwd=project, COG_CACHE_DIR=str(folder / "cache"))
    return folder


@pytest.fixture(autouse=True)
def _cache(built, monkeypatch) -> None:
    monkeypatch.setenv("COG_CACHE_DIR", str(built / "cache"))


def flipped(archive: Path, target: Path, layer: int, offset: int) -> str:
    """A copy of the archive with one bit of a layer's blob turned over; the layer's name."""
    with open_source(str(archive)) as source:
        wanted = source.images()[0].layers[layer]
    with tarfile.open(archive) as opened:
        start = opened.getmember("blobs/" + wanted.descriptor.digest.replace(":", "/")).offset_data
    data = bytearray(archive.read_bytes())
    data[start + offset] ^= 1
    target.write_bytes(data)
    return wanted.name


def test_in_its_project_an_image_is_reproduced_whole(built):
    done = command("verify", "../image.tar", cwd=built / "project")

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("../image.tar linux/amd64 sha256:")
    assert [line.split() for line in lines[1:4]] == [[name, "reproduced"] for name in ("server", "python", "code")]
    assert lines[4] == "  reproduced: 3 of 3 layers"


def test_elsewhere_the_code_is_not_rebuilt_unless_the_project_is_named(built, tmp_path):
    alone = command("verify", str(built / "image.tar"), cwd=tmp_path)
    named = command("verify", str(built / "image.tar"), "--project", str(built / "project"), cwd=tmp_path)
    by_file = command("verify", str(built / "image.tar"), "-f", str(built / "project/cog.yaml"), cwd=tmp_path)

    assert "code    not rebuilt: it is made from the project's files; name their folder with --project" in alone.stdout
    assert "reproduced: 2 of 3 layers" in alone.stdout
    assert "reproduced: 3 of 3 layers" in named.stdout
    assert by_file.stdout == named.stdout


def test_an_archive_in_its_own_project_is_no_part_of_the_code(built, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(built / "project", folder)
    command("image", "-o", "mine.tar", cwd=folder)

    assert "reproduced: 3 of 3 layers" in command("verify", "mine.tar", cwd=folder).stdout


def test_a_damaged_blob_ends_with_one_and_says_where(built, tmp_path):
    name = flipped(built / "image.tar", tmp_path / "bad.tar", 2, 100)

    done = cog_oci("verify", str(tmp_path / "bad.tar"), "--project", str(built / "project"), cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert f"  {name}    damaged:\n" in done.stdout
    assert "its blob differs at byte 100 of" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_was_found_is_json_when_asked(built):
    done = command("verify", "../image.tar", "--json", cwd=built / "project")

    (report,) = json.loads(done.stdout)
    assert report["good"] is True
    assert [(layer["name"], layer["outcome"]) for layer in report["layers"]] == [
        ("server", "reproduced"),
        ("python", "reproduced"),
        ("code", "reproduced"),
    ]


def test_two_images_are_compared_without_building(built, tmp_path, monkeypatch):
    folder = tmp_path / "project"
    shutil.copytree(built / "project", folder)
    (folder / "cog.yaml").write_text("run: run.py:Runner\nenvironment: [A=1]\n")
    (folder / "more.py").write_text("")
    command("image", "-o", "../other.tar", "--compression", "zstd", cwd=folder)
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "empty"))

    done = command("verify", "other.tar", "--against", str(built / "image.tar"), cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "  server  the same\n  python  the same\n" in done.stdout
    assert "/src/more.py: is not expected" in done.stdout
    assert "/src/cog.yaml: header field size is 38 instead of 19" in done.stdout
    assert "config: Env.A is not expected" in done.stdout
    assert "the same: 2 of 3 layers" in done.stdout
    assert not (tmp_path / "empty").exists()


def test_names_that_a_terminal_would_obey_are_printed_as_text(built, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(built / "project", folder)
    (folder / "\x1b]0;owned\x07\nfake").write_text("")
    command("image", "-o", "../other.tar", cwd=folder)

    done = command("verify", "other.tar", "--against", str(built / "image.tar"), cwd=tmp_path, check=False)

    assert "\x1b" not in done.stdout
    assert "/src/\\x1b]0;owned\\x07\\nfake: is not expected" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing.tar",), "there is no file or folder nothing.tar"),
        (("{image}", "--platform", "linux/arm64"), "has no image for linux/arm64, only for linux/amd64"),
        (("{image}", "--project", "."), "cog.yaml not found"),
        (("{image}", "--project", "other"), "is not the lock that the image was made from"),
        (("{image}", "--project", "changed"), "cog.lock no longer fits: build.system_packages is new"),
    ],
)
def test_what_cannot_be_verified_is_one_clear_error(built, tmp_path, arguments, says):
    for name in ("other", "changed"):
        shutil.copytree(built / "project", tmp_path / name)
    lock = tmp_path / "other/cog.lock"
    lock.write_text(lock.read_text().replace("2026-01-01", "2026-01-02"))
    (tmp_path / "changed/cog.yaml").write_text("run: run.py:Runner\nbuild: {system_packages: [git]}\n")

    words = [word.format(image=built / "image.tar") for word in arguments]
    done = command("verify", *words, cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_tampered_image_with_true_digests_is_found_out(built, tmp_path):
    """Somebody who changes a file and every digest above it makes a valid image, and not this one."""
    from cog_oci.blobs import open_plain
    from tests.transports.stored import pack

    layout = tmp_path / "layout"
    with tarfile.open(built / "image.tar") as archive:
        archive.extractall(layout, filter="data")
    with open_source(str(layout)) as source:
        image = source.images()[0]
        with source.blob(image.layers[2].descriptor) as blob:
            plain = open_plain(blob, image.layers[2].descriptor.media_type).read()
    _replace_layer(layout, image, plain.replace(b"return ''", b"return 1 "))
    pack(layout, tmp_path / "tampered.tar")

    done = command("verify", "tampered.tar", "--project", str(built / "project"), cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "differs: /src/run.py: content byte " in done.stdout
    assert "reproduced: 2 of 3 layers" in done.stdout


def _replace_layer(layout: Path, image, plain: bytes) -> None:
    import gzip
    import hashlib

    def put(data: bytes) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        file.write(plain)
    config, manifest = json.loads(image.config), json.loads(image.manifest)
    config["rootfs"]["diff_ids"][2] = "sha256:" + hashlib.sha256(plain).hexdigest()
    manifest["layers"][2] |= put(out.getvalue())
    manifest["config"] |= put(json.dumps(config).encode())
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0] |= put(json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps(index))
