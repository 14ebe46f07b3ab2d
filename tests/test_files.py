import os
import stat

import pytest

from frostline.files import TEMPORARY_SUFFIX, file_name, replacing, sealed, unsealed


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


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet50-freeze2-seed0-lr=0.01", "resnet50-freeze2-seed0-lr=0.01"),
        ("v1/final (2)", "v1-final (2)"),
        ("..", "_.."),
        ("../../evil", "_..-..-evil"),
        ("", "_"),
        ("-x", "_-x"),
        ("~", "_~"),
        ("a\nb\0c\\d", "a-b-c-d"),
        ("新しい", "新しい"),
    ],
)
def test_any_name_is_one_part_of_a_path(tmp_path, name, file):
    assert file_name(name) == file
    (tmp_path / file_name(name)).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_long_names_are_cut_between_letters_and_stay_different(tmp_path):
    one, two = file_name("新" * 100 + "a"), file_name("新" * 100 + "b")
    assert one != two and one[:40] == two[:40] == "新" * 40
    (tmp_path / f"{one}-torch_export.partial.0123456789").mkdir()
