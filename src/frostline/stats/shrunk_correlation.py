"""How much the errors of cells have in common, where few groups have to say it of many pairs.

What two cells' errors share is estimated from the groups they were both judged by. With more cells
than groups some weighted differences of cells then seem to be known without any error, and what is
drawn from such a covariance ranks cells by chance: a cell far below others can be called the best.
So each pair's correlation is moved towards the mean of all pairs, the further the less the groups
say of single pairs: by the share of what the correlations differ by that is their own error.

Source:
    Ledoit and Wolf, "Honey, I shrunk the sample covariance matrix", J. Portf. Manag. 2004 (the mean
    correlation as the target); Schaefer and Strimmer, Stat. Appl. Genet. Mol. Biol. 2005 (the
    weight, from the variance of each correlation).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shrunk_covariance(pulls: Floats, least: Floats, judged: NDArray[np.bool_]) -> Floats:
    """The covariance of cells' scores that groups contribute; its diagonal is as it was.

    Args:
        pulls: `(C, G)` how far each group moves each cell's score; a variance is a sum of squares.
        least: `(C,)` what is added to each variance, beyond that sum.
        judged: `(C, G)` whether a group is among the images of a cell. Only correlations of cells
            with the same groups are moved, towards their mean: others may have nothing in common.

    Returns:
        `(C, C)`, positive semi-definite.
    """
    n_groups = pulls.shape[1]
    sd = np.sqrt((pulls**2).sum(axis=1) + least)
    # A score that no group moves has no error, and so no correlation.
    scaled = pulls / np.where(sd > 0, sd, 1.0)[:, None]
    found = scaled @ scaled.T
    np.fill_diagonal(found, 1.0)
    squares = scaled**2
    error = (n_groups * squares @ squares.T - found**2) / max(n_groups - 1, 1)
    target = _mean_within(found, judged)
    off = ~np.eye(len(pulls), dtype=bool)
    differ = float(((found - target)[off] ** 2).sum())
    weight = min(1.0, float(np.maximum(error[off], 0.0).sum()) / differ) if differ > 0 else 1.0
    correlation = (1 - weight) * found + weight * target
    return np.asarray(correlation * np.outer(sd, sd), dtype=np.float64)


def _mean_within(found: Floats, judged: NDArray[np.bool_]) -> Floats:
    """The mean correlation of all pairs with the same groups; 0 for other pairs."""
    target = np.eye(len(found))
    _, kind = np.unique(judged, axis=0, return_inverse=True)
    for one in np.unique(kind):
        cells = np.flatnonzero(kind.reshape(-1) == one)
        if len(cells) > 1:
            block = found[np.ix_(cells, cells)]
            pairs = len(cells) * (len(cells) - 1)
            mean = (block.sum() - np.trace(block)) / pairs
            target[np.ix_(cells, cells)] = mean
    np.fill_diagonal(target, 1.0)
    return target
