"""Models made at random from the table of types, as a person might write them: spellings, files, defaults, constants."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hypothesis import strategies as st

__all__ = ["Model", "models"]

COG = "BaseModel BaseRunner File Input Opaque Path Secret AsyncConcatenateIterator ConcatenateIterator"
TYPING = "Annotated Any AsyncIterator Dict Iterator List Literal NotRequired Optional Required TypedDict Union"
PLAIN = f"from cog import {', '.join(COG.split())}\nfrom typing import {', '.join(TYPING.split())}\n"
QUALIFIED = "import cog as c\nimport typing as t\n"
HEADER = "import cog\nimport pathlib\nimport pydantic\nfrom dataclasses import field\n"
SHAPES = "class Thing:\n    pass\nclass Item(TypedDict):\n    name: str\n    count: NotRequired[int]\n"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("aé'\\\n", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
OBJECT = st.dictionaries(st.text("ab", max_size=2), JSON, max_size=2)
URL = st.just("https://host.example/x")
TEXT = st.text("abé'\"\\\n\t", max_size=6)
WHOLE = st.integers(-(10**6), 10**6)
REAL = st.floats(-1e9, 1e9) | WHOLE

INPUTS: dict[str, st.SearchStrategy[Any] | None] = {
    "str": TEXT,
    "int": WHOLE,
    "float": REAL,
    "bool": st.booleans(),
    "Path": URL,
    "pathlib.Path": URL,
    "File": URL,
    "Secret": None,
    "Any": JSON.filter(lambda value: value is not None),
    "dict": OBJECT,
    "dict[str, int]": OBJECT,
    "Dict[str, Any]": OBJECT,
    "Item": OBJECT,
    "Annotated[Thing, Opaque]": OBJECT,
    "Annotated[str, 'a note']": TEXT,
}
"""Annotation without parts → defaults that fit it; None where there must be none."""

OUTPUTS = ["str", "int", "float", "bool", "Path", "pathlib.Path", "File", "Any", "dict", "list", "Item"]
OUTPUTS += ["Annotated[Thing, Opaque]", "Annotated[int, 'a note']"]
OPTIONAL = ["Optional[{}]", "{} | None", "None | {}", "Union[{}, None]", "Union[None, {}]"]
WORDS = st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,6}", fullmatch=True)
NAMES = WORDS.filter(lambda name: not keyword.iskeyword(name) and name != "self" and not name.startswith("__"))
TAKEN = {"c", "t", "cog", "pathlib", "pydantic", "field", "str", "int", "float", "bool", "dict", "list"}
"""What a member with a default hides from the annotations of those below it, for Python as for whoever reads."""
MEMBERS = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and name not in TAKEN
)


BOOLEANS = st.booleans()


@cache
def _any(*choices: Any) -> st.SearchStrategy[Any]:
    """Any of these: the strategy is made once, which takes longer than to draw from it."""
    return st.sampled_from(choices)


@dataclass(frozen=True)
class Model:
    """The sources of a model by file; `reference` names what is in run.py."""

    files: dict[str, str]
    reference: str

    def __str__(self) -> str:
        return "\n".join(f"# {name}\n{text}" for name, text in self.files.items())


@dataclass
class Writer:
    """What has been written so far of a module: constants and records."""

    draw: Any
    plain: bool
    """Only what Cog's own introspection knows."""
    batched: bool = False
    constants: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def spelled(self, value: Any) -> str:
        """An expression with this value."""
        form = self.draw(_any("literal", "literal", "constant", "sum"))
        if form == "constant":
            name = f"C{len(self.constants)}"
            self.constants.append(f"{name} = {value!r}")
            return name
        if form == "sum" and isinstance(value, str) and value:
            cut = self.draw(st.integers(0, len(value)))
            joint = self.draw(_any(" ", " + "))
            return f"({value[:cut]!r}{joint}{value[cut:]!r})"
        if form == "sum" and type(value) is int:
            return f"{value - 1} + 1"
        return repr(value)

    def input_type(self) -> tuple[str, st.SearchStrategy[Any] | None, bool, str]:
        """An annotation, defaults that fit, whether None fits too, and the scalar that limits are said of."""
        kind = self.draw(_any("scalar", "scalar", "list", "union", *([] if self.plain else ["literal"])))
        scalar = self.draw(_any(*INPUTS))
        optional = self.draw(BOOLEANS)
        limited = ""
        match kind:
            case "scalar":
                annotation, defaults, limited = scalar, INPUTS[scalar], scalar
            case "list":
                form = self.draw(_any("list[{}]", "List[{}]"))
                annotation = form.format(scalar)
                items = INPUTS[scalar]
                defaults = None if items is None else st.lists(items, max_size=2)
            case "union":
                parts = self.draw(st.lists(st.sampled_from(["str", "bool", "float", "dict", "list[int]"]), min_size=2, max_size=3, unique=True))  # fmt: skip
                form = self.draw(BOOLEANS)
                annotation = " | ".join(parts) if form else f"Union[{', '.join(parts)}]"
                defaults = TEXT if "str" in parts else BOOLEANS if "bool" in parts else OBJECT
                if "str" not in parts and "bool" not in parts and "dict" not in parts:
                    defaults = WHOLE
            case _:
                values = self.draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))
                annotation, defaults = f"Literal[{', '.join(map(repr, values))}]", st.sampled_from(values)
        if optional:
            annotation = self.draw(_any(*OPTIONAL)).format(annotation)
        return annotation, defaults, optional, limited

    def parameter(self, name: str) -> str:
        annotation, defaults, optional, limited = self.input_type()
        value = None
        opens = self.plain and "File" in annotation  # Cog's introspection makes an open file of it
        has_default = defaults is not None and not opens and self.draw(BOOLEANS)
        if has_default:
            careless = not self.plain and self.draw(st.integers(0, 7)) == 0  # `seed: int = None`
            value = self.draw(st.none() | defaults) if optional else None if careless else self.draw(defaults)
        elif optional:
            has_default = self.draw(BOOLEANS)
        written = self.spelled(value) if has_default else None
        if self.batched:
            annotation = f"list[{annotation}]"
        if self.draw(st.integers(0, 5)) == 0:
            annotation = repr(annotation)
        if self.draw(BOOLEANS):
            return f"{name}: {annotation}" + (f" = {written}" if has_default else "")
        arguments = self.limits(limited, value if has_default else None)
        if self.draw(BOOLEANS):
            arguments.append(f"description={self.spelled(self.draw(TEXT))}")
        if self.draw(BOOLEANS):
            arguments.append(f"deprecated={self.draw(BOOLEANS)}")
        if has_default:
            arguments.insert(0, written if self.draw(BOOLEANS) else f"default={written}")
        return f"{name}: {annotation} = Input({', '.join(arguments)})"

    def limits(self, scalar: str, default: Any) -> list[str]:
        """Arguments of Input that the default fits."""
        if not scalar or not self.draw(BOOLEANS):
            return []
        if scalar in {"int", "float"}:
            middle = 0 if default is None else default
            if self.draw(BOOLEANS) or (self.plain and scalar == "float"):
                return [f"ge={self.spelled(middle - 1)}", f"le={self.spelled(middle + 2)}"]
            return [f"choices={[*self.draw(st.lists(WHOLE, min_size=1, max_size=2)), middle]!r}"]
        if scalar == "str":
            if self.draw(BOOLEANS):
                choices = [*self.draw(st.lists(TEXT, min_size=1, max_size=2)), default or ""]
                return [f"choices={self.draw(_any(list, tuple))(choices)!r}"]
            return [f"min_length={len(default or '')}", f"max_length={len(default or '') + 3}", "regex=r'(?s)^.*\\Z'"]
        return []

    def output(self, depth: int = 0) -> str:
        kinds = ["scalar", "record", "list", "dict"] if depth < 3 and not self.plain else ["scalar"]
        kind = self.draw(_any(*kinds))
        scalars = [each for each in OUTPUTS if not self.plain or each not in {"list", "Any", "Item"}]
        match kind:
            case "record" if self.names:
                return self.draw(_any(*self.names))
            case "list":
                return f"{self.draw(_any('list', 'List'))}[{self.output(depth + 1)}]"
            case "dict":
                return f"{self.draw(_any('dict', 'Dict'))}[str, {self.output(depth + 1)}]"
            case _:
                return self.draw(_any(*scalars))

    def returned(self) -> tuple[str, bool]:
        """A return type, and whether the function is asynchronous."""
        kind = self.draw(_any("value", "value", "Iterator", "AsyncIterator", "Concatenate"))
        if kind == "value" or self.batched:
            plain_list = self.plain and self.draw(BOOLEANS)
            record = self.plain and self.names and self.draw(BOOLEANS)
            text = self.names[-1] if record else f"list[{self.output()}]" if plain_list else self.output()
            return f"list[{text}]" if self.batched else text, self.draw(BOOLEANS)
        if kind == "Concatenate":
            form = self.draw(_any("Concatenate", "AsyncConcatenate"))
            return f"{form}Iterator[str]", form.startswith("Async")
        return f"{kind}[{self.output(2)}]", kind.startswith("Async")

    def record(self) -> None:
        """One more class that an output may be of."""
        kind = self.draw(_any("BaseModel", "BaseModel", "pydantic", "TypedDict"))
        kind = "BaseModel" if self.plain else kind
        name = f"Record{len(self.names)}"
        members = self.draw(st.lists(MEMBERS, min_size=1, max_size=3, unique=True))
        lines = [self.member(kind, each) for each in members]
        base = {"pydantic": "pydantic.BaseModel"}.get(kind, kind)
        if kind == "BaseModel":  # a dataclass: members with defaults are the last
            lines.sort(key=lambda line: " = " in line)
            derived = not self.plain and self.draw(BOOLEANS)
            if derived:
                self.records.append(f"class {name}Base(BaseModel):\n    inherited: str\n")
                base = f"{name}Base"
        elif kind == "TypedDict" and self.draw(BOOLEANS):
            base = "TypedDict, total=False"
        self.records.append(f"class {name}({base}):\n" + "".join(f"    {line}\n" for line in lines))
        self.names.append(name)

    def member(self, kind: str, name: str) -> str:
        annotation = self.output()
        if kind == "pydantic":
            annotation = re.sub(r"(?<![\w.])(Path|File)\b", "str", annotation)
            if re.search("Thing|Item|Record", annotation):  # of which pydantic wants more than Cog does
                annotation = "str"
        if kind == "TypedDict":
            return f"{name}: {self.draw(_any('{}', 'NotRequired[{}]', 'Required[{}]', 'Optional[{}]')).format(annotation)}"  # fmt: skip
        form = self.draw(_any("required", "optional", "default", "factory"))
        match form:
            case "optional":
                return f"{name}: {self.draw(_any(*OPTIONAL)).format(annotation)} = None"
            case "default" if not self.plain:
                return f"{name}: int = {self.draw(WHOLE)}"
            case "factory" if not self.plain:
                factory = "pydantic.Field" if kind == "pydantic" else "field"
                return f"{name}: list[int] = {factory}(default_factory=list)"
            case _:
                return f"{name}: {annotation}"


@st.composite
def models(draw: Any, *, plain: bool = False) -> Model:
    """A model; with `plain`, one that Cog's own introspection takes as well."""
    writer = Writer(draw, plain, batched=not plain and draw(st.integers(0, 4)) == 0)
    for _ in range(draw(st.integers(0, 2))):
        writer.record()
    returned, asynchronous = writer.returned()
    names = draw(st.lists(NAMES, min_size=1 if writer.batched else 0, max_size=5, unique=True))
    parameters = [writer.parameter(name) for name in names]
    cut = len(names) if plain else draw(st.integers(0, len(names)))
    if not any(" = " in each for each in parameters[:cut]):
        ordered = parameters[:cut]
    else:  # Python wants parameters without defaults first
        ordered = sorted(parameters[:cut], key=lambda each: " = " in each)
    star = ["*"] if cut < len(names) else []
    in_class = draw(BOOLEANS)
    signature = ", ".join([*(["self"] if in_class else []), *ordered, *star, *parameters[cut:]])
    marks = ["@cog.batch(max_size=4)"] if writer.batched else []
    if "Iterator" in returned and draw(BOOLEANS):
        marks.append(draw(_any("@cog.streaming", "@cog.streaming()")))
    head = "async def" if asynchronous else "def"
    lines = [*marks, f"{head} run({signature}) -> {returned}: ..."]
    body = "class Runner(BaseRunner):\n" + "".join(f"    {each}\n" for each in lines) if in_class else "\n".join(lines)
    records = SHAPES + "".join(writer.records)
    constants = "".join(f"{each}\n" for each in writer.constants)
    elsewhere = draw(BOOLEANS)
    header = draw(_any(PLAIN, QUALIFIED))
    lazy = "from __future__ import annotations\n" if draw(BOOLEANS) else ""
    imports = f"from shapes import {', '.join(['Thing', 'Item', *writer.names])}\n" if elsewhere else records
    files = {"run.py": lazy + header + HEADER + _spelled(imports + constants + body, header) + "\n"}
    if elsewhere:
        files["shapes.py"] = lazy + header + HEADER + _spelled(records, header)
    return Model(files, f"run.py:{'Runner' if in_class else 'run'}")


def _spelled(text: str, header: str) -> str:
    """Names as the header brings them: `Path`, or `c.Path`."""
    if header == PLAIN:
        return text
    for prefix, names in (("c", COG), ("t", TYPING)):
        text = re.sub(rf"(?<![\w.])({'|'.join(names.split())})\b", rf"{prefix}.\1", text)
    return text
