"""Which CUDA a GPU image has: Cog's rules, and that nothing is brought twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.apt import AptArchive
from cog_oci.cuda_index import cuda_index
from cog_oci.lock import Wheel
from cog_oci.resolver.cuda import Cuda, CudaAsked, CudaError, Pin, check, choose, pins, torch_index
from cog_oci.resolver.cuda_debs import CudaDebs, cuda_debs

INDEX = cuda_index()
GPU = CudaAsked(gpu=True)


def wheel(name: str, version: str, *needed_by: str, tag: str = "cp311-cp311-manylinux_2_28_x86_64") -> Wheel:
    file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return Wheel(name=name, version=version, file=file, sha256="0" * 64, size=1, index="default", needed_by=needed_by)


def chosen(*wheels: Wheel, wanted: str = "", default: str = "11.8", asked: CudaAsked = GPU):
    return choose(asked, pins(wanted.split()), wheels, default, INDEX)


def test_requirements_name_exact_versions_or_none():
    found = pins(
        [
            "torch==2.4.1+cu121",
            "Tensor_Flow[and-cuda] == 2.15.1",
            "numpy>=1",
            "x==1.*",
            "-e .",
            "y===2 --hash=sha256:00",
        ]
    )

    assert found == {
        "torch": Pin("2.4.1", "cu121"),
        "tensor-flow": Pin("2.15.1"),
        "numpy": Pin(""),
        "x": Pin(""),
        "y": Pin("2"),
    }


def test_a_requirement_for_another_system_asks_for_nothing():
    found = pins(
        [
            "torch==2.4.1+cpu; sys_platform == 'linux' and platform_machine == 'aarch64'",
            "torch==2.4.1; platform_machine == 'x86_64'",
            "torch==9; sys_platform == 'darwin'",
        ],
        {"platform_machine": "x86_64"},
    )

    assert found == {"torch": Pin("2.4.1")}


@pytest.mark.parametrize(
    ("cuda", "cudnn", "says"),
    [
        ("9.0", None, "CUDA 9.0 is not supported"),
        ("10.2", None, "CUDA 10.2 is not supported"),
        ("12.7", None, "CUDA 12.7 is not supported"),
        ("13.0", "8", "cuDNN 8 is not available for CUDA 13.0; compatible CuDNN versions are: 9"),
        ("12.4", "7", "cuDNN 7 is not available for CUDA 12.4; compatible CuDNN versions are: 8, 9"),
        (None, "10", "cuDNN 10 is not available; compatible CuDNN versions are: 8, 9"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(cuda, cudnn, says):
    with pytest.raises(CudaError) as error:
        check(CudaAsked(gpu=True, cuda=cuda, cudnn=cudnn), INDEX)

    assert str(error.value) == says
    assert error.value.key == ("cudnn" if cudnn else "cuda")


@pytest.mark.parametrize(
    ("cuda", "cudnn"), [("12.4", "9"), ("12.4.1", "9.1"), ("11.8", "8.9"), (None, "9"), (None, None)]
)
def test_what_goes_together_is_accepted(cuda, cudnn):
    check(CudaAsked(gpu=True, cuda=cuda, cudnn=cudnn), INDEX)


@pytest.mark.parametrize(
    ("requirement", "asked", "index"),
    [
        ("numpy==2", GPU, None),
        ("torch==2.9.1", GPU, None),
        ("torch==2.9.1", CudaAsked(gpu=True, cuda="12.8"), None),  # what the default index's wheel has
        ("torch==2.9.1", CudaAsked(gpu=True, cuda="12.6"), "cu126"),
        ("torch==2.9.1", CudaAsked(gpu=True, cuda="13.0.2"), "cu130"),
        ("torch==2.0.1", CudaAsked(gpu=True, cuda="11.8"), "cu118"),
        ("torch==2.4.1+cu118", GPU, "cu118"),
        ("torch==2.4.1+cpu", CudaAsked(gpu=False), "cpu"),
        ("torch==2.4.1", CudaAsked(gpu=False), "cpu"),
        ("torch>=2", CudaAsked(gpu=False), None),
        ("torch==2.4.1+mine", GPU, None),
    ],
)
def test_torch_comes_from_the_index_that_has_it_for_the_cuda_that_is_asked_for(requirement, asked, index):
    assert torch_index(asked, pins([requirement]), "amd64", INDEX) == (index, [])


def test_on_arm_the_default_index_has_torch_for_cpus():
    assert torch_index(CudaAsked(gpu=False), pins(["torch==2.4.1"]), "arm64", INDEX) == (None, [])


def test_torch_without_a_version_is_refused_on_a_gpu_in_cogs_words():
    with pytest.raises(CudaError, match=r"^torch version must be specified when using CUDA$"):
        torch_index(GPU, pins(["torch>=2"]), "amd64", INDEX)


def test_a_combination_that_no_row_has_is_a_warning_in_cogs_words():
    unknown = "Cog doesn't know if CUDA 11.8 is compatible with PyTorch 2.9.1. This might cause CUDA problems."

    assert torch_index(CudaAsked(gpu=True, cuda="11.8"), pins(["torch==2.9.1"]), "amd64", INDEX) == (
        None,
        [f"{unknown} Try 13.0 instead?"],
    )
    assert torch_index(CudaAsked(gpu=True, cuda="11.8"), pins(["torch==9.9"]), "amd64", INDEX)[1] == [
        unknown.replace("2.9.1", "9.9")
    ]


TORCH = (
    wheel("torch", "2.9.1", "cog.yaml"),
    wheel("nvidia-cuda-runtime-cu12", "12.8.90", "torch"),
    wheel("nvidia-cudnn-cu12", "9.10.2.21", "torch"),
)


def test_what_wheels_carry_is_not_added_again():
    assert chosen(*TORCH, wanted="torch==2.9.1") == (Cuda("12.8", "9.10.2.21", carried=True, asked_by="torch"), [])
    thirteen = [
        wheel("torch", "2.12.0"),
        wheel("cuda-toolkit", "13.0.2", "torch"),
        wheel("nvidia-cudnn-cu13", "9.20.0.48"),
    ]
    assert chosen(*thirteen)[0] == Cuda("13.0", "9.20.0.48", carried=True, asked_by="torch")
    assert chosen(wheel("nvidia-cuda-runtime", "13.0.48", "cog.yaml"))[0].asked_by == "nvidia-cuda-runtime"


@pytest.mark.parametrize(
    ("version", "release"), [("2.0.1+cu118", "11.8"), ("1.12.1+cu102", "10.2"), ("2.4.0", "12.1"), ("1.11.0", "10.2")]
)
def test_a_wheel_that_has_cuda_inside_of_it_carries_it_too(version, release):
    cuda, _ = chosen(wheel("torch", version))

    assert (cuda.version, cuda.carried) == (release, True)


def test_torch_for_cpus_carries_nothing():
    assert chosen(wheel("torch", "2.4.1+cpu"))[0] == Cuda("11.8", asked_by="cog.yaml")


def test_wheels_for_another_cuda_than_cog_yaml_says_are_a_warning():
    jax = wheel("nvidia-cuda-runtime-cu12", "12.9.79", "jax-cuda12-plugin")

    cuda, warnings = chosen(jax, asked=CudaAsked(gpu=True, cuda="12.4"))

    assert (cuda.version, cuda.carried) == ("12.9", True)
    assert warnings == ["jax-cuda12-plugin brings CUDA 12.9; CUDA 12.4 is not added to it"]


@pytest.mark.parametrize(
    ("version", "cuda", "cudnn"), [("2.11.0", "11.2", "8.1"), ("2.15.1", "12.2", "8.9"), ("2.18.0", "12.5", "9.3")]
)
def test_tensorflow_decides_by_its_version(version, cuda, cudnn):
    assert chosen(wheel("tensorflow", version), wanted=f"tensorflow=={version}")[0] == Cuda(
        cuda, cudnn, asked_by=f"TensorFlow {version}"
    )


def test_a_cuda_that_conflicts_with_tensorflow_is_refused_in_cogs_words():
    with pytest.raises(CudaError, match=r"^TensorFlow 2\.15\.1 requires CUDA 12\.2$"):
        chosen(wanted="tensorflow==2.15.1", asked=CudaAsked(gpu=True, cuda="11.8"))
    assert chosen(wanted="tensorflow==2.15.1", asked=CudaAsked(gpu=True, cuda="12.2.2"))[0].version == "12.2.2"


def test_what_needs_a_cuda_of_the_system_gets_the_default_one_if_that_will_do():
    ort = wheel("onnxruntime-gpu", "1.22.0", "cog.yaml")

    assert chosen(ort, default="12.4")[0] == Cuda("12.4", "9", asked_by="onnxruntime-gpu")
    assert chosen(ort, default="11.8")[0] == Cuda("12.9", "9", asked_by="onnxruntime-gpu")
    assert chosen(ort, default="11.8", asked=CudaAsked(gpu=True, cuda="12.4.1"))[0].version == "12.4.1"
    assert chosen(wheel("jax-cuda12-plugin", "0.7.1"), default="12.4")[0] == Cuda(
        "12.4", "9", asked_by="jax-cuda12-plugin"
    )


def test_without_any_of_them_the_default_is_taken_without_cudnn():
    assert chosen(wheel("cupy-cuda11x", "13.0"))[0] == Cuda("11.8", asked_by="cog.yaml")
    assert chosen(asked=CudaAsked(gpu=True, cuda="12.4", cudnn="9"))[0] == Cuda("12.4", "9", asked_by="cog.yaml")
    assert chosen(default="") == (None, [])


def test_an_image_without_a_gpu_has_none():
    assert chosen(*TORCH, asked=CudaAsked(gpu=False)) == (None, [])


def test_debian_has_one_release_a_suite():
    found = cuda_debs(Cuda("11.8"), "bookworm", "amd64", (), INDEX)

    assert found.archive is None
    assert found.components == ("main", "contrib", "non-free")
    assert {"libcudart11.0", "libcublas11", "libnppig11"} <= set(found.names(lambda _: ["1"]))


def test_debian_serves_for_its_release_written_out_and_not_for_another_patch():
    assert cuda_debs(Cuda("12.4.1"), "trixie", "amd64", (), INDEX).archive is None
    with pytest.raises(CudaError, match=r"^the model needs CUDA 12\.4\.0, which"):
        cuda_debs(Cuda("12.4.0", asked_by="cog.yaml"), "trixie", "amd64", (), INDEX)


@pytest.mark.parametrize(
    ("version", "architecture", "folder"), [("12.4", "amd64", "x86_64"), ("12.4", "arm64", "sbsa")]
)
def test_every_other_release_is_in_nvidias_archive(version, architecture, folder):
    found = cuda_debs(Cuda(version, "9"), "bookworm", architecture, (), INDEX)

    assert found.archive is not None
    assert found.archive.url.endswith(f"/debian12/{folder}")
    assert found.archive.fingerprint == "eb693b3035cd5710e231e123a4b469963bf863cc"
    assert [name for name, _, _ in found.packages] == ["cuda-libraries-12-4", "libcudnn9-cuda-12"]


def test_versions_are_those_that_were_asked_for_and_of_cudnn_the_build_for_that_cuda():
    there = {
        "cuda-libraries-11-8": ["11.8.1-1", "11.8.0-1"],
        "libcudnn8": ["8.9.7.29-1+cuda12.2", "8.9.7.29-1+cuda11.8", "8.9.0.1-1+cuda11.8"],
    }

    def names(cuda: Cuda) -> list[str]:
        return cuda_debs(cuda, "bookworm", "amd64", (), INDEX).names(lambda name: there.get(name, []))

    assert names(Cuda("11.8", "8")) == ["cuda-libraries-11-8", "libcudnn8=8.9.7.29-1+cuda11.8"]
    assert names(Cuda("11.8.0", "8.9.0")) == ["cuda-libraries-11-8=11.8.0-1", "libcudnn8=8.9.0.1-1+cuda11.8"]
    with pytest.raises(CudaError, match=r"there is no libcudnn8 8\.6 with \+cuda11, only 8\.9\.7") as error:
        names(Cuda("11.8", "8.6"))
    assert error.value.key == "cudnn"
    with pytest.raises(CudaError, match=r"there is no cuda-libraries-11-8 11\.8\.9"):
        names(Cuda("11.8.9", "8"))


def test_an_archive_whose_key_is_not_known_is_not_used_unless_someone_names_it():
    with pytest.raises(CudaError, match=r"needs CUDA 12.9 and cuDNN 9, which no archive .* for Debian trixie") as error:
        cuda_debs(Cuda("12.9", "9", asked_by="onnxruntime-gpu"), "trixie", "amd64", (), INDEX)
    assert "onnxruntime-gpu[cuda,cudnn]" in error.value.hint
    assert 'build.cuda: "12.4"' in error.value.hint

    given = AptArchive(name="nvidia-cuda", url="https://mirror.example", suite="./", key="nvidia.asc")
    found = cuda_debs(Cuda("12.9", "9"), "trixie", "amd64", (given,), INDEX)
    assert found == CudaDebs((("cuda-libraries-12-9", "", ""), ("libcudnn9-cuda-12", "9", "+cuda12.")))
    assert replace(given, name="other") != given


def test_what_is_made_for_a_major_release_of_cuda_does_not_bring_it():
    found, _ = chosen(wheel("flash-attn", "2.7.4+cu12torch2.4", "cog.yaml"))
    assert (found.version, found.carried) == ("11.8", False)

    found, _ = chosen(wheel("flash-attn", "2.5.6+cu122torch2.2", "cog.yaml"))
    assert (found.version, found.carried) == ("12.2", True)


def test_a_cudnn_that_wheels_bring_is_not_added_again_in_another_release():
    wheels = (wheel("nvidia-cuda-runtime-cu12", "12.8.90", "torch"), wheel("nvidia-cudnn-cu12", "9.10.2.21", "torch"))

    assert chosen(*wheels, asked=CudaAsked(gpu=True, cudnn="9"))[1] == []
    assert chosen(*wheels, asked=CudaAsked(gpu=True, cudnn="8"))[1] == [
        "torch brings cuDNN 9.10.2.21; cuDNN 8 is not added to it"
    ]
