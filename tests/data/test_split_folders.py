"""Folders of splits by any name, variants beside each other, splits below classes, flat tests."""

import json
from pathlib import Path

import pytest

from frostline.data.checks.checkup import check_table
from frostline.data.sources.folder import load_folder
from frostline.data.split_names import splits_by_name
from frostline.data.splits import split_table
from frostline.errors import DataError
from tests.data.understood_data import read_all, sides, write_photo


def load(root, **options):
    return load_folder(str(root), **({"on_bad_image": "error"} | options))


def test_what_was_always_understood_is_read_as_ever(tmp_path):
    recorded = json.loads(Path(__file__).with_name("understood_data.json").read_text("utf-8"))
    tables = read_all(tmp_path)
    assert {name: table.fingerprint for name, table in tables.items()} == recorded


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("train dev", "train val"),
        ("train holdout", "train test"),
        ("Train Hold-Out", "train test"),
        ("seg_train seg_test", "train test"),
        ("train_set test_set", "train test"),
        ("Training_Set Test_Set", "train test"),
        ("TrainSet TestSet", "train test"),
        ("train2017 val2017", "train val"),
        ("trainval test", "train test"),
        ("train_images valid_images test_images", "train val test"),
        ("birds_train birds_val birds_test", "train val test"),
        ("2020_training_v2 2020_testing_v2", "train test"),
        ("training validation evaluation", "train val test"),
        ("train eval test", "train val test"),
        ("X_train X_test", "train test"),
    ],
)
def test_split_folders_by_other_names(photo_tree, names, expected):
    table = load(photo_tree(sides(names)))
    assert table.classes == ("healthy", "rust")
    meaning = dict(zip(names.split(), expected.split(), strict=True))
    found = {
        item.split("/")[0]: split
        for item, split in zip(table.items, table.given_split, strict=True)
    }
    assert found == meaning
    said = [f"'{name}' is {split}" for name, split in meaning.items() if name in table.notes[0]]
    assert all(text in table.notes[0] for text in said) and said


@pytest.mark.parametrize(
    "names",
    ["train eval", "fold1 fold2 fold3", "fold_a fold_b", "color grayscale segmented", "v1 v2",
     "lab field", "site_north site_south", "entrenamiento prueba", "original augmented", "val test",
     "part1 part2", "train extra", "train_1 train_2", "cv0 cv1 cv2 cv3 cv4", "raw"],
)  # fmt: skip
def test_folders_with_the_same_classes_are_no_classes(photo_tree, names):
    names = names if " " in names else f"{names} cropped"
    with pytest.raises(DataError, match="hold the same classes") as raised:
        load(photo_tree(sides(names)))
    assert "data.splits={" in raised.value.todo
    first = sorted(names.split())[0]
    assert f"data.path={Path(raised.value.todo.split('data.path=')[1].split(';')[0])}" in (
        raised.value.todo
    )
    assert f"photos/{first}" in raised.value.todo


def test_folds_of_classes_that_are_numbers(photo_tree):
    with pytest.raises(DataError, match="hold the same classes"):
        load(photo_tree(sides("fold1 fold2", "0 1 2 3")))


@pytest.mark.parametrize("names", ["Trainning Tset Validaton", "trian tets vaild"])
def test_misspelt_splits_are_no_classes_even_above_classes_that_are_numbers(photo_tree, names):
    with pytest.raises(DataError, match="hold the same classes") as raised:
        load(photo_tree(sides(names, "c0 c1")))
    for name, split in zip(names.split(), ("train", "test", "val"), strict=True):
        assert f"{name}: {split}" in raised.value.todo


def test_a_variant_may_lack_a_class_or_stand_beside_other_folders(photo_tree):
    tree = sides("color grayscale", "a1 b1 c1") | {"segmented/a1": 3, "segmented/b1": 3}
    with pytest.raises(DataError, match="'color', 'grayscale', 'segmented'"):
        load(photo_tree(tree | {"samples": 2}))


def test_the_user_says_what_folders_are(photo_tree):
    root = photo_tree(sides("fold1 fold2 fold3"))
    table = load(root, splits={"fold1": "train", "fold2": "train", "fold3": "test"})
    assert table.classes == ("healthy", "rust")
    assert sorted(table.given_split.tolist()) == ["test"] * 8 + ["train"] * 16
    table = load(root, splits={"fold1": "train", "fold2": "val", "fold3": None})
    assert sorted(set(table.given_split.tolist())) == ["train", "val"]
    assert len(table) == 16 and "leaves out 8 images" in table.notes[1]
    assert len(table.lists["splits"]) == 8
    assert load(root, splits={}).classes == ("fold1", "fold2", "fold3")
    with pytest.raises(DataError, match=r"other folders: 'fold3'"):
        load(root, splits={"fold1": "train", "fold2": "val"})
    with pytest.raises(DataError, match="names no folder"):
        load(root, splits={"fold": "train"})


def test_an_empty_setting_makes_even_train_a_class(photo_tree):
    table = load(photo_tree({"train": 3, "test": 3}), splits={})
    assert table.classes == ("test", "train") and table.given_split is None


@pytest.mark.parametrize("test", ["test", "test/test", "test/images", "test2017", "Test_Set"])
def test_a_flat_test_is_named_with_its_count(photo_tree, test):
    table = load(photo_tree(sides("train", n=10) | {test: 7}))
    (note,) = [note for note in table.notes if "no class folder" in note]
    assert "7 images" in note and "the test images are taken from train" in note
    assert len(table.lists["in no class folder"]) == 7
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    assert all(table.items[row].startswith("train/") for row in splits.test)


def test_flat_training_images_are_named(photo_tree):
    table = load(photo_tree(sides("test") | {"train": 5}))
    assert "ignored 5 images of 'train'" in table.notes[0]
    with pytest.raises(DataError, match="the train split has no image"):
        split_table(table, val_frac=0.2, test_frac=0.2, seed=0)


def test_images_beside_the_split_folders_are_named(photo_tree):
    table = load(photo_tree(sides("train test") | {"": 2}))
    assert "ignored 2 images that are in no split folder" in table.notes[0]


def test_split_folders_that_hold_themselves_and_images_to_predict(photo_tree):
    root = photo_tree(sides("seg_train/seg_train seg_test/seg_test") | {"seg_pred/seg_pred": 5})
    table = load(root)
    assert table.counts() == {"healthy": 8, "rust": 8}
    assert table.items[0].startswith("seg_test/seg_test/healthy/")
    assert "ignored 5 images of 'seg_pred', which have no class" in table.notes


def test_one_folder_of_images_in_val_and_test_is_no_class_of_theirs(photo_tree):
    tree = {"train/a/images": 4, "train/b/images": 4, "val/images": 3, "test/images": 2}
    table = load(photo_tree(tree))
    assert table.counts() == {"a": 4, "b": 4}
    assert any("ignored 3 images of 'val'" in note for note in table.notes)
    assert any("ignored 2 images of 'test'" in note for note in table.notes)


def test_training_classes_beside_images_without_any(photo_tree):
    table = load(photo_tree({"train/a": 4, "train/b": 4, "unlabelled": 3}))
    assert table.counts() == {"a": 4, "b": 4}
    assert "ignored 3 images of 'unlabelled', which have no class" in table.notes


def test_train_and_unlabelled_without_classes_are_two_classes(photo_tree):
    assert load(photo_tree({"train": 4, "unlabelled": 4})).counts() == {
        "train": 4,
        "unlabelled": 4,
    }


def test_a_copy_beside_the_splits(photo_tree):
    table = load(photo_tree(sides("x/train x/test x/x/train x/x/test")))
    assert len(table) == 16 and all("x/x/" not in item for item in table.items)


def test_flat_split_folders_of_other_names_are_no_classes(photo_tree):
    with pytest.raises(DataError, match="not in one folder per class"):
        load(photo_tree({"train2017": 4, "val2017": 4}))


@pytest.mark.parametrize("names", ["train test", "train2017 val2017", "Training Testing"])
def test_splits_below_the_classes(photo_tree, names):
    table = load(
        photo_tree({f"{kind}/{name}": 3 for kind in ("rust", "ok") for name in names.split()})
    )
    assert table.classes == ("ok", "rust")
    by_folder = dict(
        zip((item.split("/")[1] for item in table.items), table.given_split, strict=True)
    )
    assert by_folder == splits_by_name(names.split())
    assert "below the classes" in table.notes[0]


def test_splits_below_the_classes_beside_other_images(photo_tree):
    with pytest.raises(DataError, match="hold split folders"):
        load(photo_tree(sides("rust ok", "train test") | {"ok/more": 2}))


def test_folds_below_the_classes_are_named_by_the_user(photo_tree):
    root = photo_tree(sides("rust ok", "fold1 fold2"))
    assert load(root).given_split is None  # the folds count as parts of each class, as ever
    table = load(root, splits={"fold1": "train", "fold2": "test"})
    assert sorted(table.given_split.tolist()) == ["test"] * 8 + ["train"] * 8


def test_splits_deeper_than_other_images(photo_tree):
    with pytest.raises(DataError, match=r"data\.path=.*/Plants/Plants"):
        load(photo_tree(sides("Plants/Plants/train Plants/Plants/valid") | {"test/test": 5}))


@pytest.mark.parametrize(
    "name",
    ["train station", "protest", "contest", "trained", "latest", "values", "devil", "train A"],
)
def test_words_that_are_no_split(name):
    assert splits_by_name([name, "other"]) == {}


def test_a_class_called_train_beside_others_stays_one(photo_tree):
    vehicles = {"train": 4, "bus": 4, "dev": 3}
    assert load(photo_tree(vehicles)).classes == ("bus", "dev", "train")
    kinds = {"train_old/x": 3, "dev_old/y": 3, "bus/z": 3}
    assert load(photo_tree(kinds, name="kinds")).classes == ("bus", "dev_old", "train_old")


def test_what_is_left_out_is_counted_in_one_line_and_listed_in_the_profile(photo_tree):
    root = photo_tree(sides("train test") | {"test": 3})
    (root / "notes.txt").write_text("x")
    table = load(root)
    outside = [f"test/img_{k:03d}.png" for k in range(3)]
    assert table.profile()["lists"] == {
        "in no class folder": outside,
        "other files": ["notes.txt"],
    }
    assert table.profile()["notes"] == list(table.notes)
    lines = [one.text for one in check_table(table, seed=0, probing=False).findings]
    assert any(line.startswith("3 in no class folder, 1 other file: all named") for line in lines)


def test_years_below_one_class_are_no_classes(tmp_path):
    for number, folder in enumerate(("rust/2020", "rust/2021")):
        for k in range(3):
            write_photo(tmp_path / "photos" / folder / f"{k}.ppm", 10 * number + k)
    with pytest.raises(DataError, match="one class, 'rust', whose folders are years") as refused:
        load_folder(str(tmp_path / "photos"), on_bad_image="error")
    assert "photos/rust" in refused.value.todo
    asked = load_folder(str(tmp_path / "photos" / "rust"), on_bad_image="error")
    assert asked.classes == ("2020", "2021")
    for k in range(3):
        write_photo(tmp_path / "photos" / "healthy" / f"{k}.ppm", 50 + k)
    assert load_folder(str(tmp_path / "photos"), on_bad_image="error").classes == (
        "healthy",
        "rust",
    )
