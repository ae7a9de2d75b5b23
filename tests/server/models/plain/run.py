# ruff: noqa: T201 - a model prints
"""A synchronous model that does what it is told."""

import datetime as dt
import decimal
import os
import resource
import subprocess
import sys
import threading
import time
from typing import Any

from cog import BaseRunner, CancelationException


class Runner(BaseRunner):
    def setup(self) -> None:
        print("setup begin")
        subprocess.run(["echo", "setup subprocess"], check=True)
        print("setup end", file=sys.stderr)
        self.count = 0

    def run(self, op: str = "hello", text: str = "", seconds: float = 0.0) -> Any:
        self.count += 1
        return getattr(self, op)(text, seconds)

    def hello(self, text, seconds):
        return "hello " + text

    def sleep(self, text, seconds):
        try:
            print("begin")
            time.sleep(seconds)
        except CancelationException:
            print("cleanup")
            raise
        return "slept"

    def spin(self, text, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return "spun"

    def swallow(self, text, seconds):
        try:
            time.sleep(seconds)
        except CancelationException:
            return "swallowed"
        return "slept"

    def fail(self, text, seconds):
        print("about to fail")
        self.record_metric("m", 1)
        raise ValueError(text)

    def fail_twice(self, text, seconds):
        class UnspeakableError(Exception):
            def __str__(self):
                raise ValueError(text)

        raise UnspeakableError

    def reconfigure(self, text, seconds):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
        print(text)

    def leave(self, text, seconds):
        sys.exit(3)

    def crash(self, text, seconds):
        print("last line")
        os.write(2, b"last words\n")
        time.sleep(seconds)
        os._exit(7)

    def fork_and_crash(self, text, seconds):
        if os.fork() == 0:
            time.sleep(30)
        os._exit(7)

    def fork(self, text, seconds):
        print("parent")
        if os.fork() == 0:
            print("child " * 20_000)
            os._exit(0)
        os.wait()
        print("parent " * 20_000)

    def fork_logger(self, text, seconds):
        stream = sys.stdout
        os.write(1, b"parent\n")
        if os.fork() == 0:
            stream.write("kept\n")
            print("child")
            os._exit(0)
        os.wait()

    def mixed(self, text, seconds):
        print("one")
        subprocess.run(["echo", "two"], check=True)
        print("three", file=sys.stderr)
        os.write(1, b"four\n")
        print("five", end="")

    def quiet(self, text, seconds):
        return None

    def threads(self, text, seconds):
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    def straggle(self, text, seconds):
        def late():
            time.sleep(seconds)
            print("late line")

        threading.Thread(target=late, daemon=True).start()

    def stdin(self, text, seconds):
        return sys.stdin.read()

    def numbers(self, text, seconds):
        return [float("nan"), float("inf"), 2**70, 1.5]

    def days(self, text, seconds):
        return {1: dt.date(2024, 2, 29), 2: decimal.Decimal(3), "set": {1}}

    def surrogate(self, text, seconds):
        return "\ud800"

    def alien(self, text, seconds):
        return object()

    def hoard(self, text, seconds):
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        self.hoarded = []
        while True:
            self.hoarded.append(os.open(os.devnull, os.O_RDONLY))

    def pid(self, text, seconds):
        return os.getpid()

    def metrics(self, text, seconds):
        self.record_metric("tokens", 1, mode="increment")
        self.record_metric("tokens", 2, mode="increment")
        self.record_metric("timing.load", 0.5)
        self.record_metric("list", 1, mode="append")
        self.record_metric("gone", "x")
        del self.scope.metrics["gone"]
        return self.scope.context

    def retype(self, text, seconds):
        self.record_metric("a", 1)
        self.record_metric("a", "x")
