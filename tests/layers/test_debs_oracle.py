"""A base and system packages are, file by file, what dpkg makes of the same debs by running their scripts.

mmdebstrap installs the packages and everything essential (dpkg must be there to run); compared is what belongs to the
closure of our packages, each difference either a failure or in a list with its reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.layers._tar import in_order
from cog_oci.layers._unpack import placed, slimmed
from cog_oci.layers.debs import DebLayer
from cog_oci.origins import Origins
from cog_oci.resolver.base import Base
from cog_oci.resolver.debian import suites
from cog_oci.store import Store
from tests.conftest import need
from tests.emulation import CPU, LEND, LENT, emulated, need_emulation
from tests.layers.deb_builder import keep

pytestmark = [pytest.mark.network, pytest.mark.oracle, pytest.mark.root]

SYSTEM = {
    "amd64": ("git", "curl", "libopenblas0", "libgl1", "libsndfile1", "libmagic1", "libglib2.0-0"),
    "arm64": ("libopenblas0",),  # every program of every script is emulated, and takes its time
}

ALLOWED = {
    r"dev(/.*)?|etc/(fstab|hostname|resolv\.conf)": "an engine makes them when a container starts",
    r"etc/apt/.*|var/(lib|cache|log)/apt(/.*)?": "mmdebstrap's own apt",
    r".*/__pycache__(/.*)?": "bytecode, which Python does without",
    r"etc/pam\.d/.*|var/lib/pam/.*|etc/(environment|security/opasswd)": "of libpam-runtime, essential to dpkg only",
    r"(etc|var/lib)/systemd(/.*)?|etc/rc.\.d/.*": "services, which no container starts",
    r"var/cache/(debconf|ldconfig|fontconfig)(/.*)?|var/log/fontconfig\.log": "caches of programs that make them anew",
    r"var/lib/dpkg/(arch|arch-native|lock|lock-frontend|.*-old|triggers/Lock)": "dpkg makes them when it runs",
    r"var/lib/dpkg/diversions": "names that only the transition to merged /usr diverts",
    r"var/lib/python(/.*)?": "marks for scripts of packages that are installed later",
    r"(usr/bin|etc/alternatives|var/lib/dpkg/alternatives)/pager": "of util-linux, essential to dpkg only",
    r"etc/sub[ug]id|var/log/faillog": "on bookworm of passwd, essential to dpkg only",
    r"etc/alternatives/.*\.gz|var/lib/dpkg/alternatives/builtins\.7\.gz": "manual pages, left out",
    r"usr/share/mime(/.*)?": "a database that desktops look types up in by file name",
    r"etc/timezone": "written on every suite: trixie's tzdata only keeps it, programs still read it",
    r"usr/local/share/fonts": "bookworm's script makes it only where /usr/local/share is there before",
}
"""Paths that may differ or be on one side only, and why."""

COMPARED_BY_CONTENT = {
    "etc/ld.so.cache": "has the libraries of essential packages too",
    "var/lib/dpkg/status": "has the essential packages too",
    "var/lib/dpkg/triggers/File": "is in the order of installation",
    "etc/shells": "is in the order of installation",
    "var/lib/shells.state": "is in the order of installation",
}
"""Files whose lines (or parts) of ours are compared, and why not the whole."""


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_tree_is_the_one_that_dpkg_makes(python, architecture, tmp_path):
    need("mmdebstrap", "dpkg-deb", "apt-get")
    if os.geteuid():
        pytest.skip("needs to be root, for owners and chroot")
    if architecture == "arm64":
        need_emulation()
    base = Base(python, architecture)
    base_names = {deb.name for deb in base.pinned_debs}
    installed, debs = install(base, sorted(base_names), tmp_path)
    packages = paragraphs((installed / "var/lib/dpkg/status").read_text())
    wanted = closure({*base_names, *SYSTEM[architecture]}, packages)
    store = Store(tmp_path / "store")
    locked = [keep(store, path.read_bytes(), path.name.partition("_")[0]) for path in sorted(debs.iterdir())]
    below = tuple(deb for deb in locked if deb.name in base_names)
    above = tuple(deb for deb in locked if deb.name in wanted - base_names)
    assert {deb.name for deb in (*below, *above)} == wanted

    ours = tree_of(DebLayer(base.suite, below), store) | tree_of(DebLayer(base.suite, above, below), store)

    theirs = tree_in(installed)
    foreign = files_of(set(packages) - wanted, installed) - files_of(wanted, installed)
    differing = [
        (path, ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
        and not (path not in ours and (path in foreign or slimmed(path)))
        and not any(re.fullmatch(pattern, path) for pattern in ALLOWED)
        and not (architecture == "arm64" and re.fullmatch(LENT, path))
        and path not in COMPARED_BY_CONTENT
    ]
    assert not differing
    check_parts(ours, installed, wanted, packages, foreign)


def check_parts(ours, installed: Path, wanted: set[str], packages: dict[str, str], foreign: set[str]) -> None:
    """What COMPARED_BY_CONTENT excepts from the comparison of whole files."""
    contents = {path: ours[path][-1] for path in COMPARED_BY_CONTENT}
    assert paragraphs(contents["var/lib/dpkg/status"].decode()) == {
        name: text for name, text in packages.items() if name in wanted
    }
    for path in ("etc/shells", "var/lib/shells.state"):
        assert set(contents[path].split()) == set((installed / path).read_bytes().split())
    interests = contents["var/lib/dpkg/triggers/File"].decode().split("\n")
    assert set(interests) <= set((installed / "var/lib/dpkg/triggers/File").read_text().split("\n"))
    told = subprocess.run(
        ["/sbin/ldconfig", "-p", "-C", installed / "etc/ld.so.cache"], capture_output=True, text=True, check=True
    )
    own = installed.parent / "ld.so.cache"
    own.write_bytes(contents["etc/ld.so.cache"])
    tell = subprocess.run(["/sbin/ldconfig", "-p", "-C", own], capture_output=True, text=True, check=True)
    rows = [row for row in told.stdout.split("\n")[1:-2] if placed(row.rpartition("=> /")[2]) not in foreign]
    assert tell.stdout.split("\n")[1:-2] == rows


def install(base: Base, names: list[str], folder: Path) -> tuple[Path, Path]:
    """A root in which dpkg has installed these packages, the system ones and all that is essential; and the debs."""
    root, debs = folder / "root", folder / "debs"
    debs.mkdir()
    archive = Origins(Fetcher(Store(folder / "fetched")), datetime.now(UTC)).archive
    sources = [
        f"deb [signed-by={suite.keyring.absolute()}] {archive(suite.archive)[0]} {suite.suite} main"
        for suite in suites(base.suite)
    ]
    words = [
        *("mmdebstrap", "--quiet", "--mode=root", f"--architectures={base.architecture}", "--skip=check/qemu"),
        *("--variant=custom", "--include=?essential", f"--include={','.join([*names, *SYSTEM[base.architecture]])}"),
        f"--extract-hook=cp \"$1\"/var/cache/apt/archives/*.deb '{debs}'",
        *((f"--extract-hook={LEND}",) if base.architecture == "arm64" else ()),
        *(base.suite, str(root)),
        *sources,
    ]
    start = emulated if base.architecture == "arm64" else plainly
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1", "QEMU_CPU": CPU}
    process = start(*words, env=env, stderr=subprocess.PIPE)
    told = process.communicate()[1].decode(errors="replace")
    assert process.returncode == 0, told[:2000] + told[-2000:]
    return root, debs


def plainly(*words: str, **options) -> subprocess.Popen:
    """Start a program for this machine's own architecture."""
    return subprocess.Popen(words, stdout=subprocess.PIPE, **options)


def paragraphs(status: str) -> dict[str, str]:
    """dpkg's status by package name."""
    return {text.partition("\n")[0].removeprefix("Package: "): text.strip() for text in status.strip().split("\n\n")}


def closure(names: set[str], packages: dict[str, str]) -> set[str]:
    """The installed packages that these depend on, themselves included; of alternatives, all that are installed."""
    provided: dict[str, set[str]] = {name: {name} for name in packages}
    for name, text in packages.items():
        for virtual in relation(text, "Provides"):
            provided.setdefault(virtual, set()).add(name)
    found, left = set(), {provider for name in names for provider in provided[name]}
    while left:
        name = left.pop()
        found.add(name)
        needs = {need for field in ("Depends", "Pre-Depends") for need in relation(packages[name], field)}
        left |= {provider for need in needs for provider in provided.get(need, ())} - found
    return found


def relation(paragraph: str, field: str) -> set[str]:
    row = re.search(rf"^{field}: (.*)$", paragraph, re.MULTILINE)
    return set(re.findall(r"(?:^|[,|] )([a-z0-9][a-z0-9.+-]*)", row[1])) if row else set()


def files_of(names: set[str], root: Path) -> set[str]:
    """The paths of packages, and those of dpkg's files about them."""
    found = set()
    for path in (root / "var/lib/dpkg/info").iterdir():
        if path.name.rpartition(".")[0].partition(":")[0] in names:
            found.add(str(path.relative_to(root)))
            if path.suffix == ".list":
                found |= {placed(row[1:]) for row in path.read_text().split("\n")}
    return found


def tree_of(layer: DebLayer, store: Store) -> dict[str, tuple]:
    """Kind, mode, owner, and link target or hash of content, by path; of COMPARED_BY_CONTENT the content itself."""
    with layer.open(store) as entries:
        ordered = in_order(entries)
        contents = {entry.path: entry.content for entry in ordered}
        found = {}
        for entry in ordered:
            content = contents[entry.target] if entry.kind == "hardlink" else entry.content
            data = b"" if content is None else b"".join(content.chunks())
            kind = "file" if entry.kind == "hardlink" else entry.kind
            what = hashlib.sha256(data).hexdigest() if kind == "file" else entry.target
            what = data if entry.path in COMPARED_BY_CONTENT else what
            found[entry.path] = (kind, oct(entry.mode), entry.uid, entry.gid, what)
    return found


def tree_in(root: Path) -> dict[str, tuple]:
    """The same of a folder."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        kind, what = "other", ""
        if stat.S_ISLNK(status.st_mode):
            kind, what = "symlink", str(path.readlink())
        elif stat.S_ISDIR(status.st_mode):
            kind = "directory"
        elif stat.S_ISREG(status.st_mode):
            kind, what = "file", hashlib.sha256(path.read_bytes()).hexdigest()
        mode = oct(stat.S_IMODE(status.st_mode))
        found[str(path.relative_to(root))] = (kind, mode, status.st_uid, status.st_gid, what)
    return found
