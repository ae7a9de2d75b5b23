"""Bytecode is made by the interpreter that will load it: the image's own, at work on the build host, in the sandbox.

`TargetInterpreter` is what a bytecode layer compiles with, `_interpreters` runs it on the image's base and nothing
else, and `_program` is what it runs there.
"""

from cog_oci.bytecode._target import CannotCompileError, TargetInterpreter, cannot_compile

__all__ = ["CannotCompileError", "TargetInterpreter", "cannot_compile"]
