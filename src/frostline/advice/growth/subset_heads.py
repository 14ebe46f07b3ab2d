"""Which images heads recognise that were solved on smaller and larger parts of the others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.advice.measures.simple_classifiers import group_folds
from frostline.data.seeds import derive_seed
from frostline.training.exact_head import solve_path

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Groups = NDArray[np.str_]
FOLDS = 5
# Share of the other folds to how often another part of that share is drawn.
SHARES = {0.125: 3, 0.25: 2, 0.5: 2, 1.0: 1}
STRENGTHS = (10.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)


@dataclass(frozen=True)
class SubsetHeads:
    """What heads recognised.

    Attributes:
        sizes: (S) mean number of images that a head was solved on, ascending.
        hits: (N, S) in 0 .. 1: how often an image was recognised by heads of that size that had
            not seen its group.
    """

    sizes: Floats
    hits: Floats


def subset_heads(
    features: Tensor,
    labels: Labels,
    groups: Groups,
    *,
    seed: int,
    shares: dict[float, int] | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> SubsetHeads:
    """Solve heads on parts of each fold's training images.

    Args:
        features: (N, F) float32.
        labels: (N) int64, 0 .. K-1.
        groups: (N).
        seed: Of the parts.
        shares: Share to number of draws, ascending; None for `SHARES`.
        advance: Receives 1 after each head.

    Raises:
        ValueError: If all images form one group.
    """
    shares = SHARES if shares is None else shares
    hits = np.zeros((len(labels), len(shares)))
    sizes = np.zeros(len(shares))
    folds = list(group_folds(labels, groups, folds=FOLDS))
    for number, (train, held_out) in enumerate(folds):
        for place, (share, draws) in enumerate(shares.items()):
            for draw in range(draws):
                part = subset(
                    labels[train], groups[train], share, derive_seed(seed, number, place, draw)
                )
                rows = train[part]
                right = recognised(features, labels, rows, held_out, groups)
                hits[held_out, place] += right / draws
                sizes[place] += len(rows) / (draws * len(folds))
                advance(1)
    return SubsetHeads(sizes, hits)


def subset(labels: Labels, groups: Groups, share: float, seed: int) -> NDArray[np.int64]:
    """Draw a share of the groups of each class; at least one group of each.

    Returns:
        Positions, ascending.
    """
    if share >= 1:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    names, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    chosen = np.zeros(len(names), dtype=bool)
    for label in np.unique(labels):
        # A group of several classes counts for that of its first image, if that has any.
        of_class = np.flatnonzero(labels[first] == label)
        if not len(of_class):
            of_class = np.unique(codes[labels == label])
        count = share * len(of_class)
        # Rounded at random, so that the mean is right for small classes, too.
        n = max(1, int(count) + int(rng.random() < count % 1))
        chosen[rng.permutation(of_class)[:n]] = True
    return np.flatnonzero(chosen[codes])


def recognised(
    features: Tensor, labels: Labels, rows: Labels, held_out: Labels, groups: Groups
) -> Floats:
    """Whether a head solved on some rows recognises held-out images, (M) of 0 and 1.

    Its penalty is chosen on one half of the held-out groups for the other half.
    """
    targets = torch.from_numpy(labels)
    solutions = solve_path(
        features[rows],
        targets[rows],
        features[held_out],
        targets[held_out],
        classes=int(labels.max()) + 1,
        label_smoothing=0.0,
        class_weights=None,
        path=STRENGTHS,
    )
    logits = torch.stack([features[held_out] @ one.weight.T + one.bias for one in solutions])
    truth = targets[held_out]
    losses = torch.stack(
        [torch.nn.functional.cross_entropy(one, truth, reduction="none") for one in logits]
    ).numpy()
    right = (logits.argmax(dim=2) == truth).numpy().astype(np.float64)
    side = np.unique(groups[held_out], return_inverse=True)[1] % 2
    result = np.empty(len(held_out))
    for half in (0, 1):
        here = side == half
        other = losses[:, ~here] if (~here).any() else losses
        result[here] = right[int(other.mean(axis=1).argmin()), here]
    return result
