"""cog.yaml: what is accepted, and how a mistake is told."""

from __future__ import annotations

import pytest

from cog_oci.config import Project
from cog_oci.errors import CogError, RequestError, SourceError
from cog_oci.layers import COMPRESSIONS


def project(folder, text, **files):
    (folder / "cog.yaml").write_text(text)
    for name, content in files.items():
        (folder / name.replace("_txt", ".txt")).write_text(content)
    return Project.find(folder)


def test_everything_has_a_default(tmp_path):
    config = project(tmp_path, "").config

    assert config.build.python_version == "3.13"
    assert config.reference is None


def test_a_version_means_what_was_typed(tmp_path):
    assert project(tmp_path, "build: {python_version: 3.11}").config.build.python_version == "3.11"


@pytest.mark.parametrize("version", ["0.20", "0.18.0", "0.17.0rc1", "prerelease"])
def test_a_version_of_the_sdk_is_taken_and_decides_no_lock(tmp_path, version):
    without = project(tmp_path, "build: {python_version: 3.11}").lock_inputs()

    found = project(tmp_path, f"build: {{python_version: 3.11, sdk_version: {version}}}")

    assert found.lock_inputs() == without
    assert found.config.said["build"]["sdk_version"] == version


def test_predict_is_run_by_its_old_name(tmp_path):
    assert project(tmp_path, "predict: predict.py:Predictor").config.reference == "predict.py:Predictor"


def test_the_file_is_searched_upwards(tmp_path):
    project(tmp_path, "image: here")
    (tmp_path / "a" / "b").mkdir(parents=True)

    found = Project.find(tmp_path / "a" / "b")

    assert (found.folder, found.config.image_name) == (tmp_path, "here")


def test_no_file_anywhere_is_said_as_cog_says_it(tmp_path):
    with pytest.raises(CogError, match=r"nowhere.yaml not found in .* \(or in any parent directories\)"):
        Project.find(tmp_path, "nowhere.yaml")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Model!", "cog-my-model"), ("a" * 60, "cog-" + "a" * 26), ("___", "cog-model")],
)
def test_the_image_is_called_after_the_folder(tmp_path, folder, name):
    (tmp_path / folder).mkdir()

    assert project(tmp_path / folder, "").image_name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "build:\n  python_verzion: '3.13'\n",
            "cog.yaml:2:3: build.python_verzion: unknown key, did you mean python_version?",
        ),
        ("runn:\n", "cog.yaml:1:1: runn: unknown key, did you mean run?"),
        ("build:\n  gpuu:\n", "cog.yaml:2:3: build.gpuu: unknown key, did you mean gpu?"),
        ("runn: run.py:Runner\n", "cog.yaml:1:1: runn: unknown key, did you mean run?"),
        (
            "build:\n  python_version: 3.9\n",
            "cog.yaml:2:19: build.python_version: 3.9 is too old: the minimum supported Python version is 3.10",
        ),
        (
            "build:\n  python_version: 3\n",
            "cog.yaml:2:19: build.python_version: '3' must include major and minor version (e.g., '3.13')",
        ),
        (
            "build:\n  python_version: 3.15\n",
            "cog.yaml:2:19: build.python_version: 3.15 is not supported yet; use 3.10, 3.11, 3.12, 3.13 or 3.14",
        ),
        (
            "build:\n  system_packages: [git, 'l gl']\n",
            "cog.yaml:2:26: build.system_packages.1: 'l gl' is not the name of a Debian package (name, or name=version)",
        ),
        ("build:\n  system_packages: git\n", "cog.yaml:2:20: build.system_packages: should be a valid list, not 'git'"),
        ("build: []\n", "cog.yaml:1:8: build: should be a mapping of keys to values, not []"),
        ("build:\n  apt: [deb]\n", "cog.yaml:2:9: build.apt.0: should be a mapping of keys to values, not 'deb'"),
        (
            "build:\n  apt:\n    - {name: own, key: /own.gpg, url: https://a.example.com, suite: ./}\n",
            "cog.yaml:3:24: build.apt.0.key: '/own.gpg' must be a file of the project, or an address",
        ),
        (
            "build:\n  apt:\n    - {name: own, key: own.gpg, fingerprint: 0x3b, url: https://a.example.com, suite: ./}\n",
            "cog.yaml:3:46: build.apt.0.fingerprint: '0x3b' is not the fingerprint of a key: 40 hexadecimal digits, or 64",
        ),
        (
            "build:\n  cuda: 12\n",
            "cog.yaml:2:9: build.cuda: '12' must include major and minor version (e.g., '12.4')",
        ),
        (
            "build:\n  sdk_version: 0.15\n",
            "cog.yaml:2:16: build.sdk_version: 0.15 is too old: the minimum SDK version is 0.16.0",
        ),
        (
            "build:\n  sdk_version: new\n",
            "cog.yaml:2:16: build.sdk_version: 'new' is neither a version (e.g., '0.18.0') nor 'prerelease'",
        ),
        ("build:\n  cudnn: new\n", "cog.yaml:2:10: build.cudnn: 'new' is no version of cuDNN (e.g., '9')"),
        ("run: a.py:A\npredict: b.py:B\n", "cog.yaml:1:1: only one of run or predict can be set"),
        ("run: run\n", "cog.yaml:1:6: run: must be in the form 'run.py:Runner'"),
        (
            "build:\n  python_packages: [a]\n  python_requirements: r.txt\n",
            "cog.yaml:1:1: build: only one of python_packages or python_requirements can be set, not both",
        ),
        ("environment: [PATH=/x]\n", "cog.yaml:1:15: environment.0: PATH belongs to the image and cannot be set here"),
        ("environment: [FOO]\n", "cog.yaml:1:15: environment.0: 'FOO' must be in the form NAME=VALUE"),
        ("environment: ['=x']\n", "cog.yaml:1:15: environment.0: '=x' must be in the form NAME=VALUE"),
        (
            "environment: ['A B=x']\n",
            "cog.yaml:1:15: environment.0: 'A B' cannot be the name of a variable: it has a blank or a control character in it",
        ),
        (
            'environment: ["A=\\0"]\n',
            "cog.yaml:1:15: environment.0: the value of A has a NUL in it, which no environment can hold",
        ),
        ("environment: [B=1, A=1, A=2]\n", "cog.yaml:1:14: environment: A is set twice"),
        ("image: 3\n", "cog.yaml:1:8: image: must be a name, or a mapping of name and compression"),
        (
            "image: {name: a, compression: bzip2}\n",
            "cog.yaml:1:31: image.compression: Input should be 'gzip', 'zstd' or 'none'",
        ),
        ("image:\n  compresion: zstd\n", "cog.yaml:2:3: image.compresion: unknown key, did you mean compression?"),
        ("image: a\nimage: b\n", "cog.yaml:2:1: image is set twice"),
        ("build: {gpu: !!bool maybe}\n", "cog.yaml:1:14: 'maybe' is no bool"),
        ("build: {gpu: !!int ''}\n", "cog.yaml:1:14: '' is no int"),
        ("image: !!timestamp now\n", "cog.yaml:1:8: 'now' is no timestamp"),
        ("a: [1\n", "cog.yaml:2:1: this is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("- a\n", "cog.yaml:1:1: the file must be a mapping of keys to values"),
        ("concurrency: {max: 0}\n", "cog.yaml:1:20: concurrency.max: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, text, message):
    with pytest.raises(SourceError) as caught:
        project(tmp_path, text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "name", "compression"),
    [
        ("image: me/model", "me/model", "gzip"),
        ("image: {name: me/model, compression: zstd}", "me/model", "zstd"),
        ("image: {compression: none}", "cog-here", "none"),
        ("image:", "cog-here", "gzip"),
    ],
)
def test_the_image_is_a_name_or_a_name_and_how_it_travels(tmp_path, text, name, compression):
    (tmp_path / "here").mkdir()
    found = project(tmp_path / "here", text)

    assert (found.image_name, found.config.compression) == (name, compression)


def test_every_compression_of_the_layers_can_be_asked_for(tmp_path):
    asked = [project(tmp_path, f"image: {{compression: {one}}}").config.compression for one in COMPRESSIONS]

    assert asked == list(COMPRESSIONS)


def test_how_an_image_travels_is_no_part_of_what_it_says_about_itself(tmp_path):
    def said(text):
        return project(tmp_path, text).config.said

    assert said("image: {name: a, compression: zstd}") == said("image: a")
    assert said("image: a")["image"] == "a"
    assert said("image: {compression: zstd}") == said("")


def test_values_of_variables_are_taken_as_they_are_written(tmp_path):
    found = project(tmp_path, """environment: ['A=b=c', 'Q="x"', 'P=$HOME', 'E=', 'S= ', 'my.name-1=x', "M=1\\n2"]""")

    assert found.config.variables == {
        "A": "b=c",
        "Q": '"x"',
        "P": "$HOME",
        "E": "",
        "S": " ",
        "my.name-1": "x",
        "M": "1\n2",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONUNBUFFERED", "LIBRARY_PATH"),
        *("HF_ENDPOINT", "HF_HUB_ENABLE_HF_TRANSFER", "R8_X", "REPLICATE_", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES"),
        *("NV_X", "PGET_X", "KUBERNETES_X", "COG_OCI_SERVER_PYTHON"),
    ],
)
def test_variables_of_the_image_and_its_platform_cannot_be_set(tmp_path, name):
    with pytest.raises(SourceError, match=f"{name} belongs to the image and cannot be set here"):
        project(tmp_path, f"environment: [{name}=1]")


@pytest.mark.parametrize("name", ["path", "R8", "CUDA", "MY_PATH", "PATHS", "nv_x", "COG_MAX_CONCURRENCY"])
def test_names_that_only_look_like_them_can(tmp_path, name):
    assert project(tmp_path, f"environment: [{name}=1]").config.variables == {name: "1"}


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(SourceError) as caught:
        project(tmp_path, "runn: x\nbuild:\n  gpuu: true\n  python_version: 2.7\n")

    assert [problem.line for problem in caught.value.problems] == [1, 3, 4]


def test_what_is_not_supported_hides_no_other_mistake(tmp_path):
    with pytest.raises(SourceError) as caught:
        project(tmp_path, "weights: []\nrunn: run.py\nbuild:\n  gpu: yess\n")
    assert sorted(str(caught.value).splitlines()) == [
        "cog.yaml:1:1: weights is not supported yet",
        "cog.yaml:2:1: runn: unknown key, did you mean run?",
        "cog.yaml:4:8: build.gpu: should be a valid boolean, not 'yess'",
    ]


def test_a_missing_requirements_file_points_at_the_line_that_names_it(tmp_path):
    found = project(tmp_path, "build:\n  python_requirements: requirements.txt\n")

    with pytest.raises(SourceError, match=r"cog.yaml:2:24: build.python_requirements: requirements.txt does not exist"):
        found.requirements()


LISTS = """\
build:
  system_packages:
    - tini
    - "curl=8"
  python_packages: [numpy, 'torch >= 2']
"""


@pytest.mark.parametrize(
    ("key", "asked", "place"),
    [
        ("system_packages", "tini", "3:7"),
        ("system_packages", "curl", "4:7"),
        ("system_packages", "curl=8", "4:7"),
        ("python_packages", "torch >= 2", "5:28"),
    ],
)
def test_what_cannot_be_had_is_told_with_the_place_that_asked_for_it(tmp_path, key, asked, place):
    found = project(tmp_path, LISTS)

    with (
        pytest.raises(SourceError, match=rf"^cog.yaml:{place}: build.{key}: there is none$") as caught,
        found.blaming(key),
    ):
        raise RequestError("there is none", asked=asked, hint="take another")

    assert caught.value.hint == "take another"


@pytest.mark.parametrize("asked", ["libc6", "numpy", ""])
def test_what_nobody_asked_for_in_the_list_is_told_as_it_is(tmp_path, asked):
    with pytest.raises(RequestError, match="there is none"), project(tmp_path, LISTS).blaming("system_packages"):
        raise RequestError("there is none", asked=asked)


@pytest.mark.parametrize(
    "line", ["-rmore.txt", "--constraint=more.txt  # ours", "-c 'more.txt'", '\ufeff-r "more.txt"']
)
def test_an_include_counts_however_it_is_written(tmp_path, line):
    texts = {"requirements_txt": f"{line}\n", "more_txt": "numpy\n"}

    assert "more.txt" in project(tmp_path, "build: {python_requirements: requirements.txt}", **texts).lock_inputs()


def test_a_link_on_the_way_to_the_project_is_no_input_of_its_lock(tmp_path):
    (tmp_path / "real").mkdir()
    build = "build: {python_requirements: requirements.txt}\n"
    there = project(tmp_path / "real", build, requirements_txt="-r more.txt\n", more_txt="six\n")
    (tmp_path / "link").symlink_to("real")

    assert "more.txt" in there.lock_inputs()
    assert Project.find(tmp_path / "link").lock_inputs() == there.lock_inputs()


def test_the_lock_depends_on_requirements_that_requirements_include(tmp_path):
    found = project(
        tmp_path,
        "build: {python_requirements: requirements.txt}",
        requirements_txt="-r more.txt\nnumpy\n",
        more_txt="-r requirements.txt\n-c limits.txt\n",
        limits_txt="numpy<3\n",
    )
    before = found.lock_inputs()
    assert {"requirements.txt", "more.txt", "limits.txt"} <= set(before)

    (tmp_path / "limits.txt").write_text("numpy<2\n")

    after = found.lock_inputs()
    assert {name for name in after if after[name] != before[name]} == {"limits.txt"}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: &a {b: *a}",
        "\n".join(
            ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
            + [
                f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]"
                for before, here in zip("abcdefg", "bcdefgh", strict=True)
            ]
        ),
    ],
)
def test_anchors_that_never_end_are_refused(tmp_path, text):
    with pytest.raises(SourceError, match="nested too deeply, or repeated too often"):
        project(tmp_path, text)


def test_a_training_is_named_beside_the_model(tmp_path):
    config = project(tmp_path, "run: run.py:Runner\ntrain: train.py:train").config

    assert (config.reference, config.training) == ("run.py:Runner", "train.py:train")
    assert config.said["train"] == "train.py:train"
