"""Linear probe and nearest neighbours on frozen features, scored on images held out by group."""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Groups = NDArray[np.str_]
Rows = NDArray[np.int64]
FOLDS = 3
NEIGHBOURS = 5
INVERSE_PENALTY = 0.1  # C of the logistic regression, on standardised features
MAX_ITERATIONS = 200
_CHUNK_ROWS = 1024


def probe_predictions(features: Floats, labels: Labels, groups: Groups) -> Labels:
    """Predict each image with a linear probe that was not fitted on its group.

    Args:
        features: (N, D).
        labels: (N) int64.
        groups: (N).

    Returns:
        (N) int64.
    """
    predicted = np.full(len(labels), -1, dtype=np.int64)
    for train, held_out in group_folds(labels, groups):
        if len(np.unique(labels[train])) < 2:
            predicted[held_out] = labels[train][0]
        else:
            predicted[held_out] = fit_predict(features[train], labels[train], features[held_out])
    return predicted


def fit_predict(
    train: Floats, labels: Labels, other: Floats, *, inverse_penalty: float = INVERSE_PENALTY
) -> Labels:
    """Fit a multinomial logistic regression with an L2 penalty, and predict other images.

    With fewer images than features, the features are first projected on the span of the images;
    the solution stays the same, since the penalty is invariant to rotations.

    Args:
        train: (N, D) features to fit on.
        labels: (N) int64, two classes or more.
        other: (M, D).
        inverse_penalty: Inverse weight of the penalty.

    Returns:
        (M) int64, values of `labels`.

    Source:
        Kornblith et al. 2019 (arXiv:1805.08974) for the probe.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x, x_other = standardised(train), standardised(other, like=train)
    if x.shape[1] > len(x):
        _, _, basis = np.linalg.svd(x, full_matrices=False)
        x, x_other = x @ basis.T, x_other @ basis.T
    model = LogisticRegression(
        C=inverse_penalty, max_iter=MAX_ITERATIONS, tol=1e-3, class_weight="balanced"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough fit is enough for a score
        model.fit(x, labels)
    return np.asarray(model.predict(x_other))


def knn_predictions(
    features: Floats, labels: Labels, groups: Groups, *, neighbours: int = NEIGHBOURS
) -> Labels:
    """Predict each image by the vote of its nearest neighbours in other groups.

    Neighbours are found by the cosine similarity of standardised features, and weighted by it.

    Args:
        features: (N, D).
        labels: (N) int64.
        groups: (N): images of one group never vote for each other.
        neighbours: How many vote.

    Returns:
        (N) int64.

    Source:
        The weighted kNN of Wu et al. 2018 (arXiv:1805.01978); as a predictor of the accuracy after
        fine-tuning: arXiv:2503.18528.
    """
    unit = standardised(features)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    _, group_of = np.unique(groups, return_inverse=True)
    n_classes = int(labels.max()) + 1
    predicted = np.empty(len(labels), dtype=np.int64)
    for start in range(0, len(labels), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        similarity = unit[rows] @ unit.T
        similarity[group_of[rows, None] == group_of[None, :]] = -np.inf
        count = min(neighbours, similarity.shape[1] - 1)
        voters = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        of_voters = np.take_along_axis(similarity, voters, axis=1)
        votes = np.zeros((len(similarity), n_classes))
        # From [-1, 1] to (0, 1]; images of the own group get no weight.
        weights = np.where(np.isfinite(of_voters), 1.0 + of_voters, 0.0) / 2 + 0.0
        np.add.at(votes, (np.arange(len(similarity))[:, None], labels[voters]), weights)
        predicted[rows] = votes.argmax(axis=1)
    return predicted


def group_folds(
    labels: Labels, groups: Groups, *, folds: int = FOLDS
) -> Iterator[tuple[Rows, Rows]]:
    """Yield positions to fit on and positions held out; every image is held out once.

    Args:
        labels: (N) int64; each class is spread over the folds.
        groups: (N): a group is never on both sides.
        folds: Number of folds; fewer if the rarest class has fewer groups.

    Raises:
        ValueError: If all images form one group.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    # With more folds than the rarest class has groups, some fold would have nothing to fit it on.
    count = min(folds, max(2, int(np.bincount(labels[first])[np.unique(labels[first])].min())))
    if len(first) < 2:
        raise ValueError("all images form one group: nothing can be held out")
    n_folds = min(count, len(first))
    # Stratification needs a class with at least as many images as there are folds.
    can_stratify = np.bincount(labels).max() >= n_folds
    splitter = StratifiedGroupKFold(n_folds) if can_stratify else GroupKFold(n_folds)
    with warnings.catch_warnings():
        # A class with fewer images than folds is missing from some of them, which is intended.
        warnings.filterwarnings("ignore", message="The least populated class")
        for train, held_out in splitter.split(labels, labels, codes):
            if len(train) and len(held_out):
                yield train, held_out


def standardised(features: Floats, like: Floats | None = None) -> Floats:
    """Scale each column to mean 0 and deviation 1, by the mean and deviation of `like`.

    Constant columns become 0.
    """
    like = features if like is None else like
    mean, deviation = like.mean(axis=0), like.std(axis=0)
    scale = np.where(deviation > 1e-9 * np.abs(mean) + 1e-12, deviation, np.inf)
    return np.asarray((features - mean) / scale)


def macro_accuracy(predicted: Labels, labels: Labels) -> float:
    """Return the mean recall over the classes that occur, in 0 .. 1."""
    recalls = [(predicted[labels == label] == label).mean() for label in np.unique(labels)]
    return float(np.mean(recalls))


def half_width(accuracy: float, n_groups: int) -> float:
    """Return half of Wilson's 95 % interval of an accuracy over so many independent groups.

    Source:
        Wilson 1927.
    """
    z = 1.959963984540054
    spread = accuracy * (1 - accuracy) / n_groups + z**2 / (4 * n_groups**2)
    return float(z * np.sqrt(spread) / (1 + z**2 / n_groups))
