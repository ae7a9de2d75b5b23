"""Who there is inside, by what this machine's files say."""

from __future__ import annotations

import os
import pwd

import pytest

from cog_oci.sandbox._identities import _own, _subordinate


def test_an_ordinary_users_own_id_is_root_and_the_subordinate_ones_follow(tmp_path):
    name = pwd.getpwuid(os.geteuid()).pw_name
    file = tmp_path / "subuid"
    file.write_text(f"other:1:5\n{name}:100000:65536\n{name}:300000:10\n# {name}:1:1\n{os.geteuid()}:9:2\n")

    assert _subordinate(str(file), 1000) == "0 1000 1,1 100000 65536,65537 300000 10,65547 9 2"


@pytest.mark.parametrize("text", ["", "other:100000:65536\n", "nonsense\n"])
def test_without_subordinate_ids_there_is_no_map(tmp_path, text):
    (tmp_path / "subuid").write_text(text)

    assert _subordinate(str(tmp_path / "subuid"), 1000) == ""
    assert _subordinate(str(tmp_path / "nonexistent"), 1000) == ""


def test_root_keeps_every_id_that_it_has_as_it_is():
    assert _own("         0          0 4294967295\n") == "0 0 4294967295"
    # Within a container that has a part of the machine's.
    assert _own("0 100000 1000\n1000 200000 5\n") == "0 0 1000,1000 1000 5"
