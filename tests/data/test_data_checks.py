import json
import re
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from frostline.commands.data import main
from frostline.data.checks.checkup import check_table
from frostline.data.checks.data_page import data_page
from frostline.data.checks.duplicates import find_duplicates, perceptual_hash
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_table


def titles(checkup, level=None):
    return [one.title for one in checkup.findings if level in (None, one.level)]


def written(table, root, place):
    """Save drawn leaves as files; `place` gives the folder of an item."""
    for row, item in enumerate(table.items):
        path = root / place(row, item) / f"{item.replace('/', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.open_image(item).save(path)
    return root


def load(root, **options):
    return load_folder(str(root), on_bad_image="error", **options)


def test_clean_leaves_raise_no_warning(leaves):
    checkup = check_table(leaves(n_images=300, n_species=2), seed=0)
    assert titles(checkup, "leak") == titles(checkup, "warning") == []
    assert "these images are drawings" in checkup.findings[0].text


def test_planted_shortcut_is_reported_with_numbers(leaves):
    checkup = check_table(leaves(n_images=300, shortcut=0.8), seed=0)
    assert titles(checkup, "warning") == ["shortcut: the 8 border pixels alone"]
    (probe,) = checkup.probes
    assert probe.acc_macro > 0.3 and probe.chance == pytest.approx(0.1)
    assert "guessing gives 10.0%" in checkup.findings[0].text


def test_planted_leak_is_found(leaves):
    table = leaves(n_images=300, leak=0.3)
    checkup = check_table(table, seed=0)
    assert titles(checkup, "warning") == ["photos of one object are probably not grouped"]
    assert "data.group_by" in checkup.findings[0].text
    for one, other in checkup.duplicates.near:
        assert table.items[one].split("_photo")[0] == table.items[other].split("_photo")[0]


def test_a_leak_across_given_splits_is_reported(leaves, tmp_path):
    table = leaves(n_images=120, n_species=1, photos_per_leaf=2, leak=1.0)
    sides = ["train", "val", "train", "test"]
    root = written(table, tmp_path / "d", lambda k, item: f"{sides[k % 4]}/{item.split('/')[0]}")
    checkup = check_table(load(root), seed=0)
    assert titles(checkup, "leak") == ["the same image in two splits"]
    assert re.search(r"(9\d|100)\.\d% of val and (9\d|100)\.\d% of test", checkup.findings[0].text)
    grouped = check_table(load(root, group_by=r"leaf\d+"), seed=0)
    assert "groups in two splits" in titles(grouped, "leak")


def test_a_leak_across_own_splits_is_reported(leaves):
    table = leaves(n_images=200, n_species=1, leak=0.6)
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    checkup = check_table(table, seed=0, splits=splits, probing=False)
    assert titles(checkup, "leak") == ["the same image in two splits"]
    assert checkup.probes == ()
    clean = leaves(n_images=200, n_species=1)
    splits = split_table(clean, val_frac=0.2, test_frac=0.2, seed=0)
    assert not titles(check_table(clean, seed=0, splits=splits, probing=False), "leak")


def test_the_built_in_leaves_by_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["leaves", "--json", "--out", ""]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["images"] == 600
    assert [one["level"] for one in report["findings"]] == ["note"]


def test_copies_and_conflicting_labels(photo_tree):
    root = photo_tree({"a": 12, "b": 12})
    shutil.copy(root / "a" / "img_003.png", root / "b" / "copy.png")
    shutil.copy(root / "a" / "img_004.png", root / "a" / "twin.png")
    checkup = check_table(load(root), seed=0)
    assert "one image, two labels" in titles(checkup, "warning")
    assert "exact copies" in titles(checkup, "note")
    pairs = {(checkup.table.items[i], checkup.table.items[j]) for i, j in checkup.duplicates.exact}
    assert pairs == {("a/img_003.png", "b/copy.png"), ("a/img_004.png", "a/twin.png")}


def test_near_copies_survive_another_format_and_brightness(photo_tree):
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one).resize((64, 64), Image.Resampling.BICUBIC) for one in coarse]
    changed = pictures[2].resize((48, 48)).point(lambda value: min(255, value + 6))
    thumbnails = np.stack([np.asarray(one.resize((32, 32))) for one in (*pictures, changed)])
    duplicates = find_duplicates(thumbnails, None)
    assert duplicates.near.tolist() == [[2, 6]]
    assert len(duplicates.exact) == 0
    assert duplicates.join(np.array(list("abcdefg"))).tolist() == [0, 1, 2, 3, 4, 5, 2]


def test_hashes_agree_with_imagehash():
    import imagehash

    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    for image, ours in zip(noise, perceptual_hash(noise), strict=True):
        theirs = imagehash.phash(Image.fromarray(image)).hash.ravel()
        assert (theirs != ours).sum() <= 2  # grey values are rounded there


def test_imbalance_sizes_and_unreadable_images(photo_tree):
    root = photo_tree({"a": 40, "b": 8})
    (root / "a" / "bad.png").write_bytes(b"")
    table = load_folder(str(root), on_bad_image="skip")
    text = {one.title: one.text for one in check_table(table, seed=0).findings}
    assert "5.0 times as many" in text["imbalance"]
    assert "'a/bad.png: the file is empty'" in text["unreadable images"]
    assert "24 x 20 to 24 x 20 px; modes: 48 RGB" in text["sizes and modes"]


def test_file_size_as_a_shortcut(tmp_path):
    generator = np.random.default_rng(0)
    for name, side in (("a", 30), ("b", 40)):
        (tmp_path / "d" / name).mkdir(parents=True)
        for k in range(20):
            noise = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "d" / name / f"{k}.png")
    warnings_found = titles(check_table(load(tmp_path / "d"), seed=0), "warning")
    assert {"shortcut: the file size alone", "shortcut: the image shape alone"} <= set(
        warnings_found
    )


def test_page_is_self_contained_and_escapes(photo_tree):
    root = photo_tree({"<b>bold": 6, "plain": 6})
    page = data_page(check_table(load(root), seed=0))
    assert "&lt;b&gt;bold" in page and "<b>bold" not in page
    assert page.count("data:image/jpeg;base64,") == 12
    assert "http" not in page.replace("data:image", "")


def test_page_can_be_read_without_seeing_it(photo_tree):
    root = photo_tree({"a": 6, "b": 6})
    page = data_page(check_table(load(root), seed=0))
    images = re.findall("<img [^>]*>", page)
    assert len(images) == 12
    assert {re.search('alt="(.): ', image)[1] for image in images} == {"a", "b"}
    assert page.count("<main") == 1 and page.count("<h1>") == 1
    headers = re.findall("<th[ >][^>]*", page)
    assert len(headers) == 6 and all("scope=" in header for header in headers)
    assert "prefers-color-scheme: dark" in page


def test_command(photo_tree, capsys, monkeypatch, tmp_path):
    root = photo_tree({"a": 8, "b": 8})
    monkeypatch.chdir(tmp_path)
    assert main([str(root)]) == 0
    assert "16 images, 2 classes" in capsys.readouterr().out
    assert (tmp_path / "data.html").read_text().startswith("<!DOCTYPE html>")
    assert main([str(root), "--json", "--out", ""]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"a": 8, "b": 8}


def test_command_on_a_missing_path_and_on_a_leak(photo_tree, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["gone"])
    assert ended.value.code == 2
    assert "gone: there is no such file or folder" in capsys.readouterr().err
    photo_tree({"a": 3}, name="Fotos")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "Foto")])
    assert f"did you mean {tmp_path / 'Fotos'}?" in capsys.readouterr().err
    root = photo_tree(
        {"train/a": 6, "train/b": 6, "test/a": 3, "test/b": 3, "val/a": 3, "val/b": 3}
    )
    shutil.copy(root / "train/a/img_000.png", root / "test/a/leak.png")
    assert main([str(root), "--out", ""]) == 1
    assert "the same image in two splits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"a": 8, "b": 8, "c": 1}, "class 'c' has 1 images"),
        ({"a": 2, "b": 2}, "class 'a' has 2 images"),
        (
            {"train/a": 6, "train/b": 6, "val/a": 3, "test/a": 3, "test/b": 3},
            "the val split has no image of class 'b'",
        ),
    ],
)
def test_data_that_cannot_be_trained_on_are_an_error(
    folders, message, photo_tree, capsys, monkeypatch, tmp_path
):
    root = photo_tree(folders)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn's about small classes included
        assert main([str(root)]) == 1
    shown = capsys.readouterr().out
    assert "error: this data set cannot be trained on." in shown and message in shown
    assert "this data set cannot be trained on" in (tmp_path / "data.html").read_text()


def test_a_page_is_written_into_new_folders_or_fails_with_a_message(photo_tree, capsys, tmp_path):
    root = photo_tree({"a": 6, "b": 6})
    assert main([str(root), "--out", str(tmp_path / "new" / "one" / "data.html")]) == 0
    assert (tmp_path / "new" / "one" / "data.html").is_file()
    capsys.readouterr()
    assert main([str(root), "--out", str(tmp_path / "new")]) == 1
    assert f"error: --out {tmp_path}/new: Is a directory" in capsys.readouterr().err


def test_the_command_takes_the_key_of_other_commands(photo_tree, capsys, monkeypatch, tmp_path):
    root = photo_tree({"a": 8, "b": 8})
    monkeypatch.chdir(tmp_path)
    for given in (f"data.path={root}", f"path={root}"):
        assert main([given, "--out", ""]) == 0
        assert "16 images, 2 classes" in capsys.readouterr().out


def test_the_command_says_that_training_would_stop(photo_tree, capsys):
    root = photo_tree({"a": 8, "b": 8})
    (root / "a" / "broken.png").write_bytes(b"no image")
    assert main([str(root), "--out", ""]) == 0
    said = capsys.readouterr()
    assert "1 left out: 'a/broken.png" in said.out
    assert (
        "1 image that cannot be read is left out of this check; python -m src.train stops at it "
        "unless data.on_bad_image=skip is given\n"
    ) in said.err
    assert main([str(root), "--out", "", "--on-bad-image", "skip"]) == 0
    assert "stops at it" not in capsys.readouterr().err
