import numpy as np
import pyarrow.parquet as pq
import pytest

from frostline.errors import DataError
from frostline.tracking.prediction_files import read_predictions, write_predictions


def _write(path, n_items=5, n_classes=3, **changes):
    rng = np.random.default_rng(0)
    values = {
        "items": [f"leaf{k}/photo.png" for k in range(n_items)],
        "groups": [f"leaf{k // 2}" for k in range(n_items)],
        "labels": rng.integers(0, n_classes, n_items),
        "probs": rng.dirichlet(np.ones(n_classes), n_items).astype(np.float32),
    } | changes
    write_predictions(path, **values)
    return values


def test_what_is_written_is_read_back_sorted_by_item(tmp_path):
    given = _write(tmp_path / "new" / "val.parquet", items=["c", "a", "b", "e", "d"])
    read = read_predictions(tmp_path / "new" / "val.parquet")
    order = np.argsort(given["items"])
    assert read.items.tolist() == ["a", "b", "c", "d", "e"]
    assert read.groups.tolist() == np.asarray(given["groups"])[order].tolist()
    assert read.labels.tolist() == given["labels"][order].tolist()
    np.testing.assert_allclose(read.probs, given["probs"][order], atol=5e-4)
    assert read.correct.tolist() == (read.probs.argmax(1) == read.labels).tolist()


def test_columns_are_compact(tmp_path):
    _write(tmp_path / "val.parquet")
    schema = pq.read_schema(tmp_path / "val.parquet")
    assert schema.names == ["item", "group", "label", "prob"]
    assert str(schema.field("label").type) == "int16"
    assert schema.field("prob").type.value_type == "halffloat"


def test_rounding_to_16_bits_does_not_change_the_answer(tmp_path):
    probs = np.array([[0.50001, 0.49999], [0.49999, 0.50001]], dtype=np.float64)
    half = probs.astype(np.float16)
    assert half[1, 0] == half[1, 1]  # the fault that this test is about
    _write(tmp_path / "v.parquet", 2, 2, labels=[0, 1], probs=probs)
    assert read_predictions(tmp_path / "v.parquet").predicted.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": ["a", "a", "b", "c", "d"]}, "occurs twice"),
        ({"labels": [0, 1, 2, 3, 0]}, "labels from 0 to 3 for 3 classes"),
        ({"labels": [0, 1]}, "different lengths"),
        ({"probs": np.full((5, 3), np.nan)}, "not a number from 0 to 1"),
        ({"probs": np.ones(5)}, "shape"),
    ],
)
def test_bad_predictions_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        _write(tmp_path / "v.parquet", **changes)
    assert not (tmp_path / "v.parquet").exists()


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "val.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DataError, match=r"val\.parquet: these predictions cannot be read"):
        read_predictions(tmp_path / "val.parquet")


def _same(one, other):
    return (
        one.items.tolist() == other.items.tolist()
        and one.groups.tolist() == other.groups.tolist()
        and np.array_equal(one.labels, other.labels)
        and np.array_equal(one.probs, other.probs)
    )


@pytest.mark.parametrize("compressible", [True, False])
def test_no_flipped_bit_is_read_as_another_value(tmp_path, compressible):
    """A bit of every second byte in turn; the error is always a readable one."""
    path = tmp_path / "v.parquet"
    probs = {"probs": np.full((5, 3), 1 / 3)} if compressible else {}
    _write(path, **probs)
    whole, content = read_predictions(path), path.read_bytes()
    n_found = 0
    for place in range(int(compressible), len(content), 2):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place * 5 % 8)
        path.write_bytes(damaged)
        try:
            assert _same(read_predictions(path), whole), place
        except DataError as error:
            assert "v.parquet: these predictions" in error.given
            n_found += 1
    assert n_found > len(content) / 6


@pytest.mark.parametrize("kept", [0, 3, 50, -9, -1])
def test_a_cut_file_is_named(tmp_path, kept):
    _write(tmp_path / "v.parquet")
    (tmp_path / "v.parquet").write_bytes((tmp_path / "v.parquet").read_bytes()[:kept])
    with pytest.raises(DataError, match=r"v\.parquet: these predictions cannot be read"):
        read_predictions(tmp_path / "v.parquet")


def test_a_file_from_before_there_were_checksums_is_read(tmp_path):
    _write(tmp_path / "v.parquet")
    whole = read_predictions(tmp_path / "v.parquet")
    table = pq.read_table(tmp_path / "v.parquet").replace_schema_metadata({})
    pq.write_table(table, tmp_path / "old.parquet", compression="zstd")
    assert _same(read_predictions(tmp_path / "old.parquet"), whole)
