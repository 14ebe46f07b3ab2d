import os
import stat

import pytest

from frostline.files import TEMPORARY_SUFFIX, replacing, sealed, unsealed


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
        assert temporary.suffix == TEMPORARY_SUFFIX
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_text("new")
        raise KeyError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_the_mode_is_that_of_an_ordinary_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_writers_of_one_file_do_not_share_a_temporary_name(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


@pytest.mark.parametrize("text", ["a", '{"lr": 0.001}', "two\nlines\n", "Blätter \udce4"])
def test_a_sealed_text_shows_every_changed_bit(text):
    whole = sealed(text)
    assert unsealed(whole) == text
    for at in range(len(whole)):
        with pytest.raises(ValueError, match="checksum"):
            unsealed(whole[:at] + chr(ord(whole[at]) ^ 1) + whole[at + 1 :])
        with pytest.raises(ValueError, match="checksum"):
            unsealed(whole[:at])
