"""How a layer becomes a folder; what runs in it is tested on real images."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile

import pytest

from cog_oci.layers import COMPRESSIONS, render
from cog_oci.sandbox import Sandbox, SandboxUnavailableError, unavailable

NAMES = ["d", "d/ő.txt", "d/link", "d/ű", "d/é"]


def plain() -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for name, kind, target in zip(
            NAMES, [tarfile.DIRTYPE, b"0", b"2", b"1", b"0"], ["", "", "ő.txt", "d/ő.txt", ""], strict=True
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, target, 0o755
            archive.addfile(info)
    out.seek(0)
    return out


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_are_the_same_bytes_in_every_locale_and_envelope(store, tmp_path, compression, locale):
    blob = render("x", plain(), store, compression=compression)
    script = (
        "import sys; from pathlib import Path; from cog_oci.sandbox import _unpack; "
        "_unpack(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))"
    )
    (tmp_path / "root").mkdir()

    subprocess.run(
        [
            *(sys.executable, "-c", script, str(store.path(blob.descriptor.digest))),
            *(blob.descriptor.media_type, str(tmp_path / "root")),
        ],
        env={**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        check=True,
    )

    folder = tmp_path / "root" / "d"
    assert sorted(os.fsencode(path.name) for path in folder.iterdir()) == sorted(n[2:].encode() for n in NAMES[1:])
    assert os.fsencode((folder / "link").readlink()) == "ő.txt".encode()
    assert (folder / os.fsdecode("ő.txt".encode())).stat().st_nlink == 2


def test_a_host_without_unshare_says_so_and_starts_nothing(store, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    assert unavailable() == "there is no `unshare` on PATH"
    with pytest.raises(SandboxUnavailableError, match="no `unshare`"), Sandbox(None, store).start(["true"]):
        pass
