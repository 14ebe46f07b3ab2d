"""The scores of all cells with their joint error: what images and seeds add, to each and to all.

Cells that are scored on the same images are off together: an easy validation set lifts all of them.
What decides between them is what their errors do not share, so the whole covariance is needed, not
only its diagonal.

    Cov(a, b) = sum over groups of (mean pull of the group on a) (mean pull on b), and for a = b
                also what seeds add beyond the groups

Correlations of many cells that rest on few groups are moved towards their mean: see
`frostline.stats.shrunk_correlation`.

A cell with one seed says nothing about seeds. Where other cells have several, it is given their
mean seed variance; where no cell has, the seeds' part is 0 and everything holds for these trained
models on other images alone.

Source:
    Owen, "The pigeonhole bootstrap", Ann. Appl. Stat. 2007; see also `frostline.stats.variance`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stats.paired import Seeds, cell_spread
from frostline.stats.rate_choice import choice_doubt
from frostline.stats.shrunk_correlation import shrunk_covariance
from frostline.stats.variance import Spread, estimate, learn_prior

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointError:
    """Scores with their errors.

    Attributes:
        names: C cells.
        means: `(C,)` mean score over each cell's seeds.
        covariance: `(C, C)` of these means, squared units of the score.
        images: `(C, C)` the part of it from images and from the choice of rates.
        seeds_part: `(C,)` what seeds add to the diagonal; 0 where no cell has two seeds.
        n_seeds: `(C,)` seeds of each cell.
        knows_seeds: Whether any cell has two seeds or more.
        own_splits: Whether seeds are judged by different images.
    """

    names: tuple[str, ...]
    means: Floats
    covariance: Floats
    images: Floats
    seeds_part: Floats
    n_seeds: NDArray[np.int64]
    knows_seeds: bool
    own_splits: bool


def joint_error(cells: Mapping[str, Seeds], optimism: Mapping[str, float]) -> JointError:
    """The joint error of cells' mean scores.

    Args:
        cells: Name to its scored runs by seed, C of them, each with at least one.
        optimism: Name to what was taken off for the choice of a rate; 0 where it is missing.
    """
    spreads = {name: cell_spread(seeds) for name, seeds in cells.items()}
    seeds_part = _seeds_part(list(spreads.values()))
    doubt = [choice_doubt(optimism.get(name, 0.0)) for name in cells]
    images = _images_part(cells, _least_variance(cells)) + np.diag(doubt)
    n_seeds = np.array([spread.n_seeds for spread in spreads.values()])
    return JointError(
        tuple(cells),
        np.array([spread.value for spread in spreads.values()]),
        images + np.diag(seeds_part),
        images,
        seeds_part,
        n_seeds,
        bool(n_seeds.max() > 1),
        len({run.items.tobytes() for seeds in cells.values() for run in seeds.values()}) > 1,
    )


def _images_part(cells: Mapping[str, Seeds], least: float) -> Floats:
    """What the groups contribute, `(C, C)`; its diagonal is nowhere below `least`."""
    runs = [(place, run) for place, seeds in enumerate(cells.values()) for run in seeds.values()]
    names, rows = np.unique(np.concatenate([run.groups for _, run in runs]), return_inverse=True)
    pulls = np.zeros((len(cells), len(names)))
    judged = np.zeros(pulls.shape, dtype=bool)
    n_seeds = [len(seeds) for seeds in cells.values()]
    start = 0
    for place, run in runs:
        end = start + len(run.influence)
        summed = np.bincount(rows[start:end], run.influence, minlength=len(names))
        pulls[place] += summed / n_seeds[place]
        judged[place, rows[start:end]] = True
        start = end
    pulls *= np.sqrt(len(names) / max(len(names) - 1, 1))
    own = (pulls**2).sum(axis=1)
    return shrunk_covariance(pulls, np.maximum(0.0, least - own), judged)


def _least_variance(cells: Mapping[str, Seeds]) -> float:
    """The variance of a score that one more group all right and one all wrong would add.

    A model that is right on all images of G groups is not known to be right on all others.

    Source:
        Laplace's rule of succession; Agresti and Coull, Am. Stat. 1998.
    """
    groups = {
        name.item()
        for seeds in cells.values()
        for run in seeds.values()
        for name in np.unique(run.groups)
    }
    return 0.5 / max(len(groups), 1) ** 2


def _seeds_part(spreads: list[Spread]) -> Floats:
    """What seeds add to the variance of each mean, beyond the groups, `(C,)`.

    Moderated as in the report's intervals: see `frostline.stats.variance`.
    """
    prior = learn_prior(spreads)
    known = [spread for spread in spreads if spread.n_seeds > 1]
    own = {
        id(spread): max(0.0, estimate(spread, prior).se ** 2 - spread.items) * spread.n_seeds
        for spread in known
    }
    usual = float(np.mean(list(own.values()))) if own else 0.0
    return np.array([own.get(id(spread), usual) / spread.n_seeds for spread in spreads])
