"""Interpreters share the work out; what they make does not show it, and one that ends is an error with a name in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cog_oci import bytecode
from cog_oci.bytecode import CannotCompileError, TargetInterpreter, _interpreters, _target, cannot_compile
from cog_oci.errors import CogError
from cog_oci.layers._tar import Bytes
from cog_oci.oci import Platform
from tests.layers.deb_builder import deb, keep

HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "none")
SOURCES = [(f"/x/m{number}.py", Bytes(b"def f(a):\n    return {'a': a, 'n': %d}\n" % number)) for number in range(150)]


class Here:
    """In the sandbox's place: the same command on this host."""

    started: list[subprocess.Popen[bytes]]

    def __init__(self, image, store):
        pass

    @contextlib.contextmanager
    def start(self, command, *, env, stdin, stdout):
        with subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout) as process:
            Here.started.append(process)
            yield process


@pytest.fixture(autouse=True)
def here(monkeypatch):
    Here.started = []
    monkeypatch.setattr(_interpreters, "Sandbox", Here)
    yield
    assert all(process.returncode is not None for process in Here.started)


def cores(monkeypatch, number: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(number)), raising=False)


def test_the_number_of_cores_does_not_show(monkeypatch, store):
    made = []
    for number in (1, 3):
        cores(monkeypatch, number)
        with _interpreters.started(None, sys.executable, store) as compile_:
            made.append(list(compile_(SOURCES)))

    assert len(Here.started) == 4
    assert made[0] == made[1]
    assert all(made[0])


def test_what_does_not_compile_is_none_in_its_place(store):
    sources = [("/a.py", Bytes(b"1 +\n")), ("/b.py", Bytes(b"x = 1\n")), ("/c.py", Bytes(b""))]

    with _interpreters.started(None, sys.executable, store) as compile_:
        first, second, third = compile_(sources)

    assert first is None
    assert second
    assert third


def test_nothing_to_compile_is_no_work(store):
    with _interpreters.started(None, sys.executable, store) as compile_:
        assert list(compile_([])) == []


def test_an_interpreter_that_does_not_start_is_said_with_the_file_it_should_have_compiled(store):
    with (
        pytest.raises(CogError, match=r"ended with status 1 while it compiled /x/m") as caught,
        _interpreters.started(None, "false", store) as compile_,
    ):
        list(compile_(SOURCES))

    assert "--no-bytecode" in caught.value.hint


def test_half_a_file_is_none(store, tmp_path):
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nhead -c 20 >/dev/null; printf '+\\0\\0\\0\\144half'\n")
    dying.chmod(0o755)

    with (
        pytest.raises(CogError, match=r"ended with status 0 while it compiled /a.py"),
        _interpreters.started(None, str(dying), store) as compile_,
    ):
        list(compile_([("/a.py", Bytes(b"x = 1\n"))]))


def test_an_error_elsewhere_ends_the_interpreters(store):
    with pytest.raises(KeyError), _interpreters.started(None, sys.executable, store) as compile_:
        compile_(SOURCES)
        raise KeyError


def test_another_operating_system_cannot_run_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert "needs Linux" in cannot_compile(Platform("linux", HERE))


def test_another_processor_cannot_run_it():
    other = {"amd64": "arm64"}.get(HERE, "amd64")

    assert f"the image is for {other}" in cannot_compile(Platform("linux", other))


def test_a_host_without_namespaces_cannot_run_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "platform", "linux")

    assert cannot_compile(Platform("linux", HERE)) == "there is no `unshare` on PATH"


def target(store, name: str = "python3.13", **changes: object) -> TargetInterpreter:
    own = replace(keep(store, deb(name)), **changes)
    return TargetInterpreter("3.13", "/usr/bin/python3.13", "amd64", (own,), below=())


def test_a_host_that_cannot_is_an_error_that_says_what_to_do(store, monkeypatch):
    monkeypatch.setattr(_target, "cannot_compile", lambda _: "this host is a toaster")

    with pytest.raises(CannotCompileError, match="this host is a toaster") as caught, target(store).open(store):
        pass

    assert "linux/amd64" in caught.value.hint
    assert "cog-oci lock --no-bytecode" in caught.value.hint
    assert Here.started == []


def test_the_interpreters_own_packages_are_its_recipe(store):
    assert target(store).recipe == target(store).recipe
    assert target(store).recipe != target(store, "python3.13-minimal").recipe
    assert bytecode.TargetInterpreter is TargetInterpreter
