import sys

import datasets
import numpy as np
import pytest
from PIL import Image

from frostline.data.sources import part_rows
from frostline.data.sources.hub_dataset import load_hub
from frostline.data.splits import split_table
from frostline.errors import DataError

datasets.disable_progress_bars()


def photos(n, seed=0):
    generator = np.random.default_rng(seed)
    return [
        Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)) for _ in range(n)
    ]


def made(n=12, seed=0):
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["healthy", "rust"]),
            "leaf_id": datasets.Value("string"),
        }
    )
    rows = {
        "image": photos(n, seed),
        "label": [k % 2 for k in range(n)],
        "leaf_id": [f"{seed}-{k % 2}-{k // 4}" for k in range(n)],
    }
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture
def saved(tmp_path):
    made().save_to_disk(str(tmp_path / "leaves"))
    return tmp_path / "leaves"


def load(path, **options):
    return load_hub(str(path), **({"on_bad_image": "error"} | options))


def test_labels_by_name_and_groups_by_column(saved):
    table = load(saved, group_by="leaf_id")
    assert table.classes == ("healthy", "rust")
    assert table.groups[:4].tolist() == ["0-0-0", "0-1-0", "0-0-0", "0-1-0"]
    assert table.open_image(table.items[5]).size == (12, 12)
    assert table.name == "leaves"


def test_given_splits(tmp_path):
    parts = {"train": made(12), "validation": made(4, 1), "test": made(6, 2)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "d"))
    splits = split_table(load(tmp_path / "d"), val_frac=0.2, test_frac=0.2, seed=0)
    assert [len(rows) for rows in splits.named().values()] == [12, 4, 6]


def test_a_folder_of_parquet_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    (tmp_path / "d").mkdir()
    made().to_parquet(str(tmp_path / "d" / "train.parquet"))
    assert load(tmp_path / "d").counts() == {"healthy": 6, "rust": 6}


def test_images_are_read_once(saved, monkeypatch):
    first = load(saved)
    monkeypatch.setattr(part_rows, "inspect_image", None)
    assert load(saved).fingerprint == first.fingerprint


def test_bad_images_are_named(tmp_path):
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    good = made()[0]["image"]
    rows = {"image": [good] * 7 + [{"bytes": b"junk", "path": None}], "label": [0, 1] * 4}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "d"))
    with pytest.raises(DataError, match=r"1 of 8 images[\s\S]*all/00000007: not an image"):
        load(tmp_path / "d")
    assert len(load(tmp_path / "d", on_bad_image="skip")) == 7


def test_columns_that_do_not_exist(saved):
    with pytest.raises(DataError, match=r"data.label_column=kind: there is no such column"):
        load(saved, label_column="kind")
    with pytest.raises(DataError, match=r"data.group_by=plant"):
        load(saved, group_by="plant")


def test_missing_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"data.path=\S*gone[\s\S]*check the name and the network"):
        load(tmp_path / "gone")


def test_without_the_package(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        load(saved)
