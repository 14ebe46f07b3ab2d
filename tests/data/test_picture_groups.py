"""Images that look the same, written as groups and then kept in one split."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from frostline.commands.data import main
from frostline.data.checks.checkup import check_table
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_table
from frostline.errors import DataError


@pytest.fixture
def copied(photo_tree, monkeypatch, tmp_path):
    """Twelve photos a class, six of which have copies: equal ones, and as JPEG."""
    monkeypatch.chdir(tmp_path)
    root = photo_tree({"a": 12, "b": 12})
    for folder in "ab":
        for k in range(6):
            file = root / folder / f"img_{k:03d}.png"
            if k < 2:  # noise would not outlive a JPEG
                image = Image.open(file).resize((6, 5)).resize((240, 200), Image.Resampling.BICUBIC)
                image.save(file)
                image.resize((180, 150)).save(root / folder / f"web_{k}.jpg")
            shutil.copy(file, root / folder / f"again_{k}.png")
    return root


def leaks(table, seed):
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=seed)
    checkup = check_table(table, seed=0, splits=splits, probing=False)
    return [one.text for one in checkup.findings if one.level == "leak"]


def test_written_groups_end_the_leak(copied, capsys):
    plain = load_folder(str(copied), on_bad_image="error")
    leaking = [seed for seed in range(5) if leaks(plain, seed)]
    assert leaking
    assert "--groups groups.json" in leaks(plain, leaking[0])[0]
    assert main([str(copied), "--out", "", "--groups", "groups.json"]) == 0
    said = capsys.readouterr().err
    assert "28 images in 12 groups, the largest of 3: data.group_by=groups.json" in said
    groups = json.loads(Path("groups.json").read_text())
    assert groups["a/web_1.jpg"] == groups["a/img_001.png"] == groups["a/again_1.png"]
    assert "a/img_007.png" not in groups
    table = load_folder(str(copied), on_bad_image="error", group_by="groups.json")
    assert "28 images form 12 groups" in table.notes
    assert [leaks(table, seed) for seed in range(5)] == [[]] * 5


def test_groups_of_before_stay_whole(copied):
    """Photos of one object are one group; a copy joins two of them."""
    shutil.copy(copied / "a/img_010.png", copied / "a/img_011_again.png")
    by_tens = r"img_(\d\d)"
    assert main([str(copied), "--out", "", "--group-by", by_tens, "--groups", "g.json"]) == 0
    groups = json.loads(Path("g.json").read_text())
    first = {groups[f"{folder}/img_00{k}.png"] for folder in "ab" for k in range(10)}
    assert len(first) == 1
    assert groups["a/again_3.png"] in first  # its picture is img_003's
    assert groups["a/img_010.png"] == groups["b/img_011.png"] == groups["a/img_011_again.png"]


def test_without_copies_nothing_is_written(photo_tree, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = photo_tree({"a": 4, "b": 4})
    assert main([str(root), "--out", "", "--groups", "groups.json"]) == 0
    assert "no two images look the same: groups.json was not written" in capsys.readouterr().err
    assert not (tmp_path / "groups.json").exists()


def test_a_name_that_group_by_would_not_read_as_a_file(photo_tree, capsys):
    root = photo_tree({"a": 4, "b": 4})
    assert main([str(root), "--out", "", "--groups", "groups.csv"]) == 1
    assert "--groups groups.csv: not a .json file" in capsys.readouterr().err


def test_given_splits_that_divide_a_written_group_are_an_error(photo_tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {f"{split}/{name}": 4 for split in ("train", "val", "test") for name in "ab"}
    root = photo_tree(folders)
    shutil.copy(root / "train/a/img_000.png", root / "test/a/leak.png")
    assert main([str(root), "--out", "", "--groups", "groups.json"]) == 1
    table = load_folder(str(root), on_bad_image="error", group_by="groups.json")
    with pytest.raises(DataError, match=r"'(train/a/img_000|test/a/leak)\.png'"):
        split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
