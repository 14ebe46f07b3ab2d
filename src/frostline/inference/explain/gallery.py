"""The worst errors: images about which a run was sure and wrong."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.inference.explain.picture_sheet import Tile, draw_sheet
from frostline.stats.predictions import Predictions

Rows = NDArray[np.int64]
Square = Callable[[str], NDArray[np.uint8]]


def worst_errors(predictions: Predictions, limit: int) -> Rows:
    """Rows of wrong answers, the surest first."""
    wrong = np.flatnonzero(~predictions.correct)
    sure = predictions.probs[wrong].max(axis=1).astype(np.float64)
    return np.asarray(wrong[np.argsort(-sure, kind="stable")][:limit], dtype=np.int64)


def surest_right(predictions: Predictions, limit: int) -> Rows:
    """Rows of right answers, the surest of each class in turn."""
    right = np.flatnonzero(predictions.correct)
    sure = predictions.probs[right].max(axis=1).astype(np.float64)
    ordered = right[np.argsort(-sure, kind="stable")]
    turn: dict[int, int] = {}
    keys = []
    for place, row in enumerate(ordered.tolist()):
        label = int(predictions.labels[row])
        turn[label] = turn.get(label, -1) + 1
        keys.append((turn[label], place))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return np.asarray(ordered[order][:limit], dtype=np.int64)


def draw_gallery(
    predictions: Predictions,
    classes: Sequence[str],
    square: Square,
    *,
    limit: int,
    columns: int,
    remark: str = "",
) -> Image.Image | None:
    """A sheet of the worst errors; None if there is no error.

    Args:
        predictions: What was said.
        classes: K names.
        square: Item to its image as the network sees it, (S, S, 3) uint8.
        limit: Most images.
        columns: Images in a row.
        remark: Follows the title.
    """
    rows = worst_errors(predictions, limit)
    if not len(rows):
        return None
    tiles = [Tile([square(str(predictions.items[row]))], caption(predictions, classes, row))
             for row in rows.tolist()]  # fmt: skip
    n_wrong = int((~predictions.correct).sum())
    title = f"Worst errors: {len(rows)} of {n_wrong} wrong among {len(predictions.labels)}{remark}"
    return draw_sheet(title, tiles, columns=columns)


def caption(predictions: Predictions, classes: Sequence[str], row: int) -> list[tuple[str, str]]:
    """What is said under an image: the answer with its probability, the truth where they differ."""
    said = int(predictions.predicted[row])
    truth = int(predictions.labels[row])
    probability = float(predictions.probs[row, said])
    if said == truth:
        return [(f"{probability:.2f} {classes[said]}", "good")]
    return [(f"{probability:.2f} {classes[said]}", "bad"), (f"is {classes[truth]}", "ink")]
