"""Which further seeds are worth most: the expected loss that they would take off, and their cost.

More seeds make scores surer, so that a better cell may be chosen afterwards. By how much the
expected loss falls then is known before they are run: the posterior mean will move by a normal
amount whose covariance is what the posterior loses.

    gain = E[max of the new posterior means] - max of the present ones

Source:
    Raiffa and Schlaifer, "Applied Statistical Decision Theory", 1961 (preposterior analysis);
    Frazier, Powell and Dayanik, INFORMS J. Comput. 2009 (the correlated knowledge gradient).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stats.expected_loss import expected_loss, likely_spread, posterior_draws

Floats = NDArray[np.float64]
_MORE_SEEDS = (1, 2, 3, 5)
_FIRST = (2, 3, 4, 6, 8, 12, 20)
_DRAWS = 4000
_ENOUGH = 0.8
_SEED = 0
# Variance of the level that all cells share: so large that scores alone determine it.
_ANY_LEVEL = 1.0


@dataclass(frozen=True)
class NextRuns:
    """Further seeds for some cells.

    Attributes:
        cells: Places of the cells.
        seeds: Further seeds of each.
        seconds: What they take.
        gain: By how much they lower the expected loss of the choice, units of the score.
    """

    cells: tuple[int, ...]
    seeds: int
    seconds: float
    gain: float


@dataclass(frozen=True)
class Known:
    """What a sweep knows of C cells.

    Attributes:
        means: `(C,)` scores.
        images: `(C, C)` error covariance from the images.
        seeds_part: `(C,)` what seeds add to the variance of each mean.
        n_seeds: `(C,)` seeds of each.
        new_images: Whether a further seed is judged by other images: each seed has its own split.
        seconds: `(C,)` what one more seed takes.
    """

    means: Floats
    images: Floats
    seeds_part: Floats
    n_seeds: NDArray[np.int64]
    new_images: bool
    seconds: Floats


def plans(known: Known, chances: Sequence[float]) -> list[NextRuns]:
    """What could be run next, the smallest cost first, without those that a cheaper one beats.

    Args:
        known: What is known.
        chances: `(C,)` of being the best: cells are added in this order.
    """
    order = sorted(range(len(chances)), key=lambda place: -chances[place])
    sizes = sorted({n for n in _FIRST if n < len(order)} | {len(order)})
    found = [
        NextRuns(
            tuple(sorted(order[:size])),
            more,
            float(more * known.seconds[order[:size]].sum()),
            gain_of(known, order[:size], more),
        )
        for size in sizes
        for more in _MORE_SEEDS
    ]
    front: list[NextRuns] = []
    for plan in sorted(found, key=lambda one: (one.seconds, -one.gain)):
        if not front or plan.gain > front[-1].gain:
            front.append(plan)
    return front


def best_plan(front: Sequence[NextRuns], least: float) -> NextRuns | None:
    """The cheapest plan that has most of what any has to give.

    Args:
        front: From `plans`.
        least: Gains below this are not worth a run, units of the score.

    Returns:
        None if nothing gains as much as `least`.
    """
    most = max((plan.gain for plan in front), default=0.0)
    able = [plan for plan in front if plan.gain >= max(least, _ENOUGH * most)]
    return min(able, key=lambda plan: plan.seconds) if able else None


def gain_of(known: Known, cells: Sequence[int], more: int) -> float:
    """By how much further seeds of some cells lower the expected loss, units of the score."""
    error = known.images + np.diag(known.seeds_part)
    now = posterior_draws(known.means, error)
    mean = now.mean(axis=1)
    prior = likely_spread(known.means, error) ** 2 * np.eye(len(mean)) + _ANY_LEVEL
    learned = _posterior(prior, error) - _posterior(prior, _later_error(known, cells, more))
    values, vectors = np.linalg.eigh(learned)
    moves = vectors * np.sqrt(np.maximum(values, 0.0))
    z = np.random.default_rng(_SEED).normal(size=(len(mean), _DRAWS))
    later = mean[:, None] + moves @ np.hstack([z, -z])
    gain = float(later.max(axis=0).mean() - mean.max())
    # No seeds can take off more than there is to lose.
    return float(np.clip(gain, 0.0, expected_loss(now).min()))


def _posterior(prior: Floats, error: Floats) -> Floats:
    """Covariance of the true scores, once scores with this error are known."""
    return np.asarray(prior - prior @ np.linalg.solve(prior + error, prior), dtype=np.float64)


def _later_error(known: Known, cells: Sequence[int], more: int) -> Floats:
    """The error covariance once some cells have more seeds, `(C, C)`."""
    before = known.n_seeds.astype(np.float64)
    after = before.copy()
    after[list(cells)] += more
    images = known.images
    if known.new_images:
        # Seeds that two cells share are judged by the same images, further ones by others.
        images = images * np.maximum.outer(before, before) / np.maximum.outer(after, after)
    return np.asarray(images + np.diag(known.seeds_part * before / after), dtype=np.float64)
