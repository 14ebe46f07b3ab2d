"""Test whether something other than the subject predicts the class.

Source: Noyan 2022 (arXiv:2206.04374): eight background pixels of PlantVillage give 49 % on 38
classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import SampleTable

FOLDS = 5
MAX_IMAGES = 4000


@dataclass(frozen=True)
class Probe:
    """How well one kind of evidence alone predicts the class.

    Attributes:
        evidence: The name of the evidence, such as "file size".
        acc_macro: Mean over the classes of the recall, in cross-validation by groups.
        chance: Accuracy of guessing: 1 / K.
        margin: Twice the standard error of `acc_macro`.
    """

    evidence: str
    acc_macro: float
    chance: float
    margin: float

    @property
    def gives_away(self) -> bool:
        """Whether it is clearly better than guessing, beyond the margin of error."""
        return self.acc_macro - self.margin > 1.5 * self.chance


def border_pixels(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the colours of four corners and four edge centres: (N, 24) in 0 .. 1.

    Args:
        thumbnails: (N, T, T, 3) uint8.
    """
    last, half = thumbnails.shape[1] - 1, thumbnails.shape[1] // 2
    rows = [0, 0, 0, half, half, last, last, last]
    columns = [0, half, last, 0, last, 0, half, last]
    return thumbnails[:, rows, columns].reshape(len(thumbnails), -1) / 255.0


def probe_shortcuts(
    table: SampleTable, thumbnails: NDArray[np.uint8], groups: NDArray[np.int64], *, seed: int
) -> list[Probe]:
    """Predict the class from border pixels, from the file size and from the image shape.

    Args:
        table: The images.
        thumbnails: (N, T, T, 3) uint8.
        groups: (N) int64; copies of one image should share a group.
        seed: Seed of the folds and the forest.

    Returns:
        One probe for each kind of evidence that is available.
    """
    evidence = {"8 border pixels": border_pixels(thumbnails)}
    if table.facts is not None:
        facts = table.facts
        shape = np.stack([facts.widths_px, facts.heights_px], axis=1)
        if len(np.unique(shape, axis=0)) > 1:
            evidence["image shape"] = shape.astype(np.float64)
        evidence["file size"] = facts.n_bytes[:, None].astype(np.float64)
    rows = np.arange(len(table))
    if len(rows) > MAX_IMAGES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_IMAGES, replace=False))
    probes = []
    for name, features in evidence.items():
        probe = _probe(name, features[rows], table.labels[rows], groups[rows], seed)
        probes += [probe] if probe else []
    return probes


def _probe(
    name: str,
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int,
) -> Probe | None:
    """Cross-validate a random forest; None if a class is too small for folds."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    pairs = np.unique(np.stack([groups, labels]), axis=1)
    fewest = int(np.bincount(pairs[1])[np.unique(labels)].min())
    if fewest < 2:
        return None
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    predicted = np.full(len(labels), -1)
    for train, test in folds.split(features, labels, groups):
        forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=seed, n_jobs=1)
        predicted[test] = forest.fit(features[train], labels[train]).predict(features[test])
    present = np.unique(labels)
    shares = np.array([(predicted[labels == k] == k).mean() for k in present])
    counts = np.array([(labels == k).sum() for k in present])
    # Variance of a mean of binomial shares; not zero where all or no images are found.
    variance = np.maximum(shares * (1 - shares), 1 / counts) / counts
    margin = 2 * float(np.sqrt(variance.sum())) / len(present)
    return Probe(name, float(shares.mean()), 1 / len(present), margin)
