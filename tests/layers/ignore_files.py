"""Ignore files, and what they do to one tree: what tests of ours hold us to, and what Docker itself is asked."""

from __future__ import annotations

TREE = (
    "!bang",
    "#hash",
    "(p)|q",
    "-",
    ".dockerignore",
    ".hidden",
    "A.TXT",
    "Dockerfile",
    "README.md",
    "[ab].txt",
    "^foox",
    "a$",
    "a*b",
    "a-z",
    "a.b+c",
    "a.txt",
    "a/b/c",
    "a/b/d/e",
    "a/x",
    "a\\b",
    "a]b",
    "a^b",
    "ab.txt",
    "abc.txt",
    "b.txt",
    "café.txt",
    "data/drop.bin",
    "data/keep.bin",
    "data/sub/drop.bin",
    "data/sub/keep.bin",
    "docs/a.md",
    "docs/b.md",
    "docs/deep/a.md",
    "docs/deep/er/x.md",
    "empty/",
    "foo",
    "foox",
    "mo/du/les/x/y.pyc",
    "mydocs/a",
    "new\nline.txt",
    "sp ace",
    "x/cache/y",
    "x/cached",
    "x/docs/a.md",
    "x/new\nline/y",
    "xfoo",
    "y.pyc",
    "{x}",
)
"""Files by their path, and one folder with nothing in it."""

LEFT_OUT: dict[str, tuple[str, ...]] = {
    "": (),
    "*\n!*": (),
    "*.txt": ("[ab].txt", "a.txt", "ab.txt", "abc.txt", "b.txt", "café.txt", "new\nline.txt"),
    "**/*.txt": ("[ab].txt", "a.txt", "ab.txt", "abc.txt", "b.txt", "café.txt", "new\nline.txt"),
    "*/*.md": ("docs/a.md", "docs/b.md"),
    "**/*.md": ("README.md", "docs/a.md", "docs/b.md", "docs/deep/a.md", "docs/deep/er/x.md", "x/docs/a.md"),
    "docs": ("docs/",),
    "docs/": ("docs/",),
    "/docs/": ("docs/",),
    "./docs": ("docs/",),
    "docs/*": ("docs/a.md", "docs/b.md", "docs/deep/"),
    "docs/**": ("docs/a.md", "docs/b.md", "docs/deep/"),
    "**/docs": ("docs/", "x/docs/"),
    "docs/**/a.md": ("docs/a.md", "docs/deep/a.md"),
    "**/er/**": ("docs/deep/er/x.md",),
    "**cache": ("x/cache/",),
    "**foo": ("foo", "xfoo"),
    "**foo*": ("foo", "foox"),
    "foo**": ("foo", "foox"),
    "a/**/e": ("a/b/d/e",),
    "a**": ("a/", "a$", "a*b", "a-z", "a.b+c", "a.txt", "a\\b", "a]b", "a^b", "ab.txt", "abc.txt"),
    "**/docs/**": ("docs/a.md", "docs/b.md", "docs/deep/", "x/docs/a.md"),
    "docs\n!docs/a.md": ("docs/b.md", "docs/deep/"),
    "docs/**\n!docs/deep/er": ("docs/a.md", "docs/b.md", "docs/deep/a.md"),
    "docs\n!docs/deep/*": ("docs/a.md", "docs/b.md"),
    "*.txt\n!a*.txt\nab*": ("[ab].txt", "ab.txt", "abc.txt", "b.txt", "café.txt", "new\nline.txt"),
    "!a.txt\n*.txt": ("[ab].txt", "a.txt", "ab.txt", "abc.txt", "b.txt", "café.txt", "new\nline.txt"),
    "data\n!data/sub\ndata/sub/drop.bin": ("data/drop.bin", "data/keep.bin", "data/sub/drop.bin"),
    "data/sub\n!data": ("data/sub/",),
    "a/b/c\n!a": ("a/b/c",),
    "a/b/c\n!a\na/b": ("a/b/",),
    "!a\na/b/c": ("a/b/c",),
    "x/*\n!x/cache\nx/cache/y": ("x/cache/y", "x/cached", "x/docs/", "x/new\nline/"),
    "docs\n!docs/deep/**\ndocs/deep/er": ("docs/a.md", "docs/b.md", "docs/deep/er/"),
    "x\n!**/y": ("x/cached", "x/docs/"),
    "do*\n!docs/*\ndocs/deep\n!**/er": ("docs/deep/a.md",),
    "#hash": (),
    " #hash": ("#hash",),
    "\\#hash": ("#hash",),
    "!bang": (),
    "\\!bang": ("!bang",),
    "docs\n! /docs/a.md": ("docs/b.md", "docs/deep/"),
    "docs\n./!docs/a.md": ("docs/b.md", "docs/deep/"),
    "!!bang": (),
    "\ta.txt  \r\nb.txt": ("a.txt", "b.txt"),
    "\xa0a.txt\u2003": ("a.txt",),
    "a.txt\u2028b.txt": (),
    "sp ace": ("sp ace",),
    "sp\\ ace": ("sp ace",),
    "\ufeffa.txt": ("a.txt",),
    "b.txt\n\ufeffa.txt": ("b.txt",),
    ".": (),
    "/": (),
    "..": (),
    "//a.txt": ("a.txt",),
    "docs/../a.txt": ("a.txt",),
    "/ a.txt": ("a.txt",),
    "a/./b//": ("a/b/",),
    "!.": (),
    "?.txt": ("a.txt", "b.txt"),
    "a?b": ("a*b", "a\\b", "a]b", "a^b"),
    "caf?.txt": ("café.txt",),
    "**/new*line.txt": ("new\nline.txt",),
    "**/y": ("x/cache/y", "x/new\nline/y"),
    "n**e.txt": (),
    "[^a].txt": ("b.txt",),
    "[!a].txt": ("a.txt",),
    "a[a-z]*.txt": ("ab.txt", "abc.txt"),
    "a[^a]b": ("a*b", "a/b/", "a\\b", "a]b", "a^b"),
    "[[]ab[\\]].txt": ("[ab].txt",),
    "[\\^]foox": ("^foox",),
    "[+.]hidden": (".hidden",),
    "[a\\-z]-z": ("a-z",),
    "a]b": ("a]b",),
    "caf[à-ü].txt": ("café.txt",),
    "a^b": ("a^b",),
    "a^*": (),
    "^foo*": ("foo", "foox"),
    "a\\*b": ("a*b",),
    "a\\\\b": ("a\\b",),
    "a?b+c": ("a.b+c",),
    "{x}": ("{x}",),
    "{*}": ("{x}",),
    "{x,y}": (),
    "a$*": ("a$",),
    "(p)|q": ("(p)|q",),
    "(p)\\|*": ("(p)|q",),
    "*.tx.": (),
    "A.TXT": ("A.TXT",),
    "README.MD": (),
    ".*": (".dockerignore", ".hidden"),
    "mo/**/y.pyc": ("mo/du/les/x/y.pyc",),
    "empty": ("empty/",),
    "empty/*": (),
    ".dockerignore": (".dockerignore",),
}
"""Ignore files, and what they leave out; a slash at the end stands for a folder and all that is in it."""

KEPT: dict[str, tuple[str, ...]] = {
    "*\n!docs": ("docs/",),
    "*\n!docs/a.md": ("docs/a.md",),
    "*\n!docs\ndocs/deep\n!docs/deep/er/x.md": ("docs/a.md", "docs/b.md", "docs/deep/er/"),
    "**\n!**/*.md": ("README.md", "docs/", "x/docs/"),
    "*\n!a\n!a/b\na/b/d": ("a/b/c", "a/x"),
    "**/*\n!a/b/c": ("a/b/c",),
    "!*\n*": (),
    "***": (),
    "*\n!./": (),
}
"""Ignore files that leave out more than they keep, and what they keep."""

SINCE_DOCKER_23 = frozenset(
    {
        "**foo",  # was `**/foo`
        "a/b/c\n!a",  # a pattern that could change nothing for a folder came back for what lies in it
        "data/sub\n!data",  # likewise
        "**\n!**/*.md",  # `.` in a name was no line break, and `**` was .*
        "**/y",  # likewise
        "a^b",  # was a regular expression
        "(p)\\|*",  # parentheses were a group
        "a?b+c",  # `+` was "once or more often"
        "b.txt\n\ufeffa.txt",  # a mark of byte order was left out anywhere
    }
)
"""Where Docker's builders before version 23 do something else."""

BUILDKIT_ALONE = frozenset({"x\n!**/y", "do*\n!docs/*\ndocs/deep\n!**/er", "**\n!**/*.md"})
"""Where the classic builder does something else, and so did BuildKit of Docker 20.10: they do not look into a folder
that is left out unless an exception names it, or something in it, without wildcards."""

REFUSED: dict[str, str] = {
    "[a": "a `[` has no `]`",
    "[]a]": "there is nothing between the brackets",
    "[^]a]": "there is nothing between the brackets",
    "[-a]": "a range between the brackets has only one end",
    "[a-]": "a range between the brackets has only one end",
    "[a-b-c]": "a range between the brackets has only one end",
    "[z-a]": "the range z-a is the wrong way round",
    "a\\": "it ends in the middle of an escape",
    "!": "there is nothing after the `!`",
    "!/": "there is nothing after the `!`",
    "caf\\é": "Docker does not take \\é for é; leave the backslash out",
}
"""Patterns that Docker refuses, and why they are here."""

MISTAKEN: dict[str, str] = {
    r"\data": r"Docker does not take \d for d; leave the backslash out",
    "[*]": "`*`, `?` and `[:` do not work between brackets in Docker; put a backslash before a wildcard",
    "[[:alpha:]]*": "`*`, `?` and `[:` do not work between brackets in Docker; put a backslash before a wildcard",
    "*.a|*.b": "Docker does not take `|` as it is beside a wildcard; put a backslash before it",
    "a{1,2}*": "Docker does not take `{` as it is beside a wildcard; put a backslash before it",
}
"""Patterns that mean to Docker what nobody who writes them means: they are refused rather than followed."""
