"""Bytecode beside its sources, made once for each wheel; what is known is not compiled again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers import realise
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers.bytecode import BytecodeLayer, Library
from cog_oci.lock import Interpreter, PlatformLock
from cog_oci.plan import artifact_layers
from cog_oci.store import Store
from tests.conftest import keep_wheel, make_wheel
from tests.layers.deb_builder import deb, file, keep

SITE = "opt/venv/site/"


@dataclass(frozen=True)
class Given:
    """A layer with these entries."""

    name: str
    files: tuple[tuple[str, bytes], ...]
    links: tuple[str, ...] = ()
    artifacts: tuple = ()
    why: str = ""

    @property
    def recipe(self) -> str:
        return str(hash((self.name, self.files)))

    @contextmanager
    def open(self, store):
        yield [
            *(Entry(path=path, content=Bytes(data)) for path, data in self.files),
            *(Entry.symlink(path, "x") for path in self.links),
        ]


@dataclass(frozen=True)
class Shouting:
    """Compiles by shouting; sources with `!` in them do not compile."""

    version: str = "a"
    asked: list = field(default_factory=list)
    opened: list = field(default_factory=list)
    python_version: str = "3.13"
    artifacts: tuple = ()

    @property
    def recipe(self) -> str:
        return self.version

    def check(self) -> None:
        pass

    @contextmanager
    def open(self, store):
        self.opened.append(1)

        def compile_(sources):
            self.asked.extend(path for path, _ in sources)
            read = [b"".join(content.chunks()) for _, content in sources]
            return [None if b"!" in data else data.upper() for data in read]

        yield compile_


def layer(*of, compiler, under=(SITE,), name="x bytecode") -> BytecodeLayer:
    return BytecodeLayer(name, of, under, compiler)


def made(one: BytecodeLayer, store: Store) -> dict[str, bytes]:
    with one.open(store) as entries:
        return {entry.path: b"".join(entry.content.chunks()) for entry in entries}


def test_a_module_has_its_bytecode_where_the_import_system_looks(store):
    code = Given("a", ((f"{SITE}a/__init__.py", b"x"), (f"{SITE}b.c.py", b"y")))

    assert made(layer(code, compiler=Shouting()), store) == {
        f"{SITE}a/__pycache__/__init__.cpython-313.pyc": b"X",
        f"{SITE}__pycache__/b.c.cpython-313.pyc": b"Y",
    }


def test_the_interpreter_hears_of_paths_as_they_are_in_the_image(store):
    compiler = Shouting()

    made(layer(Given("a", ((f"{SITE}b.py", b""), (f"{SITE}a.py", b""))), compiler=compiler), store)

    assert compiler.asked == [f"/{SITE}a.py", f"/{SITE}b.py"]


def test_scripts_data_links_and_other_folders_have_none(store):
    code = Given("a", ((f"{SITE}a.pyi", b""), ("opt/venv/bin/x.py", b""), (f"{SITE}py", b"")), links=(f"{SITE}l.py",))

    assert made(layer(code, compiler=Shouting()), store) == {}


def test_what_does_not_compile_has_none_and_the_rest_has(store):
    code = Given("a", ((f"{SITE}a.py", b"!"), (f"{SITE}b.py", b"b")))

    assert list(made(layer(code, compiler=Shouting()), store)) == [f"{SITE}__pycache__/b.cpython-313.pyc"]


def test_when_one_of_many_changes_only_that_is_compiled(store):
    compiler = Shouting()
    many = [Given(name, ((f"{SITE}{name}.py", b"x"),)) for name in "abc"]
    made(layer(*many, compiler=compiler), store)
    compiler.asked.clear()
    changed = Given("b", ((f"{SITE}b.py", b"y"),))

    found = made(layer(many[0], changed, many[2], compiler=compiler), store)

    assert compiler.asked == [f"/{SITE}b.py"]
    assert found[f"{SITE}__pycache__/b.cpython-313.pyc"] == b"Y"
    assert len(found) == 3


def test_what_is_known_starts_no_interpreter(store):
    code = Given("a", ((f"{SITE}a.py", b"x"),))
    made(layer(code, compiler=Shouting()), store)
    again = Shouting()

    assert len(made(layer(code, compiler=again, name="another"), store)) == 1
    assert again.opened == []


def test_another_interpreter_compiles_everything(store):
    code = Given("a", ((f"{SITE}a.py", b"x"),))
    made(layer(code, compiler=Shouting("a")), store)
    other = Shouting("b")

    made(layer(code, compiler=other), store)

    assert other.asked == [f"/{SITE}a.py"]


def test_a_module_that_two_wheels_share_is_one_file(store):
    shared = (f"{SITE}shared.py", b"x")

    found = made(layer(Given("a", (shared,)), Given("b", (shared,)), compiler=Shouting()), store)

    assert list(found) == [f"{SITE}__pycache__/shared.cpython-313.pyc"]


def test_the_recipe_is_by_sources_folders_and_interpreter_and_not_by_name():
    code, other = Given("a", ((f"{SITE}a.py", b"x"),)), Given("a", ((f"{SITE}a.py", b"y"),))
    one = layer(code, compiler=Shouting())

    assert one.recipe == layer(code, compiler=Shouting(), name="another").recipe
    different = [
        layer(other, compiler=Shouting()),
        layer(code, compiler=Shouting("b")),
        layer(code, compiler=Shouting(), under=("opt/",)),
        layer(code, other, compiler=Shouting()),
    ]
    assert len({one.recipe, *(layer.recipe for layer in different)}) == 5


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=120)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=6))
def test_law_every_name_and_content_comes_back_from_where_it_is_kept(tmp_path_factory, modules):
    store = Store(tmp_path_factory.mktemp("store"))
    code = Given("a", tuple((f"{SITE}{name}.py", data.replace(b"!", b"?")) for name, data in modules.items()))

    first = made(layer(code, compiler=Shouting()), store)
    kept = made(layer(code, compiler=Shouting()), store)

    assert first == kept
    assert sorted(kept.values()) == sorted(data.replace(b"!", b"?").upper() for data in modules.values())


def test_two_stores_make_one_layer(tmp_path):
    code = [Given(name, tuple((f"{SITE}{name}{n}.py", b"%d" % n) for n in range(9))) for name in "ab"]

    first = realise(layer(*code, compiler=Shouting()), Store(tmp_path / "one"))
    second = realise(layer(*reversed(code), compiler=Shouting()), Store(tmp_path / "two"))

    assert first.diff_id == second.diff_id


def test_the_standard_library_is_what_its_packages_have_where_the_image_has_it(store):
    minimal = keep(store, deb("p", [("usr/lib/python3.13/os.py", file(b"x"))]))
    rest = keep(store, deb("q", [("lib/python3.13/json.py", file(b"y"))]))

    with Library((minimal, rest)).open(store) as entries:
        found = {entry.path for entry in entries if entry.content}

    assert found == {"usr/lib/python3.13/os.py", "usr/lib/python3.13/json.py"}
    assert Library((minimal, rest)).recipe == Library((rest, minimal)).recipe != Library((rest,)).recipe


@pytest.fixture
def parts(store, tmp_path) -> PlatformLock:
    """A lock with an interpreter, a small wheel and a large one."""
    large, small = (keep_wheel(store, make_wheel(tmp_path, name, {f"{name}.py": b"x"})) for name in ("big", "small"))
    return PlatformLock(
        inputs={},
        interpreter=Interpreter(source="debian", suite="trixie", version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=(keep(store, deb("python3.13-minimal"), "python3.13-minimal"), keep(store, deb("libc6"), "libc6")),
        wheels=(replace(large, size=9 << 20), small),
        server=(),
        bytecode=True,
    )


def test_bytecode_lies_right_above_what_it_belongs_to(parts):
    assert [layer.name for layer in artifact_layers(parts)] == [
        *("base trixie", "server", "base and server bytecode"),
        *("python big", "python big bytecode", "python", "python bytecode"),
    ]


def test_without_bytecode_the_other_layers_are_the_same(parts):
    plain = artifact_layers(replace(parts, bytecode=False))

    assert {layer.recipe for layer in plain} < {layer.recipe for layer in artifact_layers(parts)}
    assert not any(isinstance(layer, BytecodeLayer) for layer in plain)


def test_a_very_large_wheel_in_parts_is_compiled_once(parts):
    huge = replace(parts, wheels=(replace(parts.wheels[0], size=3 << 30),))

    names = [layer.name for layer in artifact_layers(huge)]

    assert names[3:7] == ["python big 1/3", "python big 2/3", "python big 3/3", "python big bytecode"]


def test_another_base_with_the_same_interpreter_has_the_same_bytecode(parts, store):
    other = keep(store, deb("libc6", version="2"), "libc6")
    changed = replace(parts, debs=(parts.debs[0], other))

    before, after = artifact_layers(parts), artifact_layers(changed)

    assert before[0].recipe != after[0].recipe
    assert [layer.recipe for layer in before[2:]] == [layer.recipe for layer in after[2:]]
