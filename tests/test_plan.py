"""What an image will be made of, at the edges: never too many layers, whatever is asked for."""

from __future__ import annotations

import pytest

from cog_oci.config import Project
from cog_oci.lock import Deb, Interpreter, Lock, PlatformLock, Wheel
from cog_oci.oci import Platform
from cog_oci.plan import Options, artifact_layers, make_plan
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


def test_bytecode_lies_right_above_what_it_was_compiled_from():
    names = [layer.name for layer in artifact_layers(most({}))]

    compiled = [number for number, name in enumerate(names) if name.endswith(" bytecode")]
    assert names[compiled[0] - 1] == "server"
    assert [names[number - 1] for number in compiled[1:]] == [names[n].removesuffix(" bytecode") for n in compiled[1:]]
