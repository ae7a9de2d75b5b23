"""Maintainer scripts evaluated: what dpkg's calls `preinst install` and `postinst configure` do on a fresh system."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.account_commands import account_commands
from cog_oci.layers._effects.accounts import Accounts
from cog_oci.layers._effects.file_commands import file_commands
from cog_oci.layers._effects.known_scripts import instead, reason
from cog_oci.layers._effects.package_commands import package_commands
from cog_oci.layers._effects.plain_commands import plain_commands
from cog_oci.layers._effects.system import Missing, System, Unseen
from cog_oci.layers._effects.unknown import UnknownScriptError
from cog_oci.layers._effects.x_fonts import font_commands
from cog_oci.layers._sh.evaluator import Shell
from cog_oci.layers._sh.expansion import NotComputedError
from cog_oci.layers._sh.nodes import UnknownSyntaxError
from cog_oci.layers._sh.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field
    from cog_oci.layers._sh.nodes import Node
    from cog_oci.layers._tar import Entry

__all__ = ["SCRIPTS", "look_at", "run_scripts"]

SCRIPTS: Mapping[str, tuple[str, ...]] = {"preinst": ("install",), "postinst": ("configure", "")}
"""The scripts that dpkg calls on a fresh installation, and what with (Policy 6.5)."""

_INTERPRETED = ("update-gsfontmap",)
"""Programs of packages that are scripts of the same kind: evaluated too."""
_MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_LANGUAGE = re.compile(r"#!\s*(?:/usr/bin/env\s+)?(\S+)")
_SHELLS = re.compile(r"(?:(?:/usr)?/bin/)?(?:sh|dash|bash)")
_BRACES = re.compile(r"(?<!\$)\{[^\s{}\"']*(?:,|\.\.)[^\s{}\"']*\}")
_RELATION = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]*)")
_HARMLESS_SNIPPETS = frozenset(
    (
        "dh_installdeb",  # moves configuration of older versions
        "dh_installinit",  # services are not started in an image
        "dh_installmenu",
        "dh_installsystemd",
        "dh_installsystemduser",
        "dh_installtmpfiles",  # folders that are made when a system starts
        "dh_makeshlibs",  # ldconfig, computed
        "dh_pypy",
        "dh_python3",  # bytecode, which Python does without
        "dh_usrlocal",  # empty folders
    )
)
_SNIPPET = re.compile(
    r"^# Automatically added by (\w+)[^\n]*\n(.*?)^# End automatically added section[^\n]*$", re.DOTALL | re.MULTILINE
)


def look_at(package: Package, script: str) -> None:
    """Evaluate a script with nothing known about its system. Raises UnknownScriptError."""
    if reason(package.name, script) is None:
        _run(package, script, Unseen(package), Accounts(None))


def run_scripts(
    tree: Tree, packages: Mapping[str, Package], skipped: Collection[str] = ()
) -> tuple[dict[str, Entry], list[tuple[Package, list[Field]]]]:
    """The entries, by path, that all scripts make or change in the tree, and their calls of update-alternatives.

    A package is configured after those that it depends on. Raises UnknownScriptError.
    """
    native = next((p.fields["Architecture"] for p in packages.values() if p.fields["Architecture"] != "all"), "all")
    changed: dict[str, Entry] = {}
    offers: list[tuple[Package, list[Field]]] = []
    made: set[str] = set()
    accounts = Accounts(tree, changed)
    for package in _ordered(packages):
        for script in SCRIPTS:
            if package.script(script) and package.name not in skipped and reason(package.name, script) is None:
                system = System(
                    package, offers, tree=tree, changed=changed, made=made, native=native, installed=packages
                )
                _run(package, script, system, accounts)
    return changed, offers


def _ordered(packages: Mapping[str, Package]) -> Iterator[Package]:
    """By name, but each after its dependencies; of those that depend on each other, by name."""
    providers: dict[str, list[str]] = {}
    for name, package in packages.items():
        for virtual in (name, *_RELATION.findall(package.fields.get("Provides", ""))):
            providers.setdefault(virtual, []).append(name)
    seen: set[str] = set()

    def visit(name: str) -> Iterator[Package]:
        if name in seen:
            return
        seen.add(name)
        fields = packages[name].fields
        needs = f"{fields.get('Pre-Depends', '')}, {fields.get('Depends', '')}"
        for other in sorted({one for need in _RELATION.findall(needs) for one in providers.get(need, ())}):
            yield from visit(other)
        yield packages[name]

    for name in sorted(packages):
        yield from visit(name)


def _run(package: Package, script: str, system: Unseen, accounts: Accounts) -> None:
    commands = {
        **plain_commands(system),
        **file_commands(system),
        **account_commands(system, accounts),
        **package_commands(system),
        **font_commands(system),
    }
    known = {name: partial(_failing, command) for name, command in commands.items()}
    known |= {name: partial(_failing, partial(_interpreted, system, known)) for name in _INTERPRETED}
    architecture = system.architecture
    values: dict[str, Field] = {
        "DEB_HOST_MULTIARCH": architecture and _MULTIARCH.get(architecture),
        "DPKG_MAINTSCRIPT_ARCH": architecture,
        "DPKG_MAINTSCRIPT_NAME": script,
        "DPKG_MAINTSCRIPT_PACKAGE": package.name,
        "DPKG_ROOT": "",
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
    }
    text = instead(package.name, script) or package.script(script)
    try:
        if (other := _LANGUAGE.match(text)) and not _SHELLS.fullmatch(other[1]):
            raise UnknownSyntaxError(f"a script for {other[1]}")  # noqa: TRY301 - as what is found while it is parsed
        if other and other[1].endswith("bash") and (braces := _BRACES.search(text)):
            raise UnknownSyntaxError(f"what only bash expands: {braces[0]}")  # noqa: TRY301 - likewise
        shell = _shell(known, system, SCRIPTS[script], values)
        if re.match(r"#!.* -[a-z]*e", text):
            shell.exit_on_failure()
        shell.run(_parsed(_SNIPPET.sub(_kept, text)))
    except (NotComputedError, UnknownSyntaxError) as error:
        raise UnknownScriptError(package, script, text, str(error)) from None


def _shell(
    commands: Mapping[str, Callable[[Call], Status]],
    system: Unseen,
    arguments: tuple[Field, ...],
    values: dict[str, Field],
) -> Shell:
    def store(path: Field, text: Field, append: bool) -> None:
        try:
            system.write(path, text, append)
        except Missing:
            raise NotComputedError(f"> {path}") from None

    return Shell(
        commands,
        store=store,
        paths=system.paths,
        arguments=list(arguments),
        values=values,
        certain=isinstance(system, System),
    )


def _kept(snippet: re.Match[str]) -> str:
    return "" if snippet[1] in _HARMLESS_SNIPPETS else snippet[0]


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Node:
    return parse(text)


def _failing(command: Callable[[Call], Status], call: Call) -> Status:
    """A command that misses a file says so, and fails; one with words that it cannot read is not computed."""
    try:
        return command(call)
    except Missing:
        return False
    except (ValueError, IndexError):
        raise call.refuse() from None


def _interpreted(system: Unseen, commands: Mapping[str, Callable[[Call], Status]], call: Call) -> Status:
    path = system.program(call.words[0])
    text = None if path is None else system.read(path)
    if text is None:
        return None
    return _shell(commands, system, tuple(call.words[1:]), {}).run(_parsed(text))
