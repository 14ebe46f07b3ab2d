"""Labels that are probably wrong, by out-of-fold probabilities.

Two rules, as there are two kinds of mistakes. Slips, which give an image any class, stand out from
what the classifier holds possible: a model of such noise finds them with few false alarms. Classes
that are mixed up look like classes that are hard to distinguish: confident learning names these and
with them many images whose label is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.advice.labels.out_of_fold import STRENGTHS, out_of_fold
from frostline.stats.label_noise import label_noise

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Groups = NDArray[np.str_]
# A label is a suspect if it is more probably wrong than right.
MIN_WRONG = 0.5


@dataclass(frozen=True)
class Suspects:
    """Images whose label is probably wrong, the most suspicious first.

    Attributes:
        rows: (S) int64, positions among the N images.
        probs: (N, K) float64, out of fold.
        wrong: (N) probability that the label is wrong.
        strength: Of the penalty of the heads.
        mixed_up: (M) int64, further images, named by confident learning; None without cleanlab.
    """

    rows: Labels
    probs: Floats
    wrong: Floats
    strength: float
    mixed_up: Labels | None


def find_suspects(
    features: Tensor, labels: Labels, groups: Groups, *, strengths: Sequence[float] = STRENGTHS
) -> Suspects:
    """Find suspicious labels.

    Args:
        features: (N, F) float32.
        labels: (N) int64, 0 .. K-1, each with images of two groups or more.
        groups: (N); no image is judged by a head that was fitted on its group.
        strengths: As for `out_of_fold`.

    Raises:
        ValueError: If all images form one group.
    """
    judged = out_of_fold(features, labels, groups, strengths=strengths)
    probs = judged.probs
    noise = label_noise(probs, labels)
    order = np.argsort(-noise.wrong, kind="stable")
    rows = order[noise.wrong[order] > MIN_WRONG]
    named = confident_learning(labels, probs)
    mixed_up = None if named is None else named[~np.isin(named, rows)]
    return Suspects(rows.astype(np.int64), probs, noise.wrong, judged.strength, mixed_up)


def confident_learning(labels: Labels, probs: Floats) -> Labels | None:
    """Return what cleanlab names, the most suspicious first; None if it is not installed.

    Args:
        labels: (N) int64.
        probs: (N, K), out of fold.

    Source:
        Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
        JAIR 70 (2021).
    """
    if find_spec("cleanlab") is None:
        return None
    from cleanlab.filter import find_label_issues

    issues = find_label_issues(
        labels=labels,
        pred_probs=probs,
        filter_by="low_normalized_margin",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    return np.asarray(issues, dtype=np.int64)
