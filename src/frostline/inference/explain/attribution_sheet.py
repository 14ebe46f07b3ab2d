"""A sheet of attributions of right and wrong predictions, and the share of them off the leaf."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from frostline.data.geometry import square
from frostline.inference.explain.attribution import (
    Layer,
    Maps,
    find_layer,
    grad_cam,
    is_installed,
    overlay,
    share_off,
)
from frostline.inference.explain.gallery import (
    Tile,
    caption,
    draw_sheet,
    most_confident_right,
    worst_errors,
)
from frostline.inference.explain.subject import Subject
from frostline.spreadsheet import as_row

SHOWN_RIGHT = SHOWN_WRONG = 6
# Right predictions, and wrong ones, that the mean shares are computed over.
MAX_MEASURED = 48
_BATCH = 16
_NOT_INSTALLED = (
    "attributions are left out: the package grad-cam is not installed here "
    "(pip install 'frostline[export]')"
)
Rows = NDArray[np.int64]


def write_attributions(
    subject: Subject, folder: Path, on_progress: Callable[[str], None]
) -> dict[str, float]:
    """Write attribution.jpg and, if the data set has leaf masks, attribution.csv.

    Where they cannot be made, attribution.txt says why.

    Args:
        subject: Images, predictions and network.
        folder: Where the files go.
        on_progress: Receives a line if the package that computes them is missing.

    Returns:
        `off_leaf_right` and `off_leaf_wrong`: mean share of the attribution off the leaf, and
        `off_leaf_area`: the share that an attribution spread evenly would have. Empty without
        masks, where the network has no spatial map, or without the package.
    """
    if not is_installed():
        (folder / "attribution.txt").write_text(f"{_NOT_INSTALLED}\n")
        on_progress(_NOT_INSTALLED)
        return {}
    layer = find_layer(subject.network, subject.backbone)
    if layer is None:
        (folder / "attribution.txt").write_text(
            "This network has no layer whose output has a place for each part of the image.\n"
        )
        return {}
    predictions = subject.predictions
    mask_of = getattr(subject.table.open_image, "mask", None)
    limit = MAX_MEASURED if mask_of is not None else max(SHOWN_RIGHT, SHOWN_WRONG)
    right, wrong = most_confident_right(predictions, limit), worst_errors(predictions, limit)
    rows = np.concatenate([right, wrong])
    items = [str(item) for item in predictions.items[rows]]
    images = [subject.square(item) for item in items]
    maps = _maps(subject, layer, images, predictions.predicted[rows])
    shares = np.full(len(rows), np.nan)
    values: dict[str, float] = {}
    if mask_of is not None:
        masks = np.stack(
            [_mask(subject, mask_of, str(predictions.items[row])) for row in rows.tolist()]
        )
        shares = share_off(maps, masks)
        values["off_leaf_area"] = float(1 - masks.mean())
        for name, part in (("right", shares[: len(right)]), ("wrong", shares[len(right) :])):
            if np.isfinite(part).any():
                values[f"off_leaf_{name}"] = float(np.nanmean(part))
        _write_shares(subject, folder / "attribution.csv", rows, shares)
    shown = [*range(min(SHOWN_RIGHT, len(right)))]
    shown += [len(right) + k for k in range(min(SHOWN_WRONG, len(wrong)))]
    tiles = []
    for k in shown:
        lines = caption(predictions, subject.classes, int(rows[k]))
        if np.isfinite(shares[k]):
            lines = [*lines, (f"{shares[k]:.0%} off the leaf", "grey")]
        tiles.append(Tile([images[k], overlay(images[k], maps[k])], lines))
    path = layer.path.removeprefix("features.model.")
    title = f"Attribution of the predicted class (Grad-CAM at {path}){subject.title_suffix}"
    sheet = draw_sheet(title, tiles, columns=3)
    sheet.save(folder / "attribution.jpg", quality=88, optimize=True)
    return values


def _maps(subject: Subject, layer: Layer, images: list[NDArray[np.uint8]], predicted: Rows) -> Maps:
    """Attributions of the predicted classes, (N, S, S), in batches."""
    device = next(subject.network.parameters()).device
    parts = []
    for first in range(0, len(images), _BATCH):
        block = np.stack(images[first : first + _BATCH])
        pixels = torch.from_numpy(block).permute(0, 3, 1, 2).to(device)
        normalised = subject.preprocess.to(device).normalise(pixels)
        parts.append(
            grad_cam(subject.network, layer, normalised, predicted[first : first + _BATCH])
        )
    return np.concatenate(parts)


def _mask(
    subject: Subject, mask_of: Callable[[str], NDArray[np.bool_]], item: str
) -> NDArray[np.bool_]:
    """Where the leaf is in the square that the network takes: (S, S)."""
    mask = mask_of(item)
    image = Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")
    return np.asarray(square(image, subject.geometry)[..., 0] > 127)


def _write_shares(subject: Subject, path: Path, rows: Rows, shares: NDArray[np.float64]) -> None:
    predictions = subject.predictions
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["item", "true class", "answer", "right", "share off the leaf"])
        for row, share in zip(rows.tolist(), shares.tolist(), strict=True):
            label, answer = int(predictions.labels[row]), int(predictions.predicted[row])
            names = subject.classes[label], subject.classes[answer]
            item = str(predictions.items[row])
            writer.writerow(as_row([item, *names, label == answer, f"{share:.4f}"]))
