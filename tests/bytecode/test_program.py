"""What runs in the image: sources in, bytecode out, the same bytes whatever is compiled before, beside or after."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import py_compile
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cog_oci.bytecode import _program

PROGRAM = Path(_program.__file__).read_text(encoding="utf-8")
MODULES = sorted(Path(json.__file__).parents[1].glob("[a-c]*.py"))


def compiled(*batches: list[tuple[str, bytes]], seed: str = "0") -> dict[str, tuple[bytes, bytes]]:
    """Each path's mark and bytes, from one run of the program."""
    request = b""
    for batch in batches:
        request += struct.pack(">I", len(batch))
        for path, source in batch:
            name = os.fsencode(path)
            request += struct.pack(">II", len(name), len(source)) + name + source
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-B", "-W", "ignore", "-c", PROGRAM],
        env={"PYTHONHASHSEED": seed},
        input=request,
        capture_output=True,
        check=True,
        timeout=60,
    )
    answers, at = {}, 0
    for path, _ in (source for batch in batches for source in batch):
        mark, size = struct.unpack_from(">cI", done.stdout, at)
        answers[path] = mark, done.stdout[at + 5 : at + 5 + size]
        at += 5 + size
    assert at == len(done.stdout)
    return answers


@pytest.fixture(scope="module")
def library() -> list[tuple[str, bytes]]:
    """Real modules, at the paths of an image."""
    assert len(MODULES) > 20
    return [(f"/usr/lib/{path.name}", path.read_bytes()) for path in MODULES]


def test_bytecode_depends_on_neither_order_nor_company_nor_hash_seed(library):
    shuffled = random.Random(7).sample(library, len(library))

    first = compiled(library)

    assert compiled(*([one] for one in shuffled), seed="1") == first
    assert compiled(shuffled[:7], shuffled[7:], seed="4711") == first


def test_it_is_what_py_compile_makes(library, tmp_path):
    ours = compiled(library)

    for (name, _), path in zip(library, MODULES, strict=True):
        theirs = tmp_path / "x.pyc"
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(theirs), name, doraise=True, invalidation_mode=unchecked)
        mark, data = ours[name]
        assert mark == b"+"
        assert data[:16] == theirs.read_bytes()[:16]
        assert marshal.loads(data[16:]) == marshal.loads(theirs.read_bytes()[16:])


def test_the_import_system_loads_it_without_a_look_at_the_source(tmp_path):
    _, data = compiled([("/x/m.py", b"x = 'as compiled'\n")])["/x/m.py"]
    source = tmp_path / "m.py"
    source.write_text("raise RuntimeError('compiled anew')\n")
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir()
    cached.write_bytes(data)

    done = subprocess.run(
        [sys.executable, "-c", "import m; print(m.x)"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "as compiled\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"print 'two'\n", "SyntaxError"),
        (b"x = 1\0\n", "null bytes"),
        (b"# coding: klingon\n", "SyntaxError"),
        (b"x = '\xff'\n", "SyntaxError"),
        (b"(" * 500 + b")" * 500, "too many nested parentheses"),
        (b"-" * 100_000 + b"1", "Error"),
    ],
)
def test_what_does_not_compile_says_why_and_the_next_one_compiles(source, reason):
    answers = compiled([("/a.py", source), ("/b.py", b"x = 1\n")])

    mark, text = answers["/a.py"]
    assert mark == b"-"
    assert reason in text.decode()
    assert answers["/b.py"][0] == b"+"


def test_paths_are_bytes_to_a_file_system():
    path = os.fsdecode(b"/x/\xff\xc3\xa9.py")

    mark, data = compiled([(path, b"x = 1\n")])[path]

    assert mark == b"+"
    assert marshal.loads(data[16:]).co_filename == path


def test_a_process_that_is_ended_ends_the_program(tmp_path):
    # As when memory runs out: a source that was not compiled then must not look like one that does not compile.
    killing = PROGRAM.replace("compile(source,", "os.kill(os.getpid(), 9) or compile(source,")
    assert killing != PROGRAM

    done = subprocess.run(
        [sys.executable, "-S", "-c", killing],
        input=struct.pack(">III", 1, 5, 6) + b"/x.pyx = 1\n",
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"ended with status -9" in done.stderr
