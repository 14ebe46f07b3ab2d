"""Tables as pandas, spreadsheets and other machines leave them."""

import codecs
import json
import unicodedata

import pytest

from frostline.data.sources.csv_table import load_csv
from frostline.errors import DataError

NAMES = [f"{k:03d}.png" for k in range(12)]


@pytest.fixture
def listed(photo_tree):
    """Writes a table beside a folder of twelve images named 000.png, 001.png, ...; a loader."""
    root = photo_tree({"img": 12})
    for path in (root / "img").iterdir():
        path.rename(path.with_name(path.name.removeprefix("img_")))

    def make(text, **options):
        file = root / "list.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_csv(str(file), **({"on_bad_image": "error", "images": "img"} | options))

    make.root = root
    return make


def table(label, header="image,label", name=lambda k: NAMES[k], end="", sep=","):
    lines = [f"{name(k)}{sep}{label(k)}{end}" for k in range(12)]
    return "\n".join([header, *lines]) + "\n"


def ab(k):
    return "ab"[k % 2]


@pytest.mark.parametrize(
    "label", [lambda k: f"{k % 2}.0", lambda k: f"{k % 2}{'.0' * (k > 5)}", lambda k: f"{k % 2}e0"]
)
def test_whole_numbers_written_as_floats_are_integers(listed, label):
    read = listed(table(label))
    assert read.counts() == {"0": 6, "1": 6}
    assert "whole numbers written as floats" in read.notes[0]
    for names in (["healthy", "rust"], {"0": "healthy", "1": "rust"}):
        assert listed(table(label), label_names=names).counts() == {"healthy": 6, "rust": 6}


def test_a_name_for_the_float_itself_is_used(listed):
    names = {"0.0": "healthy", "1.0": "rust"}
    assert listed(table(lambda k: f"{k % 2}.0"), label_names=names).classes == ("healthy", "rust")


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "<NA>", "NaT", "#N/A"])
def test_missing_labels_are_named_or_left_out(listed, missing):
    text = table(lambda k: missing if k % 6 == 5 else ab(k))
    with pytest.raises(DataError, match=r"2 rows [\s\S]*line 7 has no label[\s\S]*line 13"):
        listed(text)
    read = listed(text, on_bad_label="skip")
    assert read.counts() == {"a": 6, "b": 4}
    assert len(read.lists["no label"]) == 2 and read.lists["no label"][0].startswith("line 7 ")
    assert any("ignored 2 rows without one label" in note for note in read.notes)


@pytest.mark.parametrize("missing", ["-1", "-1.0", "None", "N/A", "?"])
def test_missing_numbers(listed, missing):
    text = table(lambda k: missing if k == 4 else f"{k % 2}{'.0' if '.' in missing else ''}")
    with pytest.raises(DataError, match="line 6 has no label"):
        listed(text)
    assert listed(text, on_bad_label="skip").counts() == {"0": 5, "1": 6}
    with pytest.raises(DataError, match="line 6 has no label"):
        listed(text, label_names=["healthy", "rust"])


def test_minus_one_that_has_a_name_is_a_class(listed):
    names = {"-1": "bad", "0": "so so", "1": "good"}
    assert listed(table(lambda k: k % 3 - 1), label_names=names).classes == ("bad", "good", "so so")


def test_words_that_may_be_a_class_are_one_and_said(listed):
    read = listed(table(lambda k: ["None", "rust"][k % 2]))
    assert read.classes == ("None", "rust")
    assert "6 rows have the label 'None', which is read as a class" in read.notes


@pytest.mark.parametrize("cell", ["a|b", "b; a", '"a,b"', "\"['a', 'b']\"", '"[a, c]"'])
def test_a_cell_of_several_labels_is_no_class(listed, cell):
    text = table(lambda k: cell if k == 0 else ab(k))
    with pytest.raises(DataError, match="line 2 has several labels"):
        listed(text)
    assert listed(text, on_bad_label="skip").counts() == {"a": 5, "b": 6}
    both = {cell.strip('"'): "both"}
    assert listed(text, label_names=both).counts() == {"a": 5, "b": 6, "both": 1}


def test_label_names_from_files_of_either_kind(listed):
    for content in (["x", "y"], {"0": "x", "1": "y"}, {"x": 0, "y": 1}):
        (listed.root / "names.json").write_text(json.dumps(content))
        read = listed(table(lambda k: k % 2), label_names="names.json")
        assert read.counts() == {"x": 6, "y": 6}
    (listed.root / "names.json").write_text("7")
    with pytest.raises(DataError, match="neither a map nor a list"):
        listed(table(lambda k: k % 2), label_names="names.json")


def test_a_label_without_a_name_is_said(listed):
    read = listed(table(lambda k: k % 3), label_names=["x", "y"])
    assert read.classes == ("2", "x", "y")
    assert "data.label_names has no name for '2'" in read.notes


EXPORTS = {
    "empty columns at the end": table(ab, "image,label,,", end=",,"),
    "values trimmed at the end": table(ab, "image,label,,"),
    "an empty column in the middle": table(ab, "image,,label,", sep=",,", end=","),
    "a last line of spaces": table(ab) + "  \n",
    "lines of separators": table(ab) + ",\n , \n\n",
    "lines of spaces first": "\n" + table(ab),
    "sep=;": "sep=;\n" + table(ab, "image;label", sep=";"),
    "sep=; in quotes, Windows": '"sep=;"\r\n'
    + table(ab, "image;label", sep=";").replace("\n", "\r\n"),
    "UTF-8 with a mark": codecs.BOM_UTF8 + table(ab).encode(),
    "UTF-16": table(ab, "image\tlabel", sep="\t").encode("utf-16"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + table(ab).encode("utf-16-be"),
    "UTF-16 without a mark": table(ab, "image\tlabel", sep="\t").encode("utf-16-le"),
    "UTF-32": table(ab).encode("utf-32"),
    "quoted header with commas": table(ab, '"image";"label";"note, more"', sep=";", end=";x"),
    "file_name": table(ab, "file_name,label"),
    "lost zeros": table(ab, name=str),
    "lost zeros with extension": table(ab, name=lambda k: f"{k}.png"),
    "numbers as floats": table(ab, name=lambda k: f"{k}.0"),
    "extension in capitals": table(ab, name=lambda k: NAMES[k].upper()),
    "Windows": table(ab, name=lambda k: f"C:\\Users\\Eva\\photos\\{NAMES[k]}"),
    "another machine": table(ab, name=lambda k: f"/home/eva/photos/{NAMES[k]}"),
    "another folder": table(ab, name=lambda k: f"data/img/{NAMES[k]}"),
    "labels with spaces": table(lambda k: f"{ab(k)}  "),
}


@pytest.mark.parametrize("text", EXPORTS.values(), ids=EXPORTS)
def test_exported_tables_are_read(listed, text):
    read = listed(text)
    assert read.items == tuple(NAMES)
    assert [read.classes[k] for k in read.labels] == [ab(k) for k in range(12)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_another_unicode_form(listed, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    for path in (listed.root / "img").iterdir():
        path.rename(path.with_name(unicodedata.normalize(other, f"grün-{path.name}")))
    text = table(ab, name=lambda k: unicodedata.normalize(form, f"grün-{NAMES[k]}"))
    read = listed(text)
    assert len(read) == 12
    assert "12 rows name their image with another spelling (case or Unicode form)" in read.notes


def test_lost_zeros_that_fit_two_images(listed):
    (listed.root / "img" / "001.png").rename(listed.root / "img" / "07.png")
    with pytest.raises(DataError, match=r"line 9: '7' may be any of '007.png', '07.png'"):
        listed(table(ab, name=str))


def test_images_of_another_split_are_not_taken(listed):
    with pytest.raises(DataError, match="none of 12 rows"):
        listed(table(ab, name=lambda k: f"/home/eva/test/{NAMES[k]}"))
    with pytest.raises(DataError, match="none of 12 rows"):
        listed(table(ab, name=lambda k: f"test/{NAMES[k]}"))


def test_a_line_in_another_encoding_is_named(listed):
    text = table(lambda k: "grün" if k == 3 else "rot").encode("latin-1")
    with pytest.raises(DataError, match=r"line 5 of list.csv is not UTF-8"):
        listed(text)


def test_line_numbers_count_the_line_of_the_separator(listed):
    text = "sep=;\n" + table(lambda k: "" if k == 0 else ab(k), "image;label", sep=";")
    with pytest.raises(DataError, match="line 3 has no label"):
        listed(text)


def test_splits_of_other_names_and_those_that_the_user_names(listed):
    sides = ["train", "dev", "holdout"]
    text = table(ab, "image,label,part", end="").splitlines()
    lines = [text[0], *(f"{line},{sides[k // 2 % 3]}" for k, line in enumerate(text[1:]))]
    read = listed("\n".join(lines), split_column="part")
    assert sorted(set(read.given_split.tolist())) == ["test", "train", "val"]
    assert "data.split_column=part" in listed("\n".join(lines)).notes[0]
    lines = [line.replace("holdout", "outer") for line in lines]
    with pytest.raises(DataError, match=r"line 6 has the split 'outer'[\s\S]*data.splits="):
        listed("\n".join(lines), split_column="part")
    read = listed("\n".join(lines), split_column="part", splits={"outer": None})
    assert len(read) == 8 and len(read.lists["splits"]) == 4


def test_contradicting_rows_and_labels_of_another_case(listed):
    with pytest.raises(DataError, match=r"line 14 of list.csv has 'b'"):
        listed(table(ab) + "000.png,b\n")
    with pytest.raises(DataError, match="differ only in case"):
        listed(table(lambda k: ["Rust", "rust ", "ok"][k % 3]))
