"""How far a score could be off: what images contribute and what seeds contribute.

A cell is run with several seeds; each run is scored on the images of its seed's split. A mean over
S seeds is off for two reasons: other images (they come in groups: photos of one leaf are right or
wrong together, and one leaf can be in the validation set of several seeds), and other seeds.

    Var(mean) = items + (between - noise, hardly below 0)

`items` is the variance that the groups contribute, `between` the observed variance of the seeds'
values over S, and `noise` that part of `between` which the groups explain already. With the same
images for every seed this is the two-way random effects analysis of variance; with disjoint images
it never falls below either one-way answer. Degrees of freedom after Satterthwaite.

Three seeds estimate `between` poorly. The ratio between / noise is therefore shrunk towards its
value in the other cells of the sweep, as strongly as these agree with each other.

Source:
    Owen, "The pigeonhole bootstrap", Ann. Appl. Stat. 2007 (two-way variance);
    Satterthwaite, Biometrics Bull. 1946; Smyth, Stat. Appl. Genet. Mol. Biol. 2004, section 6.2
    (moderated variance). Coverage as measured: docs/report.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from frostline.stats.intervals import Estimate

Floats = NDArray[np.float64]
# Chosen by benchmarks.simulate, so that 95 % intervals hold the truth in 93 to 97 %.
_WEIGHT_OF_NOISE = 0.75
_MAY_TAKE_OFF = 0.4
_LOG_FLOOR = 1e-6  # a ratio of 0 (all seeds alike) has no logarithm


@dataclass(frozen=True)
class Spread:
    """The variance parts of a mean over seeds.

    Attributes:
        value: The mean over seeds.
        items: Variance from the groups, in squared units of the score.
        between: Variance of the seeds' values over S, more for folds; NaN with one seed.
        noise: The part of `between` that the groups explain; NaN with one seed.
        n_seeds: S.
        n_groups: Groups seen in any seed.
    """

    value: float
    items: float
    between: float
    noise: float
    n_seeds: int
    n_groups: int

    @property
    def ratio(self) -> float:
        """Between / noise: about 1 where seeds add nothing; NaN where that is unknown."""
        return self.between / self.noise if self.n_seeds > 1 and self.noise > 0 else float("nan")


@dataclass(frozen=True)
class Prior:
    """The ratio between / noise as estimated from a family of cells.

    Attributes:
        ratio: The family's typical ratio.
        df: How many degrees of freedom it is worth; infinite where all agree.
        pooled_df: Degrees of freedom of all cells together, an upper limit for any of them.
    """

    ratio: float
    df: float
    pooled_df: float


NO_PRIOR = Prior(ratio=1.0, df=0.0, pooled_df=float("inf"))


def spread_of(
    values: Sequence[float],
    influences: Sequence[Floats],
    groups: Sequence[NDArray[np.str_]],
    overlap: float = 0.0,
) -> Spread:
    """Split the variance of a mean over seeds.

    Args:
        values: The score of each seed.
        influences: Item influences of each seed, `(N_s,)`; for a difference, their difference.
        groups: The items' groups of each seed, `(N_s,)`.
        overlap: See `spread_of_pulls`.
    """
    return spread_of_pulls(values, pulls_of(influences, groups), overlap)


def pulls_of(influences: Sequence[Floats], groups: Sequence[NDArray[np.str_]]) -> Floats:
    """What each group adds to each seed's score, `(S, G)`: sums of its items' influences.

    Args:
        influences: Item influences of each seed, `(N_s,)`.
        groups: The items' groups of each seed, `(N_s,)`.
    """
    names, rows = np.unique(np.concatenate(list(groups)), return_inverse=True)
    pulls = np.zeros((len(influences), len(names)))
    start = 0
    for seed, influence in enumerate(influences):
        end = start + len(influence)
        pulls[seed] = np.bincount(rows[start:end], influence, minlength=len(names))
        start = end
    return pulls


def spread_of_pulls(
    values: Sequence[float] | Floats, pulls: Floats, overlap: float = 0.0
) -> Spread:
    """Split the variance of a mean over seeds, or of any sum of cells' means.

    Args:
        values: The score of each seed, `(S,)`.
        pulls: What each group adds to it, `(S, G)`.
        overlap: Where the S runs are folds of one data set, n_val / n_train, as their training
            images are in part the same: see `frostline.stats.folds`. 0 for seeds.
    """
    n_seeds, n_groups = pulls.shape
    correction = n_groups / max(n_groups - 1, 1)
    items = correction * float((pulls.mean(axis=0) ** 2).sum())
    between = noise = float("nan")
    if n_seeds > 1:
        between = float(np.var(values, ddof=1)) * (1 / n_seeds + overlap)
        centred = pulls - pulls.mean(axis=0)
        noise = correction * float((centred**2).sum()) / (n_seeds * (n_seeds - 1))
    return Spread(float(np.mean(values)), items, between, noise, n_seeds, n_groups)


def learn_prior(spreads: Sequence[Spread]) -> Prior:
    """Estimate the ratio between / noise of a family of cells, and how much the cells agree on it.

    Returns:
        `NO_PRIOR` with fewer than two cells of several seeds.
    """
    usable = [spread for spread in spreads if np.isfinite(spread.ratio)]
    if len(usable) < 2:
        return NO_PRIOR
    df = np.array([spread.n_seeds - 1 for spread in usable], dtype=np.float64)
    ratios = np.maximum([spread.ratio for spread in usable], _LOG_FLOOR)
    logs = np.log(ratios) - special.digamma(df / 2) + np.log(df / 2)
    excess = float(np.var(logs, ddof=1) - special.polygamma(1, df / 2).mean())
    if excess <= 0:
        return Prior(float(np.exp(logs.mean())), float("inf"), float(df.sum()))
    half = _inverse_trigamma(excess)
    ratio = float(np.exp(logs.mean() + special.digamma(half) - np.log(half)))
    return Prior(ratio, 2 * half, float(df.sum()))


def prior_elsewhere(family: Sequence[Spread], own: Spread, other: Spread) -> Prior:
    """What a family of cells says about a cell's seeds on other images, such as the test images.

    What seeds add is the same there, but the groups explain more or less of the differences between
    seeds, as there are fewer or more of them. So the ratio is taken over to the noise there.

    Args:
        family: The cells on the images on which all were run.
        own: The cell among them.
        other: The same cell, with as many seeds, on other images.

    Returns:
        `NO_PRIOR` if the family says nothing, or if nothing is known about the noise here or there.
    """
    prior = learn_prior(family)
    usable = np.isfinite(own.ratio) and np.isfinite(other.ratio) and own.n_seeds == other.n_seeds
    if prior.df <= 0 or not usable:
        return NO_PRIOR
    ratio = max(1 + (prior.ratio - 1) * own.noise / other.noise, _LOG_FLOOR)
    return Prior(ratio, prior.df, prior.pooled_df)


def estimate(
    spread: Spread,
    prior: Prior,
    *,
    floor: float = 0.0,
    doubt: float = 0.0,
    for_claim: bool = False,
) -> Estimate:
    """Put the parts together: a value with its standard error and degrees of freedom.

    With one seed (`spread.n_seeds`) only the images' part is in it.

    Args:
        spread: The parts.
        prior: The ratio of seeds' variance to noise in the other cells.
        floor: Added to the images' variance, for few or no disagreements.
        doubt: Variance from elsewhere; it adds to the error, and no degrees of freedom.
        for_claim: Count degrees of freedom cautiously. A claim looks at the far tail, which hangs
            on them.
    """
    items = spread.items + floor
    groups_df = max(spread.n_groups - 1, 1)
    if spread.n_seeds < 2:
        return Estimate(spread.value, float(np.sqrt(items + doubt)), float(groups_df))
    share = _worth_of_logs(spread.n_seeds - 1) if for_claim else 1.0
    between, seeds_df = _moderated(spread, prior, share)
    noise = spread.noise if np.isfinite(spread.noise) else 0.0
    # The two constants were chosen for families; where only these seeds tell of seeds, they are
    # too bold.
    is_bold = prior.df > 0 and not for_claim
    lowest = -_MAY_TAKE_OFF * noise if is_bold else 0.0
    total = items + max(lowest, between - noise)
    if total <= 0:
        return Estimate(spread.value, float(np.sqrt(doubt)), float(groups_df))
    # Where seeds add little, the total hardly rests on their few degrees of freedom. But a claim
    # does: seeds that are alike by chance say no more about others than those that are not.
    weight = _WEIGHT_OF_NOISE if is_bold else 1.0
    rests_on_seeds = max(0.0, between - noise) + weight * min(between, noise)
    if for_claim:
        rests_on_seeds = max(between, noise)
    df = total**2 / (rests_on_seeds**2 / seeds_df + items**2 / groups_df)
    highest = max(groups_df, seeds_df)
    return Estimate(spread.value, float(np.sqrt(total + doubt)), float(np.clip(df, 1, highest)))


def _moderated(spread: Spread, prior: Prior, share: float = 1.0) -> tuple[float, float]:
    """The variance between seeds, drawn towards the family, and its degrees of freedom.

    Args:
        spread: The parts.
        prior: The family.
        share: What part of the family's degrees of freedom counts.
    """
    own_df = spread.n_seeds - 1.0
    if prior.df <= 0 or not np.isfinite(spread.ratio):
        return spread.between, own_df
    pooled_df = max(share * prior.pooled_df, own_df)
    if np.isinf(prior.df):
        return prior.ratio * spread.noise, pooled_df
    df = prior.df + own_df
    ratio = (prior.df * prior.ratio + own_df * spread.ratio) / df
    return ratio * spread.noise, min(df, pooled_df)


def _worth_of_logs(df: int) -> float:
    """What part of their degrees of freedom variances are worth whose logarithms are averaged.

    The logarithm of a variance with few degrees of freedom varies far more than the variance does:
    as much as one of 2 / trigamma(df / 2), 0.4 instead of 1 with two seeds, 1.2 instead of 2 with
    three.
    """
    return float(2 / (df * special.polygamma(1, df / 2)))


def _inverse_trigamma(value: float) -> float:
    """X with trigamma(x) = value > 0, by Newton's method on 1 / trigamma (convex)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x
