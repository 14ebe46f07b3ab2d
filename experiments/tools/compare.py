"""A study's cells against each other on the test images, as its file says beforehand.

What is compared is fixed before anything runs, so the test split may be used for it; the choice of
a configuration is another matter and belongs to validation (src.report).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.tools.recorded_runs import Recorded
from frostline.stats.intervals import Estimate, holm, share_interval
from frostline.stats.paired import Scored, cell_spread, pair_spread, scored
from frostline.stats.scores import value_and_influence
from frostline.stats.variance import Prior, Spread, estimate, learn_prior, spread_of

LEVEL = 0.95
ACCURACY, F1 = "acc_micro", "f1_macro"
Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """A value with its interval; shares of 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One cell minus another.

    Attributes:
        cell: The one.
        against: The other.
        points: Its accuracy minus the other's.
        p_holm: Corrected for all comparisons of the study.
        n_seeds: Seeds that both have.
    """

    cell: str
    against: str
    points: Measured
    p_holm: float
    n_seeds: int

    @property
    def is_told_apart(self) -> bool:
        """Whether the claim holds after correction."""
        return self.p_holm < 1 - LEVEL


def accuracies(
    recorded: Recorded, split: str = "test", score: str = ACCURACY
) -> dict[str, Measured]:
    """A score of each cell that has runs, images and seeds in the interval."""
    spreads = {}
    for label in recorded.study.labels:
        seeds = _scored(recorded, label, split, score)
        if seeds:
            spreads[label] = cell_spread(seeds)
    prior = learn_prior(list(spreads.values()))
    found = {}
    for label, spread in spreads.items():
        low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
        found[label] = Measured(spread.value, low, high)
    return found


def differences(recorded: Recorded, pairs: Mapping[str, str]) -> dict[str, Difference]:
    """The differences that a study asks for, by the cell that is compared.

    Args:
        recorded: The runs.
        pairs: Cell to the cell that it is compared with.
    """
    spreads: dict[str, Spread] = {}
    for cell, against in pairs.items():
        spread = pair_spread(
            _scored(recorded, cell, "test", ACCURACY), _scored(recorded, against, "test", ACCURACY)
        )
        if spread is not None:
            spreads[cell] = spread
    prior = learn_prior(list(spreads.values()))
    claims = [_told(spread, prior, for_claim=True).p_value for spread in spreads.values()]
    adjusted = holm(claims, len(pairs)) if claims else np.zeros(0)
    return {
        cell: Difference(
            cell, pairs[cell], _measured(_told(spread, prior)), float(p), spread.n_seeds
        )
        for (cell, spread), p in zip(spreads.items(), adjusted, strict=True)
    }


def promise_minus_truth(recorded: Recorded, cell: str, against: str) -> Measured | None:
    """How much more a cell's validation promises than its test keeps, beyond what another's does.

    The best epoch is chosen on validation, which flatters both; the rest is the cell's own.

    Returns:
        None if they share no seed.
    """
    parts = {
        (label, split): _scored(recorded, label, split, ACCURACY)
        for label in (cell, against)
        for split in ("val", "test")
    }
    shared = [s for s in parts[cell, "val"] if all(s in seeds for seeds in parts.values())]
    if not shared:
        return None
    signs = {(cell, "val"): 1, (cell, "test"): -1, (against, "val"): -1, (against, "test"): 1}
    values, influences, groups = [], [], []
    for seed in shared:
        runs = [(sign, key, parts[key][seed]) for key, sign in signs.items()]
        values.append(sum(sign * run.value for sign, _, run in runs))
        influences.append(np.concatenate([sign * run.influence for sign, _, run in runs]))
        # Photos of one leaf count as one, whatever the split made of them.
        groups.append(
            np.concatenate([np.char.partition(run.items, "_photo")[:, 0] for *_, run in runs])
        )
    return _measured(_told(spread_of(values, influences, groups), learn_prior([])))


def accuracy_over_f1(recorded: Recorded, cell: str) -> Measured | None:
    """How much higher accuracy reads than macro F1 on the same answers; None without runs."""
    said = list(recorded.predictions(cell, "test").values())
    if not said:
        return None
    values, influences = [], []
    for one in said:
        (accuracy, pull), (f1, other) = (value_and_influence(one, s) for s in (ACCURACY, F1))
        values.append(accuracy - f1)
        influences.append(pull - other)
    spread = spread_of(values, influences, [one.groups for one in said])
    return _measured(_told(spread, learn_prior([])))


def seed_deviation(values: Sequence[float]) -> Measured | None:
    """Standard deviation between seeds with its chi-squared interval; None with fewer than two."""
    if len(values) < 2:
        return None
    sd, df = float(np.std(values, ddof=1)), len(values) - 1
    low, high = (sd * float(np.sqrt(df / stats.chi2.ppf(q, df))) for q in (0.975, 0.025))
    return Measured(sd, low, high)


def _scored(recorded: Recorded, label: str, split: str, score: str) -> dict[str, Scored]:
    said = recorded.predictions(label, split)
    return {seed: scored(one, score) for seed, one in said.items() if len(one.items)}


def _told(spread: Spread, prior: Prior, *, for_claim: bool = False) -> Estimate:
    # Half an image won and half lost, so that no disagreement is not certainty.
    floor = 1 / (spread.n_groups + 2) ** 2
    return estimate(spread, prior, floor=floor, for_claim=for_claim)


def _measured(told: Estimate) -> Measured:
    return Measured(told.value, *told.interval(LEVEL))
