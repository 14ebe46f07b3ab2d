"""A person's decisions on labels: applied, in the fingerprint, refused where unclear."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from frostline.config.conf_files import CONF
from frostline.config.identity import config_digest
from frostline.config.read import settings_of
from frostline.data.corrections import corrected
from frostline.data.load import load_table, split_of
from frostline.data.sources.folder import load_folder
from frostline.data.splits import split_digest
from frostline.errors import DataError
from frostline.sweeps.data_check import read_data


@pytest.fixture
def photos(photo_tree) -> Path:
    return photo_tree({"healthy": 6, "rust": 6, "scab": 6})


def table_of(photos):
    return load_folder(str(photos), on_bad_image="error")


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "fixed.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def settings(photos, *words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return settings_of(compose("train", ["data=folder", f"data.path={photos}", *words]))


def test_labels_change_and_images_are_dropped(photos, tmp_path):
    table = table_of(photos)
    file = written(tmp_path, "file,label\nhealthy/img_001.png,rust\nscab/img_002.png,drop\n")
    new = corrected(table, file)
    assert len(new) == 17 and "scab/img_002.png" not in new.items
    labels = dict(zip(new.items, new.labels.tolist(), strict=True))
    assert labels["healthy/img_001.png"] == 1
    before = dict(zip(table.items, table.labels.tolist(), strict=True))
    changed = [item for item in new.items if labels[item] != before[item]]
    assert changed == ["healthy/img_001.png"]
    place = new.items.index("scab/img_005.png")
    assert new.facts.digests[place] == table.facts.digests[table.items.index("scab/img_005.png")]
    assert "1 labels changed, 1 images dropped" in new.notes[-1]
    assert new.lists["dropped"] == ["scab/img_002.png"]


def test_the_fingerprint_says_what_was_corrected_and_nothing_else(photos, tmp_path):
    table = table_of(photos)

    def fingerprint(text):
        return corrected(table, written(tmp_path, text)).fingerprint

    one = fingerprint("file,label\nhealthy/img_001.png,rust\nscab/img_002.png,drop\n")
    same = fingerprint("label;note;file\ndrop;x;scab/img_002.png\nrust;;healthy/img_001.png\n")
    other = fingerprint("file,label\nhealthy/img_001.png,scab\nscab/img_002.png,drop\n")
    assert one == same
    assert len({one, other, table.fingerprint}) == 3
    assert fingerprint("file,label\nhealthy/img_001.png,healthy\n") == table.fingerprint


def test_digests_without_corrections_are_what_they_were(photos, tmp_path):
    plain = settings(photos)
    file = written(tmp_path, "file,label\nhealthy/img_001.png,rust\n")
    fixed = settings(photos, f"data.corrections={file}")
    # What the user sets is in the fingerprint, as it is for a split file.
    assert config_digest(plain) == config_digest(fixed)
    assert load_table(plain.data).fingerprint == table_of(photos).fingerprint
    assert load_table(fixed.data).fingerprint != load_table(plain.data).fingerprint


def test_jobs_of_one_sweep_with_and_without_corrections_have_their_own_tables(photos, tmp_path):
    file = written(tmp_path, "file,label\nhealthy/img_001.png,rust\n")
    jobs = [settings(photos), settings(photos, f"data.corrections={file}")]
    facts = read_data(jobs, lambda function, *given: function(*given), lambda **_: None)
    assert len({one.fingerprint for one in facts.values()}) == 2


@pytest.mark.parametrize("words", [(), ("data.folds=3",), ("data.fraction=0.5",)])
def test_a_correction_moves_no_image_to_another_split(photo_tree, tmp_path, words):
    photos = photo_tree({"healthy": 15, "rust": 15, "scab": 15})
    text = "file,label\nhealthy/img_001.png,rust\nscab/img_002.png,drop\nrust/img_003.png,scab\n"
    plain = settings(photos, *words)
    fixed = settings(photos, f"data.corrections={written(tmp_path, text)}", *words)
    before, after = load_table(plain.data), load_table(fixed.data)
    splits = [split_of(t, s.data, seed=3) for t, s in ((before, plain), (after, fixed))]
    for name, rows in splits[0].named().items():
        old = {before.items[row] for row in rows} - {"scab/img_002.png"}
        assert old == {after.items[row] for row in splits[1].named()[name]}
    assert split_digest(before, splits[0]) != split_digest(after, splits[1])  # one was dropped


def test_a_split_that_is_left_without_a_class_is_named(photos, tmp_path):
    plain = settings(photos)
    table = load_table(plain.data)
    val = [table.items[row] for row in split_of(table, plain.data, seed=0).val]
    lines = [f"{item},rust" for item in val if item.startswith("scab")]
    file = written(tmp_path, "\n".join(["file,label", *lines]) + "\n")
    fixed = settings(photos, f"data.corrections={file}")
    with pytest.raises(DataError, match=r"after data.corrections=.*val split has no image.*scab"):
        split_of(load_table(fixed.data), fixed.data, seed=0)


def test_a_split_file_may_name_what_was_dropped(photos, tmp_path):
    from frostline.data.split_file import save_splits

    plain = settings(photos)
    table = load_table(plain.data)
    save_splits(tmp_path / "splits.csv", table, split_of(table, plain.data, seed=0))
    file = written(tmp_path, "file,label\nscab/img_002.png,drop\n")
    fixed = settings(photos, f"data.split_file={tmp_path}/splits.csv", f"data.corrections={file}")
    after = load_table(fixed.data)
    splits = split_of(after, fixed.data, seed=0)
    assert sum(map(len, splits.named().values())) == 17


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nhealthy/img_099.png,rust\n", "names 1 files that are not in photos"),
        ("file,label\nhealthy/img_001.png,rusty\n", "no class 'rusty' .did you mean rust"),
        ("file,label\nhealthy/img_001.png,\n", "decides nothing"),
        ("image,label\nhealthy/img_001.png,rust\n", "no column 'file'"),
        (
            "file,label\nhealthy/img_001.png,rust\nhealthy/img_001.png,scab\n",
            "line 3.*two decisions",
        ),
        ("file,given,label\nhealthy/img_001.png,scab,rust\n", "was 'scab'.*is 'healthy' now"),
        (
            "file,label\n" + "".join(f"rust/img_{k:03d}.png,drop\n" for k in range(6)),
            "no image in class 'rust'",
        ),
        ("", "has no rows"),
    ],
)
def test_what_is_unclear_is_refused(photos, tmp_path, text, message):
    import re

    with pytest.raises(DataError, match=re.compile(message, re.DOTALL)):
        corrected(table_of(photos), written(tmp_path, text))


def test_a_file_that_is_not_there(photos):
    with pytest.raises(DataError, match=r"data.corrections=gone.csv: there is no such file"):
        corrected(table_of(photos), "gone.csv")


def test_drop_as_a_class_is_ambiguous(photo_tree, tmp_path):
    table = table_of(photo_tree({"drop": 3, "keep": 3}, name="others"))
    with pytest.raises(DataError, match="also the name of a class"):
        corrected(table, written(tmp_path, "file,label\nkeep/img_001.png,drop\n"))


def test_groups_stay(plain_table, tmp_path):
    table = plain_table([0, 0, 1, 1], groups=["a", "b", "c", "c"])
    new = corrected(table, written(tmp_path, "file,label\nitem00000,drop\n"))
    assert new.groups.tolist() == ["b", "c", "c"]
    assert np.array_equal(new.labels, [0, 1, 1])
