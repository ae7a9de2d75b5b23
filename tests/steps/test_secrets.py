"""Secrets as they are written, read, and kept out of what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.steps._secrets import Secret, masked, read_secrets


@pytest.mark.parametrize(
    ("text", "file", "variable"),
    [
        ("id=a,src=/x/y", "/x/y", None),
        ("id=a,source=/x/y", "/x/y", None),
        ("type=file,id=a,src=/x/y", "/x/y", None),
        ("id=a,env=B", None, "B"),
        ("type=env,id=a,src=B", None, "B"),
        ("id=SET", None, "SET"),
        ("id=a-file", "a-file", None),
        ("id=a,src=~nobody-of-this-name/x", "~nobody-of-this-name/x", None),
    ],
)
def test_a_secret_is_written_as_for_docker(text, file, variable, monkeypatch):
    monkeypatch.setenv("SET", "1")

    secret = Secret.parse(text)

    assert (secret.file and str(secret.file), secret.variable) == (file, variable)


@pytest.mark.parametrize("text", ["", "a", "id=", "id=a,id=b", "id=a,src=b,env=C", "id=a,type=disk", "id=a,what=b"])
def test_what_is_no_secret_is_refused(text):
    with pytest.raises(CogError, match=r"^--secret"):
        Secret.parse(text)


def test_a_secret_is_read_byte_by_byte(tmp_path):
    (tmp_path / "s").write_bytes(b"\x00\xff\n")
    secret = Secret.parse(f"id=s,src={tmp_path / 's'}")

    assert read_secrets([("s", "build.run 1"), ("s", "build.run 2")], [secret]) == {"s": b"\x00\xff\n"}


def test_a_file_that_is_no_secret_for_its_size_is_refused(tmp_path):
    (tmp_path / "s").write_bytes(bytes((500 << 10) + 1))

    with pytest.raises(CogError, match="512001 bytes"):
        Secret.parse(f"id=s,src={tmp_path / 's'}").read()


@given(st.text(min_size=1).filter(str.strip), st.text(), st.text())
def test_no_line_has_the_secret_in_it(secret, before, after):
    said: list[str] = []
    value = secret.strip().splitlines()[0].strip() or "x"

    masked(said.append, [value.encode()])(f"{before}{value}{after}")

    assert value not in said[0].replace("***", "")


def test_long_lines_of_a_secret_are_hidden_and_short_ones_are_not():
    said: list[str] = []
    say = masked(said.append, [b"[global]\nindex-url = https://me:pw@host/simple\nno\n"])

    say("no, that is: index-url = https://me:pw@host/simple")

    assert said == ["no, that is: ***"]
