import json

import pytest

from frostline.data.sources.csv_table import load_csv
from frostline.data.splits import split_table
from frostline.errors import DataError


@pytest.fixture
def listed(photo_tree):
    """Writes a csv beside a folder of ten images; returns a loader."""
    root = photo_tree({"train_images": 10})

    def make(lines, name="list.csv", **options):
        file = root / name
        file.write_text("\n".join(lines), encoding="utf-8")
        return load_csv(
            str(file), **({"on_bad_image": "error", "images": "train_images"} | options)
        )

    return make


def rows(labels, header="image_id,label", extra=lambda k: ""):
    lines = [f"img_{k:03d}.png,{label}{extra(k)}" for k, label in enumerate(labels)]
    return [header, *lines]


def test_integer_labels_in_numeric_order(listed):
    table = listed(rows([10, 2, 2, 10, 2, 0, 0, 0, 10, 2]))
    assert table.classes == ("0", "2", "10")
    assert table.labels[0] == 2


def test_label_names_from_json(listed, tmp_path):
    (tmp_path / "photos" / "map.json").write_text(json.dumps({"0": "healthy", "1": "rust"}))
    table = listed(rows([0, 1] * 5), label_names="map.json")
    assert table.classes == ("healthy", "rust")
    with pytest.raises(DataError, match=r"data.label_names=gone.json"):
        listed(rows([0, 1] * 5), label_names="gone.json")


def test_one_hot_labels(listed):
    header = "image_id,healthy,rust,scab"
    hot = ["1,0,0", "0,1,0", "0,0,1"]
    table = listed(
        rows([hot[k % 3] for k in range(10)], header), label_column=["healthy", "rust", "scab"]
    )
    assert table.counts() == {"healthy": 4, "rust": 3, "scab": 3}
    with pytest.raises(DataError, match="line 3 has 2 labels: 'healthy', 'rust'"):
        listed(rows(["1,0,0", "1,1,0"] * 5, header), label_column=["healthy", "rust", "scab"])
    with pytest.raises(DataError, match="line 2 has 0 labels"):
        listed(rows(["0,0,0"] * 10, header), label_column=["healthy", "rust", "scab"])


def test_splits_and_groups_from_columns(listed):
    sides = ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    extra = lambda k: f",{sides[k]},plant{k}"  # noqa: E731
    table = listed(
        rows("abababbaba", "image_id,label,fold,plant", extra),
        split_column="fold",
        group_by="plant",
    )
    assert table.given_split.tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert table.groups[3] == "plant3"
    with pytest.raises(DataError, match="line 2 has the split 'outer'"):
        listed([*rows("ab", "image,label,fold", lambda k: ",outer")], split_column="fold")


def test_group_column_with_a_typo(listed):
    with pytest.raises(
        DataError, match=r"data.group_by=plnt: there is no such column[\s\S]*'plant'"
    ):
        listed(rows("ababababab", "image,label,plant", lambda k: f",p{k}"), group_by="plnt")


def test_a_group_in_two_given_splits_is_an_error(listed):
    sides = ["train", "val", "test"]
    lines = rows("ab" * 5, "image,label,split,leaf", lambda k: f",{sides[k % 3]},leaf{k // 2}")
    table = listed(lines, split_column="split", group_by="leaf")
    with pytest.raises(DataError, match="are in more than one split"):
        split_table(table, val_frac=0.2, test_frac=0.2, seed=0)


def test_images_without_extension_and_by_name_only(listed):
    lines = ["image;label", *(f"img_{k:03d};{'ab'[k % 2]}" for k in range(10))]
    assert len(listed(lines)) == 10
    assert len(listed(lines, images=None)) == 10  # found below the csv's own folder


def test_a_row_without_a_file(listed):
    lines = [*rows("ab" * 5), "gone.png,a", ",b"]
    with pytest.raises(DataError, match=r"2 of 12 images[\s\S]*gone.png: no such file \(line 12\)"):
        listed(lines)
    table = listed(lines, on_bad_image="skip")
    assert len(table) == 10
    assert [bad.path for bad in table.skipped] == ["gone.png", "(empty)"]


def test_no_file_at_all(listed):
    with pytest.raises(DataError, match=r"none of 2 rows[\s\S]*data.images=DIR"):
        listed(["image,label", "x.png,a", "y.png,b"])


def test_two_labels_for_one_image(listed):
    with pytest.raises(DataError, match=r"line 12 of list.csv has 'b'"):
        listed([*rows("aabbaabbaa"), "img_000.png,b"])
    assert "1 lines repeat" in listed([*rows("aabbaabbaa"), "img_000.png,a"]).notes[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["picture,label", "a,b"], "no column is called 'image'"),
        (["image,kind", "a,b"], "no column is called 'label'"),
        (["image,label,label", "a,b,c"], "columns of the same name: 'label'"),
        (["image,label", "a,b,c"], "line 2 of list.csv has 3 values"),
        (["image,label"], "has no rows"),
        (["image,label", "img_000.png,"], "line 2 has no label"),
    ],
)
def test_unusable_files(listed, lines, message):
    with pytest.raises(DataError, match=message):
        listed(lines)


def test_unlisted_images_are_mentioned(listed):
    assert "4 images in train_images are not listed in list.csv" in listed(rows("ababab")).notes


def test_a_name_that_fits_several_images(photo_tree):
    root = photo_tree({"a": 3, "b": 3})
    (root / "l.csv").write_text("image,label\nimg_000,x\nimg_001,y\n")
    with pytest.raises(DataError, match=r"line 2: 'img_000' may be any of 'a/img_000.png'"):
        load_csv(str(root / "l.csv"), on_bad_image="error")


def test_a_folder_is_not_a_csv(photo_tree):
    with pytest.raises(DataError, match="is a folder"):
        load_csv(str(photo_tree({"a": 1})), on_bad_image="error")


@pytest.mark.parametrize("images", ["train_images", None])
@pytest.mark.parametrize("kind", ["absolute", "from the table", "from another folder"])
def test_paths_may_be_absolute_or_start_at_the_table(listed, photo_tree, kind, images):
    root = photo_tree({})
    lines = ["image,label"]
    for k in range(10):
        own = f"train_images/img_{k:03d}.png"
        path = {
            "absolute": root / own,
            "from the table": own,
            "from another folder": f"../{root.name}/{own}",
        }[kind]
        lines.append(f"{path},{'ab'[k % 2]}")
    table = listed(lines, images=images)
    assert table.counts() == {"a": 5, "b": 5}
    assert table.open_image(table.items[0]).size == (24, 20)


def test_a_quotation_mark_that_is_never_closed(listed):
    lines = rows("ab" * 5)
    lines[3] = '"' + lines[3]
    with pytest.raises(DataError, match=r"quotation mark"):
        listed(lines + ["img_000.png,a"] * 20_000)


def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(listed):
    lines = [f"{row},{'note' if number else 'remark'}" for number, row in enumerate(rows("ab" * 5))]
    lines[8] = lines[8].replace("note", '"6 inches')
    with pytest.raises(DataError, match=r"a quotation mark in the row of line 9 is never closed"):
        listed(lines)
    lines[8] = lines[8].replace('"6 inches', '"6"" inches"')
    assert len(listed(lines)) == 10


@pytest.mark.parametrize("label", ['"b\nx"', "b\x1b[31m", "b\0"])
def test_a_class_name_fits_in_one_line(listed, label):
    lines = [row.replace(",b", f",{label}") for row in rows("ab" * 5)]
    with pytest.raises(DataError, match=r"class names with line ends or control characters: 'b"):
        listed(lines)


def test_line_numbers_are_those_of_an_editor(listed):
    with pytest.raises(DataError, match="line 5 has no label"):
        listed(["image,label", "", "img_000.png,a", "", "img_001.png,"])


def test_a_class_without_any_file_is_an_error_even_if_bad_images_are_skipped(listed):
    lines = [*rows("ab" * 5), "gone_1.png,c", "gone_2.png,c"]
    with pytest.raises(DataError, match="no image of class 'c'"):
        listed(lines, on_bad_image="skip")
