"""Figures of the evidence by matplotlib, without a display."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from frostline.inference.explain.calibration import Calibration
from frostline.inference.explain.confusion import rates_of
from frostline.reporting.fonts import names_as_they_are

# With more classes the cells become unreadable; the most confused ones are shown.
MAX_CLASSES = 40
_DPI = 100
_BLUE, _ORANGE, _GREY = "#1f6fb4", "#d9662b", "#8a8a8a"
_NAMED_CELLS = 26


@names_as_they_are()
def confusion_figure(counts: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """Draw the confusion matrix: counts as text, shares of the true class as colour.

    Args:
        counts: (K, K), true class in rows.
        classes: K names.
        path: The PNG.
    """
    title = "Confusion: images by class"
    if len(classes) > MAX_CLASSES:
        errors = counts.sum(axis=1) + counts.sum(axis=0) - 2 * np.diagonal(counts)
        shown = np.sort(np.argsort(-errors, kind="stable")[:MAX_CLASSES])
        title = f"Confusion: {MAX_CLASSES} most confused of {len(classes)} classes"
        rates = rates_of(counts)[np.ix_(shown, shown)]
        counts, classes = counts[np.ix_(shown, shown)], [classes[k] for k in shown.tolist()]
    else:
        rates = rates_of(counts)
    n_classes = len(classes)
    side = max(4.2, 0.32 * n_classes + 2.2)
    figure = _figure(side + 0.9, side)
    axes = figure.subplots()
    image = axes.imshow(rates, vmin=0, vmax=1, cmap="Blues")
    names = [name if len(name) <= 34 else f"{name[:18]}…{name[-15:]}" for name in classes]
    axes.set_xticks(range(n_classes), names, rotation=60, ha="right", rotation_mode="anchor",
                    fontsize=8)  # fmt: skip
    axes.set_yticks(range(n_classes), names, fontsize=8)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if n_classes <= _NAMED_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if rates[row, column] > 0.55 else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=ink)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.7)
    _save(figure, path)


@names_as_they_are()
def reliability_figure(
    before: Calibration, after: Calibration | None, temperature: float, path: Path
) -> None:
    """Draw accuracy against confidence, above a histogram of the confidence."""
    figure = _figure(5.2, 5.4)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    top.plot([0, 1], [0, 1], color=_GREY, lw=1, ls="--", label="perfectly calibrated")
    _reliability(top, before, _BLUE, f"as trained, ECE {before.ece:.3f}")
    if after is not None:
        _reliability(top, after, _ORANGE, f"temperature {temperature:.2f}, ECE {after.ece:.3f}")
    top.set_ylabel("accuracy")
    top.set_title("Reliability: does confidence match accuracy?", loc="left", fontsize=11,
                  fontweight="bold")  # fmt: skip
    top.legend(fontsize=8, frameon=False, loc="best")
    widths = np.diff(before.edges)
    below.bar(before.edges[:-1], before.counts, widths, align="edge", color=_BLUE, alpha=0.7,
              edgecolor="white")  # fmt: skip
    below.set_xlabel("probability of the predicted class")
    below.set_ylabel("images")
    for axes in (top, below):
        axes.set_xlim(0, 1)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    top.set_ylim(-0.02, 1.02)
    _save(figure, path)


@names_as_they_are()
def curves_figure(history: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Draw loss and scores over the epochs.

    Args:
        history: Metric to its value at each epoch, from 0.
        path: The PNG.
    """
    figure = _figure(9.0, 3.6)
    left, right = figure.subplots(1, 2)
    groups = (
        (left, "Loss", (("train/loss", "train", _GREY), ("val/loss", "validation", _BLUE))),
        (right, "Validation", (("val/acc_micro", "accuracy", _BLUE),
                               ("val/f1_macro", "macro F1", _ORANGE))),
    )  # fmt: skip
    for axes, title, lines in groups:
        for name, label, colour in lines:
            points = sorted(history.get(name, {}).items())
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(np.array(x) + 1, y, color=colour, marker="o", ms=3, label=label)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8, frameon=False)
    right.set_ylim(0, 1)
    _save(figure, path)


def _reliability(axes: Any, calibration: Calibration, colour: str, label: str) -> None:
    filled = calibration.counts > 0
    sizes = 12 + 70 * calibration.counts[filled] / max(1, calibration.counts.max())
    x, y = calibration.confidence[filled], calibration.accuracy[filled]
    axes.plot(x, y, color=colour, lw=1.2, label=label)
    axes.scatter(x, y, s=sizes, color=colour, alpha=0.85, linewidths=0)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, pil_kwargs={"optimize": True})
