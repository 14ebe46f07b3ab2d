"""A folder of images: its layouts, its classes, its splits."""

import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from frostline.data.sources.build_table import sorted_classes
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_table
from frostline.errors import DataError


def load(root, **options):
    return load_folder(str(root), **({"on_bad_image": "error"} | options))


def test_classes_are_folders(photo_tree):
    table = load(photo_tree({"cat": 4, "dog": 3}))
    assert table.classes == ("cat", "dog")
    assert table.items[0] == "cat/img_000.png"
    assert table.labels.tolist() == [0] * 4 + [1] * 3
    assert table.name == "photos"
    assert table.given_split is None
    assert table.open_image("dog/img_002.png").size == (24, 20)
    assert table.facts.widths_px.tolist() == [24] * 7


def test_images_may_be_in_subfolders(photo_tree):
    table = load(photo_tree({"cat/2020/may": 3, "cat/2021": 1, "dog": 3}))
    assert table.counts() == {"cat": 4, "dog": 3}


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VALID"])
def test_given_splits(photo_tree, val):
    root = photo_tree(
        {
            f"{side}/{kind}": n
            for kind in ("a", "b")
            for side, n in (("Train", 4), (val, 2), ("test", 1))
        }
    )
    table = load(root)
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    assert [len(rows) for rows in splits.named().values()] == [8, 4, 2]
    assert table.classes == ("a", "b")


def test_train_and_validation_only(photo_tree):
    root = photo_tree(
        {"train/cats": 10, "train/dogs": 10, "validation/cats": 3, "validation/dogs": 3}
    )
    splits = split_table(load(root), val_frac=0.2, test_frac=0.2, seed=0)
    assert [len(rows) for rows in splits.named().values()] == [16, 6, 4]


def test_classes_that_differ_between_given_splits(photo_tree):
    root = photo_tree(
        {"train/a": 3, "train/b": 3, "test/a": 2, "test/c": 2, "val/a": 1, "val/b": 1}
    )
    with pytest.raises(DataError, match="the train split has no image of class 'c'"):
        split_table(load(root), val_frac=0.2, test_frac=0.2, seed=0)


def test_split_folders_and_other_folders(photo_tree):
    root = photo_tree({"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2, "extra/a": 1})
    with pytest.raises(DataError, match=r"and other folders: 'extra'"):
        load(root)


def test_outer_folders_are_skipped_with_a_note(photo_tree):
    table = load(photo_tree({"download/PetImages/Cat": 3, "download/PetImages/Dog": 3}))
    assert table.classes == ("Cat", "Dog")
    assert "'download/PetImages'" in table.notes[0]


def test_a_nested_copy_is_ignored_with_a_note(photo_tree):
    kinds = ["Potato", "Tomato", "Pepper"]
    root = photo_tree({**dict.fromkeys(kinds, 3), **{f"PlantVillage/{k}": 3 for k in kinds}})
    table = load(root)
    assert table.counts() == {"Pepper": 3, "Potato": 3, "Tomato": 3}
    assert table.notes == ("ignored 'PlantVillage': it is a copy of the same classes",)


def test_extensions_in_any_case_and_other_files(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    Image.new("RGB", (8, 8)).save(root / "a" / "X.JPG", "JPEG")
    Image.new("RGB", (8, 8)).save(root / "a" / "y.TIFF", "TIFF")
    (root / "a" / "._img_000.png").write_bytes(b"resource fork")
    (root / "a" / "Thumbs.db").write_bytes(b"x")
    (root / "a" / "notes.txt").write_text("x")
    (root / "b" / "plan.svg").write_text("<svg/>")
    for stray in (".ipynb_checkpoints", "__MACOSX/a"):
        (root / stray).mkdir(parents=True)
        shutil.copy(root / "a" / "img_000.png", root / stray / "img_000.png")
    table = load(root)
    assert table.counts() == {"a": 5, "b": 3}
    notes = "\n".join(table.notes)
    for name in (
        "._img_000.png",
        "Thumbs.db",
        ".ipynb_checkpoints",
        "__MACOSX",
        "1 .svg",
        "1 .txt",
    ):
        assert name in notes


def test_empty_class_folder_is_named(photo_tree):
    with pytest.raises(DataError, match="no image in class folder 'c'"):
        load(photo_tree({"a": 3, "b": 3, "c": 0}))


def test_empty_class_folder_of_a_given_split(photo_tree):
    root = photo_tree({"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 0})
    with pytest.raises(DataError, match=r"no image in class folder 'b' of .*/test"):
        load(root)


def test_one_class_only(photo_tree):
    with pytest.raises(DataError, match="only one class: 'a'"):
        load(photo_tree({"a": 5}))


def test_no_folder_no_image(tmp_path):
    with pytest.raises(DataError, match=r"there is no such file or folder \(working directory:"):
        load(tmp_path / "gone")
    with pytest.raises(DataError, match="has no image"):
        load(tmp_path)


def test_images_directly_in_the_root(photo_tree):
    root = photo_tree({"": 4})
    with pytest.raises(DataError, match="not in one folder per class"):
        load(root)


def test_class_from_the_name(photo_tree):
    root = photo_tree({"train": 6})
    for k, path in enumerate(sorted((root / "train").iterdir())):
        path.rename(path.with_name(f"{'cat' if k % 2 else 'dog'}.{k}.png"))
    table = load(root, label_pattern=r"(?P<label>cat|dog)\.\d+")
    assert table.counts() == {"cat": 3, "dog": 3}
    with pytest.raises(DataError, match="there is no group 'label'"):
        load(root, label_pattern="(cat|dog)")
    with pytest.raises(DataError, match=r"label_pattern=\(: .*"):
        load(root, label_pattern="(")
    with pytest.raises(DataError, match="matches none of 6 images"):
        load(root, label_pattern="(?P<label>cow)")


@pytest.mark.parametrize(
    ("one", "other"), [("Rust", "rust"), ("caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9"))]
)
def test_classes_that_look_the_same(photo_tree, one, other):
    root = photo_tree({one: 3, other: 3, "third": 3})
    with pytest.raises(DataError, match="differ only in case, spaces or Unicode form"):
        load(root)
    assert len(load(root, rename={other: one}).classes) == 2


def test_rename_of_a_class_that_does_not_exist(photo_tree):
    with pytest.raises(DataError, match=r"data\.rename names classes that do not exist: 'z'"):
        load(photo_tree({"a": 3, "b": 3}), rename={"z": "a"})


def test_path_relative_to_the_working_directory(photo_tree, monkeypatch):
    root = photo_tree({"a": 3, "b": 3})
    monkeypatch.chdir(root.parent)
    table = load(Path("photos"))
    monkeypatch.chdir("/")
    assert table.open_image("a/img_000.png").mode == "RGB"


def test_numbers_with_leading_zeros_have_one_order():
    # A set's order differs from process to process: equal numbers must not be left to it.
    names = {"1", "01", "001", "2", "02", "10"}
    for turned in (sorted(names), sorted(names, reverse=True)):
        assert sorted_classes(dict.fromkeys(turned).keys()) == ("1", "01", "001", "2", "02", "10")
