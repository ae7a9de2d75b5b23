"""Requirements files as people write them; pip's own parser is the oracle for what a line is."""

from __future__ import annotations

import pytest

from cog_oci.requirement_lines import Options, read_requirement_lines

HASH, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def file(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "constraints.txt").write_text("numpy<3\n-r ../requirements.txt\n")
    path = tmp_path / "requirements.txt"
    path.write_text(
        "\ufeff# what we need\n"
        "--extra-index-url https://${TOKEN}@one.example/simple  # ours\n"
        "Flask_Cors[async] == 4.0 ; python_version > '3' # a comment\n"
        "\n"
        f"torch==2.5 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n"
        "-c more/constraints.txt\n"
        "--constraint=gone.txt\n"
        "-i https://two.example/simple\n"
        "--extra-index-url=https://three.example/simple\n"
        "app @ https://files.example/app-1-py3-none-any.whl#sha256=00\n"
        "--pre\n",
        encoding="utf-8",
    )
    return path


def test_each_line_has_its_place_its_name_and_its_hashes(file):
    found = [
        (line.file.name, line.number, line.name, sorted(line.hashes)) for line in read_requirement_lines(file).lines
    ]

    assert found == [
        ("requirements.txt", 3, "flask-cors", []),
        ("requirements.txt", 5, "torch", [HASH, OTHER]),
        ("constraints.txt", 1, "numpy", []),
        ("requirements.txt", 12, "app", []),
    ]


def test_comments_are_no_part_of_a_line_and_fragments_are(file):
    texts = [line.text for line in read_requirement_lines(file).lines]

    assert texts[0] == "Flask_Cors[async] == 4.0 ; python_version > '3'"
    assert texts[3].endswith("#sha256=00")


def test_indexes_are_named_by_their_option_with_variables_filled_in(file, monkeypatch):
    monkeypatch.setenv("TOKEN", "me:secret")

    assert read_requirement_lines(file).indexes == {
        "extra-index-url": "https://me:secret@one.example/simple",
        "index-url": "https://two.example/simple",
        "extra-index-url-2": "https://three.example/simple",
    }


def test_lines_are_those_that_pip_sees(file):
    parse = pytest.importorskip("pip._internal.req.req_file").parse_requirements
    session = pytest.importorskip("pip._internal.network.session").PipSession()
    text = file.read_text(encoding="utf-8-sig").replace("--constraint=gone.txt\n", "")
    file.write_text(text)
    (file.parent / "more" / "constraints.txt").write_text(
        "numpy<3\n"
    )  # pip does not end where files include each other

    theirs = [one.requirement.partition("--hash")[0].strip() for one in parse(str(file), session)]

    assert [line.text.partition("--hash")[0].strip() for line in read_requirement_lines(file).lines] == theirs


@pytest.mark.parametrize(
    ("text", "source", "name", "where", "rest"),
    [
        ("torch>=2 ; python_version > '3'", "index", "torch", "", ""),
        ("zope.interface[test]==5", "index", "zope-interface", "", ""),
        (
            "a @ https://h/a-1.whl ; sys_platform == 'linux'",
            "url",
            "a",
            "https://h/a-1.whl",
            "; sys_platform == 'linux'",
        ),
        ("a[x]@https://h/a-1.zip#sha256=00", "url", "a", "https://h/a-1.zip#sha256=00", ""),
        ("https://h/a-1-py3-none-any.whl", "url", "", "https://h/a-1-py3-none-any.whl", ""),
        ("git+https://h/a@v1#egg=The_A[x]", "git", "the-a", "git+https://h/a@v1#egg=The_A[x]", ""),
        ("a @ git+ssh://git@h/a.git", "git", "a", "git+ssh://git@h/a.git", ""),
        ("-e git+https://h/a#egg=a", "git", "a", "git+https://h/a#egg=a", ""),
        ("a @ file:///tmp/a-1.whl", "path", "a", "file:///tmp/a-1.whl", ""),
        ("our wheels/a-1-py3-none-any.whl", "path", "", "our wheels/a-1-py3-none-any.whl", ""),
        ("a-1.tar.gz ; python_version > '3'", "path", "", "a-1.tar.gz", "; python_version > '3'"),
        ("A-1.TGZ --hash=sha256:00", "path", "", "A-1.TGZ", "--hash=sha256:00"),
        ("./pkg", "path", "", "./pkg", ""),
        ("-e .", "path", "", ".", ""),
        ("pkg/", "path", "", "pkg/", ""),
    ],
)
def test_a_line_says_where_its_package_comes_from(tmp_path, text, source, name, where, rest):
    path = tmp_path / "requirements.txt"
    path.write_text(f"{text}\n")

    said = read_requirement_lines(path)

    (line,) = said.lines
    assert (line.source, line.name, line.where, line.rest, line.text) == (source, name, where, rest, text)
    assert said.plain == (source == "index")


def test_options_are_read_and_what_means_nothing_is_kept_with_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    path = tmp_path / "requirements.txt"
    path.write_text(
        "-f wheels\n--find-links=https://${TOKEN}@h/links\n--find-links file:///tmp/a%20b\n--pre\n--no-index\n"
        "--no-binary A_b,c\n--no-binary :none:\n--no-binary=D\n--only-binary :all:\n--trusted-host h\n"
        "--prefer-binary\n--require-hashes\n--proxy http://p\n"
    )

    said = read_requirement_lines(path)

    assert said.options == Options(
        find_links=(str(tmp_path / "wheels"), "https://secret@h/links", "/tmp/a b"),
        pre=True,
        no_index=True,
        require_hashes=True,
        no_binary=frozenset({"d"}),
        only_binary=frozenset({":all:"}),
        trusted_hosts=("h",),
        others=((path, 13, "--proxy http://p"),),
    )
    assert not said.plain


def test_a_line_may_have_several_options_and_quotation_marks(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "--index-url 'https://one/simple' --extra-index-url=https://two/simple --trusted-host one\n"
        "--pre --no-binary a,b --only-binary 'c'\n-f 'our links'\n--proxy 'not closed\n"
    )

    said = read_requirement_lines(path)

    assert said.indexes == {"index-url": "https://one/simple", "extra-index-url": "https://two/simple"}
    assert said.options == Options(
        find_links=(str(tmp_path / "our links"),),
        pre=True,
        no_binary=frozenset({"a", "b"}),
        only_binary=frozenset({"c"}),
        trusted_hosts=("one",),
        others=((path, 4, "--proxy 'not closed"),),
    )
    assert (said.plain, said.lines) == (False, ())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_windows_writes_is_read_too(tmp_path, encoding):
    mark = "" if encoding == "utf-16" else "\ufeff"
    (tmp_path / "more.txt").write_bytes(f"{mark}naïve==1\r\n".encode(encoding))
    path = tmp_path / "requirements.txt"
    path.write_text("-r more.txt\na\n")

    said = read_requirement_lines(path)

    assert [line.text for line in said.lines] == ["naïve==1", "a"]
    assert (said.plain, said.files) == (False, (path, tmp_path / "more.txt"))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"a==1 --hash=sha512:{HASH * 2}", "only a sha256 is checked"),
        ("a==1 --hash=sha256:abc", "only a sha256 is checked"),
        (f"a==1 --hash=sha512:{HASH * 2} --hash=sha256:{HASH}", ""),
        ("a==1 --extra-index-url https://h/simple", "--extra-index-url cannot be said of one package"),
        ("a @ https://h/a-1.whl --config-settings=x=y", "--config-settings cannot be said of one package"),
        ("a -f links", "-f cannot be said of one package"),
        ("-e git+https://h/a#egg=a", ""),
        ("a ; python_version > '3' and extra != 'x -y'", ""),
    ],
)
def test_what_cannot_be_in_a_line_is_known_of_it(tmp_path, text, wrong):
    path = tmp_path / "requirements.txt"
    path.write_text(f"{text}\n")

    (line,) = read_requirement_lines(path).lines

    assert line.wrong.startswith(wrong)
    assert bool(line.wrong) == bool(wrong)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a\n--extra-index-url https://h/simple\n", True),
        ("a==1 \\\n  --hash=sha256:00\n", True),
        ("a \\\n  >= 1\n", False),
        ("--no-binary a\na\n--no-binary :none:\n", False),
        ("--prefer-binary\na\n", False),
        ("-c constraints.txt\na\n", True),
        ("-i 'https://h/simple'\na\n", False),
    ],
)
def test_uv_reads_a_file_itself_only_where_it_builds_nothing_and_knows_all_of_it(tmp_path, text, plain):
    (tmp_path / "constraints.txt").write_text("b<2\n")
    (tmp_path / "requirements.txt").write_text(text)

    assert read_requirement_lines(tmp_path / "requirements.txt").plain == plain


def test_addresses_are_those_of_files_and_repositories_without_what_is_said_of_them(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "a @ https://me:pw@h/a-1.whl#sha256=00\ngit+https://h/b@feature/x#egg=b\ngit+ssh://git@h/c.git\nd\n"
    )

    assert read_requirement_lines(path).addresses == [
        "https://me:pw@h/a-1.whl",
        "https://h/b",
        "ssh://git@h/c.git",
    ]
