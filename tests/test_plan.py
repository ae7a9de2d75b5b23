"""What an image will be made of, at the edges: never too many layers, whatever is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.build_steps import Step
from cog_oci.config import Project
from cog_oci.errors import CogError
from cog_oci.lock import Deb, Interpreter, Lock, PlatformLock, Wheel
from cog_oci.oci import Platform
from cog_oci.options import Options
from cog_oci.plan import artifact_layers, make_plan
from cog_oci.resolver.base import Base


def large(number: int, size: int = 40 << 20) -> dict:
    return {"version": "1", "sha256": f"{number:064x}", "size": size + number}


def most(inputs: dict[str, str], wheel: int = 9 << 20) -> PlatformLock:
    """More large packages of every kind than anyone has."""
    base = Deb(
        name="python3.13-minimal", file="pool/p.deb", archive="debian", architecture="amd64", layer="base", **large(5)
    )
    return PlatformLock(
        inputs=inputs,
        interpreter=Interpreter(source="debian", suite="trixie", version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=(
            base,
            *(
                Deb(
                    name=f"cuda-{n}",
                    file=f"pool/{n}.deb",
                    archive="debian",
                    architecture="amd64",
                    layer="system",
                    **large(n),
                )
                for n in range(100, 160)
            ),
        ),
        wheels=tuple(
            Wheel(name=f"package-{n}", file=f"p{n}.whl", index="x", **large(n, wheel)) for n in range(1000, 1400)
        ),
        server=(),
        bytecode=True,
    )


@pytest.mark.parametrize("wheel", [9 << 20, 1 << 29, 3 << 30])
def test_an_image_never_has_more_than_sixty_layers(tmp_path, wheel):
    (tmp_path / "cog.yaml").write_text("build: {python_version: '3.13'}\n")
    for number in range(40):
        with (tmp_path / f"{number}.bin").open("wb") as file:
            file.truncate((10 << 20) + number)
    project = Project.find(tmp_path)
    parts = most({**project.lock_inputs(), **Base("3.13", "amd64").lock_inputs()}, wheel)
    lock = Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts})

    plan = make_plan(project, Platform("linux", "amd64"), lock, Options(separate_weights=True))

    # One more may come of certificate authorities.
    assert 40 < len(plan.layers) < 60
    assert len({layer.recipe for layer in plan.layers}) == len(plan.layers)


def test_large_files_share_a_layer_only_where_an_image_would_have_too_many(tmp_path):
    (tmp_path / "cog.yaml").write_text("build: {python_version: '3.13'}\n")
    for number in range(30):
        with (tmp_path / f"model-{number:02}.safetensors").open("wb") as file:
            file.truncate(10 << 20)
    project = Project.find(tmp_path)
    parts = most({**project.lock_inputs(), **Base("3.13", "amd64").lock_inputs()})
    few = replace(parts, debs=parts.debs[:1], wheels=parts.wheels[:1])
    locks = [Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": one}) for one in (few, parts)]

    alone, shared = (
        [
            layer
            for layer in make_plan(project, Platform("linux", "amd64"), lock, Options(separate_weights=True)).layers
            if layer.name.startswith("weights ")
        ]
        for lock in locks
    )

    assert [len(layer.files) for layer in alone] == [1] * 30
    assert len(shared) < 30
    assert sorted(file.path for layer in shared for file in layer.files) == [layer.files[0].path for layer in alone]


@pytest.mark.parametrize(
    ("key", "pattern", "kept"),
    [
        ("run: ./src/run.py:Runner", "src", False),
        ("run: src/run.py:Runner", "**/*.py\n!src/run.py", True),
        ("train: src/run.py:train\nrun: other.py:Runner", "src/r*", False),
    ],
)
def test_a_model_that_is_kept_out_of_its_image_is_a_mistake(tmp_path, key, pattern, kept):
    (tmp_path / "cog.yaml").write_text(f"build: {{python_version: '3.13'}}\n{key}\n")
    (tmp_path / ".dockerignore").write_text(pattern)
    source = "class Runner:\n    def run(self) -> str: ...\ndef train() -> str: ...\n"
    for name in ("src/run.py", "other.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    project = Project.find(tmp_path)
    parts = most({**project.lock_inputs(), **Base("3.13", "amd64").lock_inputs()})
    lock = Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts})

    if kept:
        make_plan(project, Platform("linux", "amd64"), lock)
        return
    with pytest.raises(CogError, match=r"src/run.py, which cog.yaml names, is kept out of the image") as caught:
        make_plan(project, Platform("linux", "amd64"), lock)
    assert "`!src/run.py`" in caught.value.hint
    make_plan(project, Platform("linux", "amd64"), lock, Options(mounted=True))


def test_bytecode_lies_right_above_what_it_was_compiled_from():
    names = [layer.name for layer in artifact_layers(most({}))]

    compiled = [number for number, name in enumerate(names) if name.endswith(" bytecode")]
    assert names[compiled[0] - 1] == "server"
    assert [names[number - 1] for number in compiled[1:]] == [names[n].removesuffix(" bytecode") for n in compiled[1:]]


def test_commands_lie_below_the_python_packages_or_above_them_and_each_on_all_before_it():
    steps = tuple(
        Step(phase=phase, command=str(number), network=False) for phase in ("pre_install", "run") for number in (1, 2)
    )

    layers = artifact_layers(replace(most({}), steps=steps))

    names = [layer.name for layer in layers]
    first = next(number for number, name in enumerate(names) if name.startswith("python "))
    assert names[first - 2 : first] == ["build.pre_install 1", "build.pre_install 2"]
    assert names[-2:] == ["build.run 1", "build.run 2"]
    for number, layer in enumerate(layers):
        if layer.name.startswith("build."):
            assert [below.recipe for below in layer.below] == [below.recipe for below in layers[:number]]
    # What is above does not count: a change of a command makes none of the layers below anew.
    changed = artifact_layers(replace(most({}), steps=(*steps[:-1], replace(steps[-1], command="3"))))
    assert [one.recipe for one in changed[:-1]] == [one.recipe for one in layers[:-1]]
    assert changed[-1].recipe != layers[-1].recipe


def test_commands_before_the_packages_that_call_pip_stand_on_it_and_on_no_other_package():
    pip = replace(most({}).wheels[0], name="pip", sha256="f" * 64, size=1 << 20)
    steps = tuple(Step(phase=phase, command="pip install x", network=True) for phase in ("pre_install", "run"))
    parts = replace(most({}), wheels=(*most({}).wheels, pip), steps=steps)

    layers = artifact_layers(parts)

    names = [layer.name for layer in layers]
    at = names.index("build.pre_install 1")
    assert names[at - 2 : at] == ["python pre_install", "python pre_install bytecode"]
    assert [layer.name for layer in layers[:at] if pip in getattr(layer, "wheels", ())] == ["python pre_install"]
    assert not [name for name in names[: at - 2] if name.startswith("python")]
    assert pip not in [one for layer in layers[at:] for one in getattr(layer, "wheels", ())]
    checking = next(layer for layer in layers if layer.name == "python")
    assert checking.everything == parts.wheels
    assert len(set(names)) == len(names)
