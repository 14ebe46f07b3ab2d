"""A run's predictions as a compact Parquet file, so that runs can be compared without a model."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from frostline.errors import DataError
from frostline.stats.predictions import Predictions

_DIGEST_KEY = b"frostline.digest"
COLUMNS = ("item", "group", "label", "prob")


def write_predictions(
    path: Path,
    items: Sequence[str],
    groups: Sequence[str],
    labels: ArrayLike,
    probs: ArrayLike,
) -> None:
    """Write predictions as Parquet: item, group, label (int16), prob (list of float16).

    Args:
        path: The file; its folder is made if it does not exist.
        items: Item names, N of them, unique.
        groups: The group of each item.
        labels: True classes, `(N,)`, whole numbers in [0, K).
        probs: Probabilities, `(N, K)`, in [0, 1].

    Raises:
        DataError: If lengths differ, an item occurs twice, a label is no class, or a probability
            is not a number in [0, 1].
    """
    label_array = np.asarray(labels)
    prob_array = np.asarray(probs)
    _check(items, groups, label_array, prob_array)
    half = np.ascontiguousarray(prob_array, dtype=np.float16)
    _check_same_top(prob_array, half)
    n_items, n_classes = half.shape
    table = pa.table(
        {
            "item": pa.array([str(item) for item in items], pa.string()),
            "group": pa.array([str(group) for group in groups], pa.string()).dictionary_encode(),
            "label": pa.array(label_array.astype(np.int16)),
            "prob": pa.FixedSizeListArray.from_arrays(
                pa.array(half.reshape(n_items * n_classes), pa.float16()), n_classes
            ),
        }
    )
    table = table.replace_schema_metadata({_DIGEST_KEY: _digest(table)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Args:
        path: The Parquet file.

    Returns:
        The predictions, sorted by item, so that two runs on the same items line up.

    Raises:
        DataError: If the file is missing, is not Parquet, lacks a column, or is damaged: a checksum
            of a page or of the whole content is wrong.
    """
    try:
        table = _read_table(path)
        missing = [name for name in COLUMNS if name not in table.column_names]
        if not missing:
            return _predictions_of(table)
    # A flipped bit can lead a reader anywhere: names that are no text, lengths beyond all memory.
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(
            f"{path.name}: these predictions cannot be read ({reason})",
            "a Parquet file with the columns " + ", ".join(COLUMNS),
            "run `python -m src.evaluate` on that run, or train it again",
        ) from error
    raise DataError(
        f"{path.name}: these predictions lack the column {', '.join(missing)}",
        "a Parquet file with the columns " + ", ".join(COLUMNS),
    )


def _read_table(path: Path) -> pa.Table:
    table = pq.read_table(path, page_checksum_verification=True)
    # Page checksums do not cover what describes the pages. Older files have no digest.
    kept = (table.schema.metadata or {}).get(_DIGEST_KEY)
    if kept is not None and kept != _digest(table):
        raise ValueError("the checksum of its content is wrong")
    return table


def _digest(table: pa.Table) -> bytes:
    """A digest of all that is read, however it is laid out in the file."""
    digest = hashlib.sha256()
    for name in ("item", "group"):
        for text in table[name].to_pylist():
            digest.update(f"{text}\0".encode("utf-8", "surrogatepass"))
    digest.update(np.ascontiguousarray(table["label"].to_numpy(), dtype=np.int64).tobytes())
    digest.update(_probs_of(table).tobytes())
    return digest.hexdigest()[:32].encode()


def _probs_of(table: pa.Table) -> NDArray[np.float16]:
    lists = table["prob"].combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    values = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), dtype=np.float16)
    return values.reshape(len(table), -1) if len(table) else np.zeros((0, 1), np.float16)


def _predictions_of(table: pa.Table) -> Predictions:
    items = np.asarray(table["item"].to_pylist(), dtype=np.str_)
    order = np.argsort(items, kind="stable")
    probs = _probs_of(table)
    return Predictions(
        items=items[order],
        groups=np.asarray(table["group"].to_pylist(), dtype=np.str_)[order],
        labels=np.asarray(table["label"].to_numpy(), dtype=np.int64)[order],
        probs=probs[order],
    )


def _check(
    items: Sequence[str],
    groups: Sequence[str],
    labels: NDArray[Any],
    probs: NDArray[Any],
) -> None:
    if probs.ndim != 2 or probs.shape[1] < 1:
        raise DataError(f"probabilities of shape {probs.shape}", "shape (items, classes)")
    lengths = {
        "items": len(items),
        "groups": len(groups),
        "labels": len(labels),
        "probs": len(probs),
    }
    if len(set(lengths.values())) > 1:
        raise DataError(f"predictions of different lengths: {lengths}", "one row an item in each")
    if len(set(items)) < len(items):
        raise DataError("an item occurs twice in the predictions", "each item once")
    n_classes = probs.shape[1]
    if labels.size and (labels.min() < 0 or labels.max() >= n_classes):
        raise DataError(
            f"labels from {labels.min()} to {labels.max()} for {n_classes} classes",
            f"0 to {n_classes - 1}",
        )
    if n_classes - 1 > np.iinfo(np.int16).max:
        raise DataError(f"{n_classes} classes", "at most 32,768, as labels are stored in 16 bits")
    if not np.all((probs >= 0) & (probs <= 1)):  # NaN fails here too
        raise DataError("a probability is not a number from 0 to 1", "the output of a softmax")


def _check_same_top(full: NDArray[Any], half: NDArray[np.float16]) -> None:
    """Keep the most probable class the same where rounding to 16 bits would make a tie."""
    if not len(full):
        return
    rows = np.flatnonzero(full.argmax(axis=1) != half.argmax(axis=1))
    top = full[rows].argmax(axis=1)
    half[rows, top] = np.nextafter(half[rows, top], np.float16(2))
