"""Commands of maintainer scripts that only ask, print or decide; and those that do nothing in an image."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.arguments import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.layers._effects.system import Unseen
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field

__all__ = ["plain_commands"]

NOTHING: Mapping[str, str] = {
    "dbus-uuidgen": "a machine has its id from the system that starts it",
    "deb-systemd-helper": "services are not started in an image",
    "deb-systemd-invoke": "services are not started in an image",
    "dpkg-maintscript-helper": "works on files of older versions",
    "dpkg-trigger": "what triggers do is computed for all packages together",
    "gtk-update-icon-cache": "computed",
    "invoke-rc.d": "services are not started in an image",
    "journalctl": "messages of a journal that no container keeps",
    "ldconfig": "computed",
    "py3clean": "bytecode, which Python does without",
    "py3compile": "bytecode, which Python does without",
    "remove-shell": "works on older versions",
    "systemctl": "services are not started in an image",
    "systemd-machine-id-setup": "a machine has its id from the system that starts it",
    "systemd-tmpfiles": "its folders are made when a system starts",
    "trap": "what to do when the script is interrupted",
    "udevadm": "devices are the business of the system that starts it",
    "update-binfmts": "the kernel's business",
    "update-grub": "a container boots nothing",
    "update-icon-caches": "computed",
    "update-initramfs": "a container boots nothing",
    "update-mime": "tells readers of mail what opens what",
    "update-mime-database": "computed",
    "update-rc.d": "services are not started in an image",
    "update-shells": "computed",
}
"""Commands that leave nothing in an image, or whose work is done for all packages together, and why."""

_UNARY = frozenset(
    [
        "-d",
        "-e",
        "-f",
        "-h",
        "-L",
        "-n",
        "-r",
        "-s",
        "-w",
        "-x",
        "-z",
        "-b",
        "-c",
        "-p",
        "-S",
        "-u",
        "-g",
        "-k",
        "-O",
        "-G",
        "-t",
    ]
)
_LESS = frozenset(["lt", "le", "ne", "<<", "<=", "<", "lt-nl", "le-nl"])
_MORE = frozenset(["gt", "ge", "eq", ">>", ">=", ">", "=", "gt-nl", "ge-nl"])
_BINARY = frozenset(["=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"])


def plain_commands(system: Unseen) -> Mapping[str, Callable[[Call], Status]]:
    """By name, asking this system."""
    return {
        **dict.fromkeys(NOTHING, _true),
        ":": _true,
        "[": partial(_test, system),
        "basename": _basename,
        "command": partial(_which, system),
        "dirname": _dirname,
        "dpkg": partial(_dpkg, system),
        "dpkg-query": partial(_dpkg_query, system),
        "echo": _echo,
        "false": _false,
        "ischroot": _true,
        "mountpoint": _mountpoint,
        "pam-auth-update": _pam_auth_update,
        "pidof": _false,
        "printf": _printf,
        "set": _set,
        "test": partial(_test, system),
        "true": _true,
        "type": partial(_which, system),
        "uname": _uname,
        "which": partial(_which, system),
    }


def _set(call: Call) -> Status:
    """Options only; what `set -e` asks for is done."""
    for word in call.words[1:]:
        if not re.fullmatch(r"[-+][eux]+", word or ""):
            raise call.refuse()
        if (word or "").startswith("-") and "e" in (word or ""):
            call.shell.exit_on_failure()
    return True


def _true(_call: Call) -> Status:
    return True


def _false(_call: Call) -> Status:
    return False


def _test(system: Unseen, call: Call) -> Status:
    """test(1), with `-a`, `-o` and `!`, without parentheses."""
    words = call.words[1:]
    if call.words[0] == "[":
        if words[-1:] != ["]"]:
            raise call.refuse()
        words = words[:-1]
    return _any(system, words, call)


def _any(system: Unseen, words: list[Field], call: Call) -> Status:
    for operator, decisive in (("-o", True), ("-a", False)):
        if operator in words[1:] and len(words) > 3:
            at = words.index(operator, 1)
            left, right = _any(system, words[:at], call), _any(system, words[at + 1 :], call)
            return decisive if decisive in {left, right} else None if None in {left, right} else not decisive
    return _primary(system, words, call)


def _primary(system: Unseen, words: list[Field], call: Call) -> Status:
    match words:
        case ["!", _, *_]:
            found = _primary(system, words[1:], call)
            return None if found is None else not found
        case []:
            return False
        case [word]:
            return None if word is None else word != ""
        case [str(operator), word] if operator in _UNARY:
            return _unary(system, operator, word)
        case [left, str(operator), right] if operator in _BINARY:
            return _binary(left, operator, right, call)
        case _:
            raise call.refuse()


def _unary(system: Unseen, operator: str, word: Field) -> Status:
    if operator in {"-n", "-z"}:
        return None if word is None else (word == "") == (operator == "-z")
    if operator == "-t":
        return False
    if operator in {"-h", "-L"}:
        kind = system.kind(word, follow=False)
        return None if kind is None else kind == "symlink"
    kind = system.kind(word)
    if kind is None or not kind:
        return None if kind is None else False
    if operator in {"-d", "-f"}:
        return kind == ("directory" if operator == "-d" else "file")
    if operator in {"-e", "-r", "-w"}:
        return True
    if operator == "-s":
        return None if kind == "file" and system.read(word) is None else kind != "file" or system.read(word) != ""
    return kind in {"file", "directory"} if operator == "-x" else False


def _binary(left: Field, operator: str, right: Field, call: Call) -> Status:
    if left is None or right is None:
        return None
    if operator in {"=", "==", "!="}:
        return (left == right) == (operator != "!=")
    if operator in {"-nt", "-ot", "-ef"} or not all(re.fullmatch(r"\s*-?[0-9]+\s*", word) for word in (left, right)):
        raise call.refuse()
    one, other = int(left), int(right)
    return {
        "-eq": one == other,
        "-ne": one != other,
        "-lt": one < other,
        "-le": one <= other,
        "-gt": one > other,
        "-ge": one >= other,
    }[operator]


def _dpkg(system: Unseen, call: Call) -> Status:
    match call.words[1:]:
        case ["--compare-versions", left, str(operator), *rest] if len(rest) <= 1:
            right = rest[0] if rest else ""
            return _fresh(left, operator, right, call)
        case ["--print-architecture"]:
            architecture = system.architecture
            call.write(architecture and architecture + "\n")
            return True
        case ["-L" | "-l" | "-s" | "--status" | "--list" | "--listfiles", name]:
            return _about(system, name, call)
    raise call.refuse()


def _dpkg_query(system: Unseen, call: Call) -> Status:
    valued = {"f": "showformat"}
    _, _, (name, *_) = arguments(call, "Wsl", "show status list control-path", valued, least=1, most=2)
    return _about(system, name, call)


def _about(system: Unseen, name: Field, call: Call) -> Status:
    """Nothing is said of a package that is not there; what is said of another is not known."""
    found = system.has_package(name)
    if found is not False:
        call.write(None)
    return found


def _fresh(left: Field, operator: str, right: Field, call: Call) -> Status:
    """A comparison with the version that was there before: none, which is less than all, or with `-nl` more."""
    if left is None or right is None:
        return None
    if left or not right or operator not in _LESS | _MORE:
        raise call.refuse()
    return (operator in _LESS) != operator.endswith("-nl")


def _which(system: Unseen, call: Call) -> Status:
    """`command -v NAME`, `which NAME` and `type NAME`: where the program is."""
    flags, _, (name,) = arguments(call, "vs", least=1, most=1)
    if call.words[0] == "command" and "v" not in flags:
        raise call.refuse()
    path = system.program(name)
    if path is None:
        call.write(None)
        return None
    call.write(f"{path}\n" if path else "")
    return bool(path)


def _echo(call: Call) -> Status:
    words = call.words[1:]
    end = "\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], ""
    elif words and words[0] in {"-e", "-en"}:
        call.write(None)
        return True
    known = [word for word in words if word is not None]
    text = " ".join(known) + end
    # A backslash is for dash to interpret and for bash to print.
    call.write(text if len(known) == len(words) and "\\" not in text else None)
    return True


def _printf(call: Call) -> Status:
    """A format without anything to fill in is what it prints; any other is not known."""
    text = call.words[1] if len(call.words) == 2 else None
    call.write(None if text is None or "%" in text else re.sub(r"\\n", "\n", text))
    return True


def _basename(call: Call) -> Status:
    _, _, (path, *suffix) = arguments(call, least=1, most=2)
    if path is None or None in suffix:
        call.write(None)
        return True
    name = path.rstrip("/").rpartition("/")[2]
    call.write((name.removesuffix(suffix[0] or "") if suffix and name != suffix[0] else name) + "\n")
    return True


def _dirname(call: Call) -> Status:
    _, _, (path,) = arguments(call, least=1, most=1)
    folder, slash, _ = (path or "").rstrip("/").rpartition("/")
    call.write(None if path is None else (folder or slash or ".") + "\n")
    return True


def _mountpoint(call: Call) -> Status:
    """A running system has /proc; nothing else is mounted."""
    _, _, (path,) = arguments(call, "qd", least=1, most=1)
    return None if path is None else path == "/proc"


def _pam_auth_update(call: Call) -> Status:
    """Done for all packages together, with the profiles that are on by default: a call for others is refused."""
    arguments(call, long="package force", valued={"r": "root"})
    return True


def _uname(call: Call) -> Status:
    if call.words[1:] not in ([], ["-s"]):
        raise call.refuse()
    call.write("Linux\n")
    return True
