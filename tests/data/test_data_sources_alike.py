"""The same photos through folder, csv, archive and hub are the same table, splits and batches."""

import numpy as np
import pytest

from frostline.data.geometry import Geometry, square
from frostline.data.load import load_path
from frostline.data.source_kind import source_kind
from frostline.data.sources.csv_table import load_csv
from frostline.data.sources.folder import load_archive, load_folder
from frostline.data.sources.hub_dataset import load_hub
from frostline.data.splits import split_table
from tests.data.same_photos import as_csv, as_folder, as_hub, as_tar, as_zip

GEOMETRY = Geometry(16, "bilinear", 1.0, "center", (0, 0, 0))


@pytest.fixture
def root(photo_tree):
    return photo_tree({"cat": 9, "cow": 8, "dog": 7})


@pytest.mark.parametrize(
    ("laid_out", "load", "more"),
    [
        (as_csv, load_csv, {"images": "photos"}),
        (as_zip, load_archive, {}),
        (as_tar, load_archive, {}),
        (as_hub, load_hub, {}),
    ],
)
def test_sources_agree(root, laid_out, load, more):
    reference = load_folder(str(root), on_bad_image="error")
    table = load(str(laid_out(root)), on_bad_image="error", **more)
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


def test_the_source_follows_from_the_path(root, tmp_path):
    assert source_kind(root) == "folder"
    assert source_kind(as_csv(root)) == source_kind("nowhere/list.TSV") == "csv"
    assert source_kind(as_zip(root)) == source_kind("nowhere/all.tar.xz") == "archive"
    assert source_kind(as_hub(root)) == "hub"
    (tmp_path / "notes.txt").touch()
    assert source_kind(tmp_path / "notes.txt") is source_kind("nowhere") is None


@pytest.mark.parametrize("laid_out", [as_folder, as_csv, as_zip, as_tar, as_hub])
def test_any_path_is_loaded_with_the_defaults_of_its_source(root, laid_out):
    path = laid_out(root)
    if laid_out is as_csv:
        path = path.rename(root / "list.csv")
    table = load_path(str(path), on_bad_image="error", group_by=None)
    assert table.counts() == {"cat": 9, "cow": 8, "dog": 7}
