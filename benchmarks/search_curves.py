"""Recorded curves of a search: what a rule sees of each cell, what that took, and the truth."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_cells import CELLS, EPOCHS
from frostline.stats.paired import Scored, scored
from frostline.stats.predictions import Predictions, value_and_influence

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
SCORE = "f1_macro"


@dataclass(frozen=True)
class Curves:
    """One data set with one seed, C cells trained for E epochs.

    Attributes:
        data: Name of the set.
        seed: Of the runs.
        n_train: Training images.
        labels: `(N,)` of the validation images.
        groups: `(N,)`.
        predicted: `(C, E, N)` predicted class after each epoch.
        test: `(C,)` macro F1 on test of the weights of the best epoch.
        start_s: `(C,)` processor seconds from the start of a job to its first epoch.
        epoch_s: `(C, E)` of each epoch, validation included.
        pause_s: `(C,)` of a pause: of building a job again and judging it.
    """

    data: str
    seed: int
    n_train: int
    labels: Bytes
    groups: NDArray[np.uint16]
    predicted: Bytes
    test: Floats
    start_s: Floats
    epoch_s: Floats
    pause_s: Floats

    @cached_property
    def scores(self) -> Floats:
        """`(C, E)` macro F1 on validation after each epoch."""
        return np.array([[self._scored(one).value for one in cell] for cell in self.predicted])

    def at(self, cell: int, epoch: int) -> Scored:
        """A cell at its best epoch of the first so many, as the race's rungs hold it."""
        best = int(self.scores[cell, :epoch].argmax())
        return self._scored(self.predicted[cell, best])

    def _scored(self, predicted: Bytes) -> Scored:
        return scored(as_predictions(self.labels, predicted, self.groups), SCORE)

    def resampled(self, rng: np.random.Generator) -> "Curves":
        """The same runs, as they would look on other validation images: groups drawn anew."""
        names = np.unique(self.groups)
        rows = [np.flatnonzero(self.groups == name) for name in rng.choice(names, len(names))]
        places = np.concatenate(rows)
        groups = np.repeat(np.arange(len(rows)), [len(row) for row in rows]).astype(np.uint16)
        return Curves(
            self.data, self.seed, self.n_train, self.labels[places], groups,
            self.predicted[:, :, places], self.test, self.start_s, self.epoch_s, self.pause_s,
        )  # fmt: skip


def as_predictions(
    labels: Bytes, predicted: Bytes, groups: NDArray[np.uint16] | None = None
) -> Predictions:
    """Predicted classes as predictions, each certain."""
    n = len(labels)
    items = np.array([f"{k:05d}" for k in range(n)])
    names = items if groups is None else np.array([f"{group:05d}" for group in groups])
    classes = int(max(labels.max(), predicted.max())) + 1
    probs = np.zeros((n, classes), np.float16)
    probs[np.arange(n), predicted] = 1
    return Predictions(items, names, labels.astype(np.int64), probs)


def read_curves(folder: Path) -> list[Curves]:
    """All recordings of a folder, `DATA-SEED.npz` each, in the order of data sets and seeds."""
    found = []
    for file in sorted(folder.glob("*-*.npz")):
        data, _, seed = file.stem.rpartition("-")
        with np.load(file) as content:
            kept = {name: content[name] for name in content.files}
        assert kept["val_predicted"].shape[:2] == (len(CELLS), EPOCHS), file
        test = [
            value_and_influence(as_predictions(kept["test_labels"], predicted), SCORE)[0]
            for predicted in kept["test_predicted"]
        ]
        found.append(
            Curves(
                data, int(seed), int(kept["n_train"]), kept["val_labels"], kept["val_groups"],
                kept["val_predicted"], np.array(test), kept["start_s"].astype(float),
                kept["epoch_s"].astype(float), kept["pause_s"].astype(float),
            )
        )  # fmt: skip
    return found
