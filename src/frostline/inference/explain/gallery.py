"""The worst errors: images whose prediction was confident and wrong."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.inference.explain.picture_sheet import Tile, draw_sheet
from frostline.stats.predictions import Predictions

Rows = NDArray[np.int64]
Square = Callable[[str], NDArray[np.uint8]]


def worst_errors(predictions: Predictions, limit: int) -> Rows:
    """Rows of wrong predictions, the most confident first."""
    wrong = np.flatnonzero(~predictions.correct)
    confidence = predictions.probs[wrong].max(axis=1).astype(np.float64)
    return np.asarray(wrong[np.argsort(-confidence, kind="stable")][:limit], dtype=np.int64)


def most_confident_right(predictions: Predictions, limit: int) -> Rows:
    """Rows of right predictions, the most confident of each class in turn."""
    right = np.flatnonzero(predictions.correct)
    confidence = predictions.probs[right].max(axis=1).astype(np.float64)
    ordered = right[np.argsort(-confidence, kind="stable")]
    rank_in_class: dict[int, int] = {}
    keys = []
    for position, row in enumerate(ordered.tolist()):
        label = int(predictions.labels[row])
        rank_in_class[label] = rank_in_class.get(label, -1) + 1
        keys.append((rank_in_class[label], position))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return np.asarray(ordered[order][:limit], dtype=np.int64)


def draw_gallery(
    predictions: Predictions,
    classes: Sequence[str],
    square: Square,
    *,
    limit: int,
    columns: int,
    title_suffix: str = "",
) -> Image.Image | None:
    """Draw a sheet of the worst errors; None if there is no error.

    Args:
        predictions: Of N images.
        classes: K names.
        square: Item to its image as the network takes it, (S, S, 3) uint8.
        limit: Maximum number of images.
        columns: Images in a row.
        title_suffix: Added to the title.
    """
    rows = worst_errors(predictions, limit)
    if not len(rows):
        return None
    tiles = [Tile([square(str(predictions.items[row]))], caption(predictions, classes, row))
             for row in rows.tolist()]  # fmt: skip
    n_wrong = int((~predictions.correct).sum())
    title = f"Worst errors: {len(rows)} of {n_wrong} wrong among {len(predictions.labels)}"
    return draw_sheet(title + title_suffix, tiles, columns=columns)


def caption(predictions: Predictions, classes: Sequence[str], row: int) -> list[tuple[str, str]]:
    """Caption an image: predicted class with its probability, and the true class if it differs."""
    predicted = int(predictions.predicted[row])
    truth = int(predictions.labels[row])
    probability = float(predictions.probs[row, predicted])
    if predicted == truth:
        return [(f"{probability:.2f} {classes[predicted]}", "good")]
    return [(f"{probability:.2f} {classes[predicted]}", "bad"), (f"is {classes[truth]}", "ink")]
