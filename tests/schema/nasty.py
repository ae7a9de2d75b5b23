"""Sources that nobody should write, by what is nasty in them. None of them is a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IMPORTS", "SOURCES", "write"]

IMPORTS = "from cog import BaseModel, Input, Opaque, Path\nfrom typing import *\n"


def nested(count: int, left: str, middle: str, right: str = "") -> str:
    return left * count + middle + right * count


SOURCES: dict[str, str | bytes] = {
    "unclosed bracket": "def run(a: int = (",
    "bad indentation": "def run() -> str:\npass",
    "tabs and spaces": "def run() -> str:\n\tif 1:\n        pass\n\tpass",
    "null byte": b"a = 1\x00",
    "latin-1": "def run(a: str = 'é') -> str: ...".encode("latin-1"),
    "utf-16": "def run() -> str: ...".encode("utf-16"),
    "unknown encoding": b"# coding: klingon\ndef run() -> str: ...",
    "python 2": "print 'hello'",
    "brackets": nested(10_000, "[", "", "]"),
    "minus signs": "a = " + nested(50_000, "-", "1"),
    "sums": "a = " + "+".join(["1"] * 20_000),
    "attributes": "a = b" + ".b" * 20_000,
    "calls": "a = b" + "()" * 20_000,
    "elifs": "if a: pass\n" + "elif a: pass\n" * 3_000,
    "nested types": f"def run(a: {nested(60, 'Optional[', 'int', ']')}) -> str: ...",
    "nested output": f"def run() -> {nested(60, 'list[', 'int', ']')}: ...",
    "nested dict": f"def run(a: dict = {nested(90, '{0:', '1', '}')}) -> str: ...",
    "nested string types": "def run(a: 'Optional[\"int') -> str: ...",
    "string in string type": """def run(a: '"A"') -> str: ...\nA = 'A'""",
    "alias of itself": "A = A\ndef run(a: A) -> str: ...",
    "aliases in a circle": "A = B\nB = C\nC = A\ndef run(a: A) -> str: ...",
    "constant of itself": "N = N + 1\ndef run(a: int = N) -> str: ...",
    "function of itself": "def f(): return f()\ndef run(a: int = f()) -> str: ...",
    "Input of itself": "def f(): return f()\ndef run(a: int = Input(default=f())) -> str: ...",
    "list of itself": "A = list['A']\ndef run(a: A) -> str: ...",
    "base of itself": "class A(A): ...\ndef run() -> A: ...",
    "bases in a circle": "class A(B): ...\nclass B(A): ...\ndef run() -> A: ...",
    "imports itself": "from run import A\ndef run(a: A) -> str: ...",
    "imports in a circle": "from other import A\ndef run(a: A) -> str: ...",
    "imports itself with a star": "from run import *\ndef run(a: A) -> str: ...",
    "relative beyond the top": "from ....x import A\ndef run(a: A) -> str: ...",
    "huge power": "def run(a: int = 9 ** 9 ** 9) -> str: ...",
    "huge shift": "def run(a: int = 1 << 10 ** 12) -> str: ...",
    "huge text": "def run(a: str = 'x' * 10 ** 12) -> str: ...",
    "huge list": "def run(a: list[int] = [0] * 10 ** 9) -> str: ...",
    "huge product of lists": "def run(a: list[int] = [[0] * 1000] * 10 ** 6) -> str: ...",
    "huge range": "def run(a: int = Input(choices=list(range(10 ** 9)))) -> str: ...",
    "huge width": "def run(a: str = f'{1:999999999}') -> str: ...",
    "huge nested width": "N = 999999999\ndef run(a: str = f'{1:{N}}') -> str: ...",
    "huge join": "def run(a: str = ('x' * 90000).join(['y'] * 90000)) -> str: ...",
    "huge replace": "def run(a: str = ('x' * 90000).replace('x', 'y' * 90000)) -> str: ...",
    "doubling": "A0 = [0, 0]\n"
    + "".join(f"A{n} = [A{n - 1}, A{n - 1}]\n" for n in range(1, 40))
    + "def run(a: dict = A39): ...",
    "many digits": "def run(a: int = int('9' * 90000)) -> str: ...",
    "division by zero": "def run(a: float = 1 / 0) -> str: ...",
    "infinity": "def run(a: float = 1e999) -> str: ...",
    "not a number": "def run(a: float = float('nan')) -> str: ...",
    "half a character": "def run(a: str = '\\ud800') -> str: ...",
    "bytes": "def run(a: str = b'x') -> str: ...",
    "complex": "def run(a: float = 1j) -> str: ...",
    "dict with int keys": "def run(a: dict = {1: 2}) -> str: ...",
    "unhashable key": "def run(a: dict = {[]: 2}) -> str: ...",
    "set": "def run(a: Any = {1, 2}) -> str: ...",
    "starred nothing": "def run(a: list[int] = [*None]) -> str: ...",
    "lambda": "def run(a: Any = lambda: 1) -> str: ...",
    "walrus": "def run(a: int = (b := 1)) -> str: ...",
    "await": "async def run(a: int = await b) -> str: ...",
    "environment": "import os\ndef run(a: str = os.environ['HOME']) -> str: ...",
    "file": "def run(a: str = open('/etc/passwd').read()) -> str: ...",
    "exit": "def run(a: int = exit()) -> str: ...",
    "dunder": "def run(a: str = ''.__class__.__name__) -> str: ...",
    "format": "def run(a: str = '{0.__class__}'.format(1)) -> str: ...",
    "percent": "def run(a: str = '%999999999d' % 1) -> str: ...",
    "positional only": "def run(a: int, /) -> str: ...",
    "lambda as run": "run = lambda: 1",
    "partial as run": "import functools\nrun = functools.partial(print)",
    "number as run": "run = 1",
    "deleted run": "def run() -> str: ...\ndel run",
    "run in main": "if __name__ == '__main__':\n    def run() -> str: ...",
    "nothing": "",
    "only a comment": "# nothing",
    "type is a number": "def run(a: 1) -> str: ...",
    "type is a call": "def run(a: int()) -> str: ...",
    "type is a list": "def run(a: [int]) -> str: ...",
    "type is a module": "import torch\ndef run(a: torch) -> str: ...",
    "type is a function": "def f(): ...\ndef run(a: f) -> str: ...",
    "type is a plain class": "class A: ...\ndef run(a: A) -> str: ...",
    "type is an attribute of a str": "def run(a: ''.b) -> str: ...",
    "bare Optional": "def run(a: Optional) -> str: ...",
    "bare Union": "def run(a: Union) -> str: ...",
    "empty Literal": "def run(a: Literal[()]) -> str: ...",
    "mixed Literal": "def run(a: Literal['x', 1]) -> str: ...",
    "empty tuple of list": "def run(a: list[()]) -> str: ...",
    "list of two": "def run(a: list[int, str]) -> str: ...",
    "dict of one": "def run() -> dict[str]: ...",
    "iterator of nothing": "def run() -> Iterator: ...",
    "iterator in a list": "def run() -> list[Iterator[str]]: ...",
    "iterator in an iterator": "def run() -> Iterator[Iterator[str]]: ...",
    "optional iterator": "def run() -> Iterator[str] | None: ...",
    "iterator as input": "def run(a: Iterator[str]) -> str: ...",
    "iterator as member": "class A(BaseModel):\n    x: Iterator[str]\ndef run() -> A: ...",
    "concatenated int": "from cog import ConcatenateIterator\ndef run() -> ConcatenateIterator[int]: ...",
    "Input in Annotated": "def run(a: Annotated[str, Input(description='x')]) -> str: ...",
    "Input with stars": "def run(a: str = Input(**OPTIONS)) -> str: ...",
    "Input with two defaults": "def run(a: str = Input('x', 'y')) -> str: ...",
    "pattern that is none": "def run(a: str = Input(regex='(')) -> str: ...",
    "pattern for int": "def run(a: int = Input(regex='x')) -> str: ...",
    "limit for str": "def run(a: str = Input(ge=1)) -> str: ...",
    "limit that is text": "def run(a: int = Input(ge='1')) -> str: ...",
    "limits that cross": "def run(a: int = Input(ge=2, le=1)) -> str: ...",
    "negative length": "def run(a: str = Input(max_length=-1)) -> str: ...",
    "description that is a number": "def run(a: str = Input(description=1)) -> str: ...",
    "default against pattern": "def run(a: str = Input(default='x', regex='^y')) -> str: ...",
    "default too long": "def run(a: str = Input(default='xx', max_length=1)) -> str: ...",
    "bool for int": "def run(a: int = True) -> str: ...",
    "int for bool": "def run(a: bool = 1) -> str: ...",
    "text in a list of int": "def run(a: list[int] = ['x']) -> str: ...",
    "secret default": "from cog import Secret\ndef run(a: Secret = 'hunter2') -> str: ...",
    "member from outside": "from torch import Base\nclass A(Base, BaseModel):\n    x: int\ndef run() -> A: ...",
    "union as output": "def run() -> int | str: ...",
    "concurrent that is text": "import cog\n@cog.concurrent(max='x')\nasync def run() -> str: ...",
    "concurrent that is none": "import cog\n@cog.concurrent(max=0)\nasync def run() -> str: ...",
    "concurrent and not async": "import cog\n@cog.concurrent(max=2)\ndef run() -> str: ...",
    "rot13": b"# coding: rot13\nqrs eha() -> fge: ...",
    "hex": b"# coding: hex\n6465",
    "bom and coding": b"\xef\xbb\xbf# coding: latin-1\ndef run(a) -> str: ...",
    "surrogates": b"def run(a: str = '\xed\xa0\x80') -> str: ...",
    "random bytes": bytes(range(256)) * 50,
    "elf": b"\x7fELF" + b"\0" * 1000,
    "null byte in a comment": b"# \0\ndef run() -> str: ...",
    "null byte in text": b"def run(a: str = '\0') -> str: ...",
    "10,000 parameters": "def run(" + ",".join(f"a{i}: int" for i in range(10000)) + ", b) -> str: ...",
    "10,000 mistakes": "def run(" + ",".join(f"a{i}" for i in range(10000)) + ") -> str: ...",
    "10,000 lines before a syntax error": "x = 1\n" * 10000 + "def",
    "10,000 lines of data": "X = [\n" + "    {'a': 1, 'b': [2, 3]},\n" * 10000 + "]\ndef run(a: dict = X) -> str: ...",
    "10,000 classes": "".join(f"class A{i}(A{i - 1 if i else 'X'}): ...\n" for i in range(10000))
    + "def run() -> A9999: ...",
    "10,000 aliases": "A0 = int\n"
    + "".join(f"A{i} = A{i - 1}\n" for i in range(1, 10000))
    + "def run(a: A9999) -> str: ...",
    "10,000 constants": "C0 = 1\n"
    + "".join(f"C{i} = C{i - 1} + 1\n" for i in range(1, 10000))
    + "def run(a: int = C9999) -> str: ...",
    "functions in functions": "def run() -> str:\n"
    + "".join(" " * (i + 1) + f"def f{i}():\n" for i in range(90))
    + " " * 95
    + "return a b",
    "wide union": "def run(a: " + " | ".join(f"list[{t}]" for t in ["int"] * 5000 + ["Path"]) + ") -> str: ...",
    "long text": "def run(a: int = '" + "x" * 3_000_000 + "') -> str: ...",
    "long line": "def run(a: int = (" + "1, " * 500_000 + ")) -> str: ...",
    "too large": "# " + "x" * 4_000_000,
    "long name": "def run(a: " + "b" * 1_000_000 + ") -> str: ...",
    "long number": "def run(a: int = " + "9" * 100_000 + ") -> str: ...",
    "long hexadecimal": "def run(a: int = 0x" + "f" * 1_000_000 + ") -> str: ...",
    "deep f-string": "def run(a: str = " + "f'{" * 30 + "1" + "}'" * 30 + ") -> str: ...",
    "nested parentheses": nested(300, "(", "1", ")"),
    "nested lambdas": "run = " + "lambda: " * 3000 + "1",
    "nested calls": "def run(a: int = " + nested(80, "int(", "1", ")") + ") -> str: ...",
    "nested ifs": "".join(" " * i + "if a:\n" for i in range(99)) + " " * 99 + "run = 1",
    "nested classes": "".join(" " * i + f"class A{i}:\n" for i in range(99))
    + " " * 99
    + "x: int\ndef run() -> A0: ...",
    "nested records": "".join(f"class A{i}(BaseModel):\n    x: A{i + 1}\n" for i in range(200))
    + "class A200(BaseModel):\n    x: int\ndef run() -> A0: ...",
    "doubling records": "".join(f"class A{i}(BaseModel):\n    x: A{i + 1}\n    y: A{i + 1}\n" for i in range(30))
    + "class A30(BaseModel):\n    x: int\ndef run() -> A0: ...",
    "doubling types": "A0 = int\n"
    + "".join(f"A{i} = Union[list[A{i - 1}], dict[str, A{i - 1}]]\n" for i in range(1, 40))
    + "def run(a: A39) -> A39: ...",
    "records in a circle": "class A(BaseModel):\n    b: 'B'\nclass B(BaseModel):\n    a: A\n    c: Tensor\ndef run() -> A: ...",
    "class in itself": "class A(A.B): ...\ndef run() -> A: ...",
    "names of names": "a = b.a\nb = a.b\ndef run(x: a.b.a.b) -> str: ...",
    "star circle": "from other import *\nfrom run import *\ndef run(a: Nope) -> str: ...",
    "import of a broken file": "from broken import A\ndef run(a: A) -> str: ...",
    "import of a folder": "from folder import A\ndef run(a: A) -> str: ...",
    "import of a package in a circle": "from package.a import A\ndef run(a: A) -> str: ...",
    "chain of imports": "from m0 import A\ndef run(a: A) -> str: ...",
    "self in annotation": "class Runner:\n    def run(self, a: 'Runner') -> 'Runner.run': ...\nrun = Runner",
    "type of a method": "class Runner:\n    x: int\n    def run(self, a: x) -> str: ...\nrun = Runner",
    "metaclass": "class M(type): ...\nclass R(metaclass=M): ...\nrun = R",
    "no self": "class R:\n    def run() -> str: ...\nrun = R",
    "global": "def f():\n    global run\n    def run() -> str: ...\nf()",
    "exec": "exec('def run() -> str: ...')",
    "setattr": "import sys\nsetattr(sys.modules[__name__], 'run', 1)",
    "walrus run": "(run := 1)",
    "run in a loop": "for run in []: ...",
    "run in a with": "with open('x') as run: ...",
    "run in an except": "try: ...\nexcept Exception as run: ...",
    "run in a match": "match 1:\n    case run: ...",
    "run imported from outside": "from torch import run",
    "run star imported": "from torch import *",
    "tuple type": "def run(a: (int, str)) -> str: ...",
    "dict type": "def run(a: {'x': int}) -> str: ...",
    "negative type": "def run(a: -int) -> str: ...",
    "and type": "def run(a: int and str) -> str: ...",
    "f-string type": "def run(a: f'int') -> str: ...",
    "bytes type": "def run(a: b'int') -> str: ...",
    "starred type": "def run(*a: *int) -> str: ...",
    "ellipsis type": "def run(a: ...) -> str: ...",
    "none type": "def run(a: None) -> None: ...",
    "never type": "from typing import Never\ndef run(a: Never) -> Never: ...",
    "self type": "from typing import Self\ndef run(a: Self) -> Self: ...",
    "type variable": "T = TypeVar('T')\ndef run(a: T) -> T: ...",
    "generic record": "T = TypeVar('T')\nclass A(BaseModel, Generic[T]):\n    x: T\ndef run() -> A[int]: ...",
    "callable type": "def run(a: Callable[[int], str]) -> str: ...",
    "protocol": "class A(Protocol):\n    x: int\ndef run(a: A) -> str: ...",
    "named tuple": "class A(NamedTuple):\n    x: int\ndef run() -> A: ...",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef run() -> A: ...",
    "enum": "import enum\nclass A(enum.Enum):\n    x = 1\ndef run(a: A) -> str: ...",
    "default of another type": "def run(a: Path = 3) -> str: ...",
    "default none of those": "def run(a: Literal['x'] = 'y') -> str: ...",
    "choices are a text": "def run(a: str = Input(choices='xy')) -> str: ...",
    "choices are a dict": "def run(a: str = Input(choices={'x': 1})) -> str: ...",
    "choices for a dict": "def run(a: dict = Input(choices=[{}])) -> str: ...",
    "regex that never ends": "def run(a: str = Input(default='" + "a" * 40 + "!', regex='^(a+)+$')) -> str: ...",
    "regex that is huge": "def run(a: str = Input(regex='" + "(" * 5000 + ")" * 5000 + "')) -> str: ...",
    "regex counts": "def run(a: str = Input(default='x', regex='(((a{1000}){1000}){1000})')) -> str: ...",
}


def write(name: str, folder: Path) -> None:
    """The source as run.py, and the files that it imports from."""
    source = SOURCES[name]
    header = "" if isinstance(source, bytes) else IMPORTS
    (folder / "run.py").write_bytes(source if isinstance(source, bytes) else (header + source).encode())
    files = {
        "other.py": "from run import A\nfrom run import *\nfrom other import *\n",
        "broken.py": "def",
        "package/a.py": "from .b import A\n",
        "package/b.py": "from .a import A\n",
        **({f"m{n}.py": f"from m{n + 1} import A\n" for n in range(300)} if "m0" in str(source) else {}),
    }
    (folder / "package").mkdir()
    (folder / "folder/__init__.py").mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text)
