"""An index on loopback with source archives, and a workbench that packs them without a sandbox."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

from cog_oci.fetch import Fetcher
from cog_oci.origins import Origins
from cog_oci.progress import Silent
from cog_oci.sources._normal import normalised
from cog_oci.sources.build import Built, Project
from cog_oci.sources.make import Maker
from cog_oci.sources.resolve import Resolver
from tests.conftest import make_wheel
from tests.resolver.test_python import NOW, TARGET

KIND = "application/vnd.pypi.simple.v1+json"


class Heard(Silent):
    """A progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class Bench:
    """Makes a wheel of a folder as if it were built: METADATA is its PKG-INFO, its one module is empty."""

    def __init__(self, store, folder: Path, tools=()) -> None:
        self.store, self.folder, self.tools = store, folder, tuple(tools)
        self.built: list[str] = []

    def build(self, name: str, project: Project, *, kept=(), tools=None) -> Built:
        self.built.append(name)
        said = dict(line.split(": ", 1) for line in (project.folder / "PKG-INFO").read_text().splitlines())
        path = make_wheel(self.folder, said["Name"], {f"{said['Name']}.py": b""}, version=said["Version"])
        with zipfile.ZipFile(path) as archive:
            contents = {one: archive.read(one) for one in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for one, data in contents.items():
                archive.writestr(one, (project.folder / "PKG-INFO").read_bytes() if one.endswith("/METADATA") else data)
        data = normalised(path)
        sha256 = self.store.add(data).removeprefix("sha256:")
        return Built(said["Name"], said["Version"], path.name, sha256, len(data), self.tools)


def source_archive(name: str, version: str, requires: str = "", *, metadata: str = "2.2") -> bytes:
    """A source archive whose PKG-INFO says what it needs."""
    text = f"Metadata-Version: {metadata}\nName: {name}\nVersion: {version}\n"
    text += f"Requires-Dist: {requires}\n" if requires else ""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for file, data in (("PKG-INFO", text.encode()), ("setup.py", b"")):
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def publish(
    site, name: str, files: dict[str, bytes], *, dated: bool = True, sized: bool = True, yanked: str = ""
) -> None:
    """Put files of a package on the index; a wheel's metadata is next to it when it is given as `….whl.metadata`."""
    rows = []
    for file, data in files.items():
        site.pages[f"/files/{file}"] = data
        if file.endswith(".metadata"):
            continue
        rows.append(
            {
                "filename": file,
                "url": f"{site.url}/files/{file}",
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                **({"size": len(data)} if sized else {}),
                **({"upload-time": NOW.replace(year=2020).isoformat()} if dated else {}),
                **({"yanked": yanked} if yanked else {}),
                "core-metadata": f"{file}.metadata" in files,
            }
        )
    page = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": rows}).encode()
    site.pages[f"/simple/{name}/"] = lambda handler: handler.answer(200, page, Content_Type=KIND)


def resolver(folder: Path, store, bench: Bench, indexes, *, kept=(), tools=()) -> Resolver:
    """A Resolver for a project in this folder."""
    fetcher, progress = Fetcher(store), Heard()
    maker = Maker(folder, TARGET, store, fetcher, progress, bench, kept, tools)
    return Resolver(TARGET, lambda: maker, Origins(fetcher, NOW, indexes=indexes), indexes, NOW, progress)
