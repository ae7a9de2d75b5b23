"""The evaluated shell says what dash says, or that it does not know."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.layers._sh.evaluator import Shell
from cog_oci.layers._sh.expansion import NotComputedError
from cog_oci.layers._sh.nodes import UnknownSyntaxError
from cog_oci.layers._sh.parser import parse
from tests.conftest import need


def told(script: str, *arguments: str, certain: bool = True, commands=()) -> list[list[str | None]]:
    """The words of every call of `say`, in order."""
    calls: list[list[str | None]] = []

    def say(call):
        calls.append(call.words[1:])
        call.write(None if None in call.words else " ".join(call.words[1:]) + "\n")
        return True

    known = {"say": say, "true": lambda _: True, "false": lambda _: False, "perhaps": lambda _: None, **dict(commands)}
    known["set"] = lambda call: call.shell.exit_on_failure() or True
    shell = Shell(known, lambda *_: None, lambda _: [] if certain else None, list(arguments), certain=certain)
    shell.run(parse(script))
    return calls


SCRIPTS = {
    "quotes": """say "a  b" 'c  "d"' e\\ f "" "g'h" 'i'"j"k""",
    "variables": 'a=\'x  y\'; say $a; say "$a"; say ${a}z ${b-none} ${b:-none} ${a+set} ${b+set} "${b:-}" ${c:=d} $c',
    "trimming": "p=/usr/lib/x.so.1; say ${p##*/} ${p#/} ${p%.*} ${p%%.*} ${p%/*} ${p#none} ${p##/*/}",
    "arguments": 'say "$@" $# $1; for i; do say "<$i>"; done; shift; say $*; set -e',
    "substitution": 'a=$(say 1 2; say 3); say "$a" $a `say \\`say x\\``',
    "branches": "if false; then say a; elif true && ! false; then say b; else say c; fi; true || say d; false || say e",
    "case": 'for w in abc "a b" x.y "*"; do case $w in (a*c) say 1;; *.y | q) say 2;; "*") say 3;; *) say "[$w]"; esac; done',
    "functions": "f() {\n  say in $1 $#; return 0; say never\n}\nf a b; say out $#; g() (say sub); g",
    "loops": "for a in 1 2 3; do for b in x y; do [ $b = y ] && break; say $a $b; done; [ $a = 2 ] && break; done",
    "continue": "for a in 1 2; do true && continue; say never; done; say end",
    "continued": "say a \\\n  b # comment \\\nsay c\n# comment \\\nsay d",
    "heredoc": "x=v; say $(cat <<EOF\na $x \\$x\nEOF\n) after; say $(cat <<-'END'\n\t$x\n\tEND\n)",
    "groups": '{ say a; say b; } >/dev/null; (x=1; say $x); say "[$x]"',
    "assignments": 'x=1 y="$x"2; say $x $y; z=; say "[$z]"; x=3 true; say $x',
    "failing": "set -e; false || true; if false; then :; fi; ! true; say reached",
    "exit": "say a; (exit 1) || say b; exit 0; say c",
}
PRELUDE = 'say() { for w; do printf \'(%s)\' "$w"; done >&3; echo >&3; echo "$@"; }\n'


@pytest.mark.oracle
@pytest.mark.parametrize("name", SCRIPTS)
def test_dash_makes_the_same_calls(name):
    need("dash")
    commands = {
        "cat": lambda call: call.write(call.stdin) or True,
        "[": lambda call: call.words[1] == call.words[3],
        ":": lambda _: True,
    }
    ours = told(SCRIPTS[name], "1 2", "three", commands=commands)

    run = subprocess.run(
        ["dash", "-c", f"exec 3>&2\n{PRELUDE}{SCRIPTS[name]}", "sh", "1 2", "three"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "".join("".join(f"({word})" for word in call) + "\n" for call in ours) == run.stderr


@pytest.mark.parametrize(
    "script",
    [
        "while true; do say a; done",
        "say $((1 + 1))",
        "unknown command",
        "say a > /x > /y",
        "perhaps && say a",
        "if perhaps; then say a; fi",
        "case $(unheard) in a) say b;; esac",
        "f() { f; }\nf",
    ],
)
def test_what_is_not_computed_is_refused_when_it_is_reached(script):
    with pytest.raises(NotComputedError):
        told(script)
    if "f()" not in script:
        assert told(f"if false; then {script}\nfi\nexit 0\n{script}") == []


@pytest.mark.parametrize(
    "script",
    [
        "say 'a",
        'say "a',
        "say `a",
        "say $(a",
        "say ${a",
        "if true; then",
        "if true; then fi",
        "for 1 in a; do say; done",
        "case a in b say;; esac",
        "cat <<EOF\nx",
        "say a &",
        "say a) b",
        "fi",
        "[[ a == b ]]",
        "cat <(say a)",
        "say $'a'",
        "say ${#a}",
        "say a ;; say b",
        "(say a",
        "&& say a",
    ],
)
def test_what_is_not_parsed_is_refused_wherever_it_is(script):
    with pytest.raises(UnknownSyntaxError):
        parse(f"exit 0\n{script}\n")


def test_a_command_that_fails_where_nothing_looks_is_refused_as_dpkg_would_fail():
    with pytest.raises(NotComputedError, match=r"^false \(which fails\)$"):
        told("set -e; false; say never")


def test_both_sides_of_an_unknown_condition_are_looked_at():
    script = 'if perhaps; then say a; exit; else say b; x=1; fi; say "$x"; perhaps || say c; say d'

    assert told(script, certain=False) == [["a"], ["b"], [None], ["c"], ["d"]]


def test_all_cases_of_an_unknown_word_are_looked_at():
    script = 'x=$(say "$(perhaps; say_nothing)"); case $x in a) say a;; b) say b; return;; *) say c; esac; say d'

    found = told(script, certain=False, commands={"say_nothing": lambda call: call.write(None) or True})

    assert found == [[None], ["a"], ["b"], ["c"], ["d"]]


@given(st.text("ab $`;|&(){}<>\"'\\\n#=*?[]!-", max_size=30))
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(UnknownSyntaxError):
        parse(text)
