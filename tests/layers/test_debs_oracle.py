"""A base and system packages are, file by file, what dpkg makes of the same debs by running their scripts.

mmdebstrap installs the packages and everything essential (dpkg must be there to run); compared is what belongs to the
closure of our packages, each difference either a failure or in a list with its reason. Then each package's own program
runs in the sandbox, on the tree that is ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cog_oci.fetch import Fetcher
from cog_oci.layers import realise, recipe
from cog_oci.layers._tar import Entry, in_order
from cog_oci.layers._unpack import placed, slimmed
from cog_oci.layers.debs import DebLayer
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.origins import Origins
from cog_oci.resolver.base import Base
from cog_oci.resolver.debian import suites
from cog_oci.sandbox import Sandbox, unavailable
from cog_oci.store import Store
from tests.conftest import need
from tests.emulation import CPU, LEND, LENT, emulated, need_emulation
from tests.layers.corpus import corpus
from tests.layers.deb_builder import keep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [pytest.mark.network, pytest.mark.oracle, pytest.mark.root, pytest.mark.namespaces]

TOGETHER = (
    *("chemical-mime-data", "fontforge-common"),
    *("libpam-cap", "libpam-passwdqc", "libpam-pwquality", "libpam-runtime", "libpam-script", "libpam-tmpdir"),
    *("gsfonts-x11", "xfonts-75dpi", "xfonts-base", "xfonts-scalable", "xfonts-terminus"),
)
"""Packages of whose files something is made together, besides the sixty: types of files, ways to log in, X fonts."""
SYSTEM = {
    "arm64": ("libopenblas0",),  # every program of every script is emulated, and takes its time
}

ALLOWED = {
    # What an engine or mmdebstrap itself has to do with.
    r"dev(/.*)?|etc/(fstab|hostname|resolv\.conf)": "an engine makes them when a container starts",
    r"etc/apt/.*|var/(lib|cache|log)/apt(/.*)?|etc/dpkg/dpkg\.cfg\.d/99mmdebstrap": "mmdebstrap's own apt",
    # What has a clock, a machine or the order of installation in it.
    r"etc/(machine-id|\.pwd\.lock)|etc/(passwd|group|shadow|gshadow)-": "of one machine, and of its last change",
    r"etc/gitconfig": "git-lfs writes its lines in another order each time",
    r"etc/ssl/certs/java/cacerts": "has the time of every import; compared without",
    r"var/lib/ucf/(cache(/.*)?|hashfile\.[0-9])": "ucf's earlier states",
    r"etc/gprofng\.rc\.dpkg-old": "left behind by a move within one version",
    # What programs make anew when they need it.
    r".*/__pycache__(/.*)?": "bytecode, which Python does without",
    r"var/cache/(debconf|ldconfig|fontconfig)(/.*)?|var/log/fontconfig\.log": "caches of programs that make them anew",
    # What belongs to machines that start.
    r"(etc|var/lib)/systemd(/.*)?|etc/rc.\.d/.*": "services, which no container starts",
    # What belongs to packages that only dpkg needs.
    r"etc/sub[ug]id|var/log/faillog": "on bookworm of passwd, essential to dpkg only",
    r"(usr/bin|etc/alternatives|var/lib/dpkg/alternatives)/pager": "another one of util-linux, essential to dpkg only",
    r"var/lib/dpkg/(arch|arch-native|lock|lock-frontend|.*-old|triggers/Lock)": "dpkg makes them when it runs",
    # What is left out of images, or different on purpose.
    r"etc/alternatives/.*\.gz|var/lib/dpkg/alternatives/[^/]*\.gz": "manual pages, left out",
    r"etc/timezone": "written on every suite: trixie's tzdata only keeps it, programs still read it",
    r"usr/local/share/(fonts|zsh(/.*)?)": "empty folders of packages; bookworm's fontconfig makes its own only sometimes",
}
"""Paths that may differ or be on one side only, and why. Every row is needed by some suite: a test looks."""

OF_OTHERS = {
    r"etc/pam\.d/common-.*|var/lib/pam/.*": "libpam-runtime",
    r"etc/(environment|security/opasswd)": "libpam-modules",
}
"""What scripts of packages make that are essential to dpkg only: compared where these are among ours."""

COMPARED_BY_CONTENT = {
    "etc/ld.so.cache": "has the libraries of essential packages too",
    "var/lib/dpkg/status": "has the essential packages too",
    "var/lib/dpkg/diversions": "has those of essential packages too",
    "var/lib/dpkg/triggers/File": "is in the order of installation",
    "etc/shells": "is in the order of installation",
    "var/lib/shells.state": "is in the order of installation",
    **dict.fromkeys(("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"), "numbers are given in that order"),
}
"""Files whose lines (or parts) of ours are compared, and why not the whole."""

KEPT = {*COMPARED_BY_CONTENT, "etc/ssl/certs/java/cacerts"}


@dataclass(frozen=True)
class Pair:
    """What dpkg has made of some packages, and what we make of them: an image, and its tree by path."""

    installed: Path
    packages: dict[str, str]
    wanted: set[str]
    ours: dict[str, tuple]
    image: Image
    store: Store

    @cached_property
    def theirs(self) -> dict[str, tuple]:
        return tree_in(self.installed)

    @property
    def database(self) -> dict[str, bytes]:
        """Our files below var/lib/dpkg."""
        files = ((path, entry) for path, entry in self.ours.items() if path.startswith("var/lib/dpkg/"))
        return {path: entry[-1] for path, entry in files if entry[0] == "file"}

    @cached_property
    def foreign(self) -> set[str]:
        """Paths that only packages have which are not ours."""
        others = set(self.packages) - self.wanted
        return files_of(others, self.installed) - files_of(self.wanted, self.installed)

    def allows(self, path: str) -> bool:
        """Whether the path may differ."""
        others = {pattern for pattern, package in OF_OTHERS.items() if package not in self.wanted}
        return any(re.fullmatch(pattern, path) for pattern in ALLOWED.keys() | others)

    @cached_property
    def differing(self) -> list[str]:
        """Paths that are not the same on both sides, allowed ones among them."""
        return [
            path
            for path in sorted(self.ours.keys() | self.theirs.keys())
            if self.ours.get(path) != self.theirs.get(path)
            and not (path not in self.ours and (path in self.foreign or slimmed(path)))
            and path not in COMPARED_BY_CONTENT
        ]


@pytest.fixture(scope="module", params=[("3.11", "amd64"), ("3.13", "amd64"), ("3.11", "arm64"), ("3.13", "arm64")])
def pair(request, tmp_path_factory) -> Iterator[tuple[Base, Pair]]:
    """One suite and architecture; the packages are installed once for all tests."""
    need("mmdebstrap", "dpkg-deb", "apt-get")
    if os.geteuid():
        pytest.skip("needs to be root, for owners and chroot")
    base = Base(*request.param)
    if base.architecture == "arm64":
        need_emulation()
    folder = tmp_path_factory.mktemp("oracle")
    try:
        yield base, both(base, folder)
    finally:
        subprocess.run(["rm", "-rf", folder], check=False)


def both(base: Base, folder: Path, asked: tuple[str, ...] = ()) -> Pair:
    """What is made of these packages, or of all of a suite's that are tried, on top of a base."""
    asked = asked or SYSTEM.get(base.architecture) or (*corpus(base.suite), *TOGETHER)
    base_names = {deb.name for deb in base.pinned_debs}
    installed, debs = install(base, sorted({*base_names, *asked}), folder)
    packages = paragraphs((installed / "var/lib/dpkg/status").read_text())
    wanted = closure({*base_names, *asked}, packages)
    store = Store(folder / "store")
    locked = [keep(store, path.read_bytes(), path.name.partition("_")[0]) for path in sorted(debs.iterdir())]
    below = tuple(deb for deb in locked if deb.name in base_names)
    above = tuple(deb for deb in locked if deb.name in wanted - base_names)
    assert {deb.name for deb in (*below, *above)} == wanted
    ours: dict[str, tuple] = {}
    blobs = []
    for layer in (DebLayer(base.suite, below), DebLayer(base.suite, above, below)):
        with layer.open(store) as entries:
            ordered = in_order(entries)
            ours |= tree_of(ordered)
            blobs.append(realise(Opened(layer.name, ordered), store, compression="none"))
    config = ImageConfig(env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, working_dir="/")
    image = Image(Platform("linux", base.architecture), config, tuple(blobs))
    return Pair(installed, packages, wanted, ours, image, store)


@dataclass
class Opened:
    """The entries of a layer that is open: to be compared, and made a blob, without unpacking everything twice."""

    name: str
    entries: list[Entry]
    why: str = "a test asks for it"
    artifacts: tuple[()] = ()

    @property
    def recipe(self) -> str:
        return recipe("opened", 1, name=self.name)

    @contextmanager
    def open(self, _: Store):
        yield self.entries


def test_the_tree_is_the_one_that_dpkg_makes(pair):
    base, trees = pair

    differing = [
        (path, trees.ours.get(path), trees.theirs.get(path))
        for path in trees.differing
        if not trees.allows(path) and not (base.architecture == "arm64" and re.fullmatch(LENT, path))
    ]

    assert not differing
    assert len(trees.ours) > 2000


def test_what_is_compared_in_parts_is_the_same_in_these(pair):
    _, trees = pair
    contents = {path: trees.ours[path][-1] for path in COMPARED_BY_CONTENT if path in trees.ours}

    assert paragraphs(contents["var/lib/dpkg/status"].decode()) == {
        name: text for name, text in trees.packages.items() if name in trees.wanted
    }
    for path in ("etc/shells", "var/lib/shells.state"):
        assert set(contents[path].split()) == set((trees.installed / path).read_bytes().split())
    for path in ("var/lib/dpkg/triggers/File", "var/lib/dpkg/diversions"):
        if path in contents:
            rows = contents[path].decode().split("\n")
            assert set(rows) <= set((trees.installed / path).read_text().split("\n"))
    for path in ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"):
        if path in contents:
            sides = (contents[path].decode(), (trees.installed / path).read_text())
            rows, their_rows = ({*re.sub(r":[0-9]{3}(?=:)", ":N", text).split("\n")} for text in sides)
            assert rows <= their_rows
    assert libraries(trees, contents["etc/ld.so.cache"]) == libraries(
        trees, (trees.installed / "etc/ld.so.cache").read_bytes()
    )


def libraries(trees: Pair, cache: bytes) -> list[str]:
    """What ldconfig reads in a cache, without libraries of packages that are not ours."""
    path = trees.installed.parent / "ld.so.cache"
    path.write_bytes(cache)
    told = subprocess.run(["/sbin/ldconfig", "-p", "-C", path], capture_output=True, text=True, check=True)
    rows = told.stdout.split("\n")[1:-2]
    return [row for row in rows if placed(row.rpartition("=> /")[2]) not in trees.foreign]


def test_java_trusts_the_same_authorities(pair):
    base, trees = pair
    if base.architecture != "amd64":
        pytest.skip("no Java in this set")
    path = "etc/ssl/certs/java/cacerts"

    theirs = authorities((trees.installed / path).read_bytes())

    assert authorities(trees.ours[path][-1]) == theirs
    assert len(theirs) > 100


def authorities(keystore: bytes) -> set[tuple[bytes, bytes]]:
    """Aliases and certificates of a JKS keystore."""
    count, at, found = struct.unpack(">I", keystore[8:12])[0], 12, set()
    for _ in range(count):
        (length,) = struct.unpack(">H", keystore[at + 4 : at + 6])
        alias, at = keystore[at + 6 : at + 6 + length], at + 6 + length + 8 + 2 + len("X.509")
        (size,) = struct.unpack(">I", keystore[at : at + 4])
        found.add((alias, keystore[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def test_dpkg_is_content_with_its_database(pair, tmp_path):
    _, trees = pair
    for path, entry in trees.ours.items():
        if path.startswith("var/lib/dpkg/") and entry[0] == "directory":
            (tmp_path / path).mkdir(parents=True, exist_ok=True)
    for path, data in trees.database.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    admin = f"--admindir={tmp_path / 'var/lib/dpkg'}"
    # This machine's dpkg looks at a tree of another architecture, too.
    (tmp_path / "var/lib/dpkg/arch").write_text("amd64\narm64\n")

    audit = subprocess.run(["dpkg", admin, "--audit"], capture_output=True, text=True, check=False)
    words = ["dpkg-query", admin, "-W", "-f", "${db:Status-Abbrev} ${Package}\n"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True)

    assert audit.stdout + audit.stderr == ""
    assert {tuple(row.split()) for row in listed.stdout.splitlines()} == {("ii", name) for name in trees.wanted}


def test_every_program_runs(pair):
    base, trees = pair
    if base.architecture != "amd64":
        pytest.skip("runs on amd64")
    if reason := unavailable():
        pytest.skip(reason)
    commands = corpus(base.suite)
    script = "".join(
        f"( {command} ) >/tmp/out 2>&1 </dev/null || {{ echo FAILED {name}; tail -n 3 /tmp/out; }}\n"
        for name, command in commands.items()
    )
    variables = {"PYTHON": f"python{base.python_version}"}

    with Sandbox(trees.image, trees.store).start(
        ["bash", "-c", script], env=variables, stdout=subprocess.PIPE
    ) as process:
        with process.stdout as output:
            told = output.read().decode()
        status = process.wait()

    assert (told, status) == ("", 0)


def test_every_row_of_the_list_has_something_to_allow(pair):
    """On its own for each suite, so a row may be for one of them: only one that nothing needs is a mistake."""
    base, trees = pair
    _SEEN[base.suite, base.architecture] = {
        pattern for pattern in ALLOWED if any(re.fullmatch(pattern, path) for path in trees.differing)
    }
    if len(_SEEN) == 4:
        assert not set(ALLOWED) - set().union(*_SEEN.values())


_SEEN: dict[tuple[str, str], set[str]] = {}


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
        *("--variant=custom", "--include=?essential", f"--include={','.join(names)}"),
        "--dpkgopt=force-unsafe-io",  # nothing has to be safe from a power cut
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


def tree_of(ordered: list[Entry]) -> dict[str, tuple]:
    """Kind, mode, owner, and link target or hash of content, by path; of COMPARED_BY_CONTENT the content itself."""
    contents = {entry.path: entry.content for entry in ordered}
    found = {}
    for entry in ordered:
        content = contents[entry.target] if entry.kind == "hardlink" else entry.content
        kind = "file" if entry.kind == "hardlink" else entry.kind
        whole = entry.path in KEPT or entry.path.startswith("var/lib/dpkg/")
        what: object = entry.target
        if kind == "file":
            chunks = () if content is None else content.chunks()
            what = b"".join(chunks) if whole else hashed(chunks)
        found[entry.path] = (kind, oct(entry.mode), entry.uid, entry.gid, what)
    return found


def hashed(chunks: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


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
            place = str(path.relative_to(root))
            data = path.read_bytes()
            whole = place in KEPT or place.startswith("var/lib/dpkg/")
            kind, what = "file", data if whole else hashlib.sha256(data).hexdigest()
        mode = oct(stat.S_IMODE(status.st_mode))
        found[str(path.relative_to(root))] = (kind, mode, status.st_uid, status.st_gid, what)
    return found
