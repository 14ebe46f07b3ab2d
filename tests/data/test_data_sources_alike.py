"""The same photos through folder, csv, archive and hub are the same table, splits and batches."""

import csv
import tarfile
import zipfile

import numpy as np
import pytest

from src.data.geometry import Geometry, square
from src.data.sources.archive import load_archive
from src.data.sources.csv import load_csv
from src.data.sources.folder import load_folder
from src.data.sources.hub import load_hub
from src.data.splits import split_table

GEOMETRY = Geometry(16, "bilinear", 1.0, "center", (0, 0, 0))


@pytest.fixture
def root(photo_tree):
    return photo_tree({"cat": 9, "cow": 8, "dog": 7})


def by_folder(root):
    return load_folder(str(root), on_bad_image="error")


def by_csv(root):
    listing = root.with_name("list.csv")
    with listing.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "label"])
        for path in sorted(root.rglob("*.png"), reverse=True):
            writer.writerow([path.relative_to(root).with_suffix(""), path.parent.name])
    return load_csv(str(listing), on_bad_image="error", images="photos")


def by_zip(root):
    packed = root.with_name("photos.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, path.relative_to(root))
    return load_archive(str(packed), on_bad_image="error")


def by_tar(root):
    packed = root.with_name("photos.tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(root, "photos")
    return load_archive(str(packed), on_bad_image="error")


def by_hub(root):
    import datasets

    datasets.disable_progress_bars()
    columns = sorted(root.rglob("*.png"))
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "cow", "dog"])}
    )
    made = datasets.Dataset.from_dict(
        {"image": [str(path) for path in columns], "label": [path.parent.name for path in columns]},
        features=features,
    )
    made.save_to_disk(str(root.with_name("hub")))
    return load_hub(str(root.with_name("hub")), on_bad_image="error")


@pytest.mark.parametrize("source", [by_csv, by_zip, by_tar, by_hub])
def test_sources_agree(root, source):
    reference, table = by_folder(root), source(root)
    assert table.classes == reference.classes
    assert table.labels.tolist() == reference.labels.tolist()
    assert table.facts.digests == reference.facts.digests
    assert table.facts.n_bytes.tolist() == reference.facts.n_bytes.tolist()
    assert len(table.fingerprint) == 64
    for item, other in zip(table.items, reference.items, strict=True):
        ours = square(table.open_image(item), GEOMETRY)
        assert np.array_equal(ours, square(reference.open_image(other), GEOMETRY))
    ours = split_table(table, val_frac=0.2, test_frac=0.2, seed=3)
    theirs = split_table(reference, val_frac=0.2, test_frac=0.2, seed=3)
    for name in ("train", "val", "test"):
        assert ours.named()[name].tolist() == theirs.named()[name].tolist()
