"""Compare the cells of a study on the test images, as its file specifies in advance.

The comparisons are fixed before anything runs, so they may use the test split. Choosing a
configuration is a different matter and uses validation (src.report).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.tools.recorded_runs import Recorded
from frostline.stats.intervals import Estimate, holm, share_interval
from frostline.stats.paired import Scored, cell_spread, pair_spread, scored
from frostline.stats.predictions import value_and_influence
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
        cell: The compared cell.
        against: The cell that it is compared with.
        points: Accuracy of `cell` minus that of `against`.
        p_holm: p-value, corrected for all comparisons of the study.
        n_seeds: Number of seeds that both have.
    """

    cell: str
    against: str
    points: Measured
    p_holm: float
    n_seeds: int

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant after correction."""
        return self.p_holm < 1 - LEVEL


def accuracies(
    recorded: Recorded, split: str = "test", score: str = ACCURACY
) -> dict[str, Measured]:
    """Estimate a score of each cell that has runs; the interval is over images and seeds."""
    spreads = {}
    for label in recorded.study.labels:
        seeds = _scored(recorded, label, split, score)
        if seeds:
            spreads[label] = cell_spread(seeds)
    prior = learn_prior(list(spreads.values()))
    intervals = {}
    for label, spread in spreads.items():
        low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
        intervals[label] = Measured(spread.value, low, high)
    return intervals


def differences(recorded: Recorded, pairs: Mapping[str, str]) -> dict[str, Difference]:
    """Estimate the differences that a study asks for, by the compared cell.

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
    claims = [_estimated(spread, prior, for_claim=True).p_value for spread in spreads.values()]
    adjusted = holm(claims, len(pairs)) if claims else np.zeros(0)
    return {
        cell: Difference(
            cell, pairs[cell], _measured(_estimated(spread, prior)), float(p), spread.n_seeds
        )
        for (cell, spread), p in zip(spreads.items(), adjusted, strict=True)
    }


def excess_optimism(recorded: Recorded, cell: str, against: str) -> Measured | None:
    """Estimate validation minus test accuracy of a cell, less the same of another cell.

    The best epoch is chosen on validation, which biases both cells alike; the difference between
    them is left.

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
        # Photos of one leaf count as one, even if the split separated them.
        groups.append(
            np.concatenate([np.char.partition(run.items, "_photo")[:, 0] for *_, run in runs])
        )
    return _measured(_estimated(spread_of(values, influences, groups), learn_prior([])))


def accuracy_over_f1(recorded: Recorded, cell: str) -> Measured | None:
    """Estimate accuracy minus macro F1 of the same predictions; None without runs."""
    seeds = list(recorded.predictions(cell, "test").values())
    if not seeds:
        return None
    values, influences = [], []
    for one in seeds:
        (accuracy, of_accuracy), (f1, of_f1) = (value_and_influence(one, s) for s in (ACCURACY, F1))
        values.append(accuracy - f1)
        influences.append(of_accuracy - of_f1)
    spread = spread_of(values, influences, [one.groups for one in seeds])
    return _measured(_estimated(spread, learn_prior([])))


def seed_deviation(values: Sequence[float]) -> Measured | None:
    """Estimate the deviation between seeds with a chi-squared interval; None below two seeds."""
    if len(values) < 2:
        return None
    sd, df = float(np.std(values, ddof=1)), len(values) - 1
    low, high = (sd * float(np.sqrt(df / stats.chi2.ppf(q, df))) for q in (0.975, 0.025))
    return Measured(sd, low, high)


def _scored(recorded: Recorded, label: str, split: str, score: str) -> dict[str, Scored]:
    by_seed = recorded.predictions(label, split)
    return {seed: scored(one, score) for seed, one in by_seed.items() if len(one.items)}


def _estimated(spread: Spread, prior: Prior, *, for_claim: bool = False) -> Estimate:
    # As if half an image had changed each way: without disagreement the error is not zero.
    floor = 1 / (spread.n_groups + 2) ** 2
    return estimate(spread, prior, floor=floor, for_claim=for_claim)


def _measured(estimated: Estimate) -> Measured:
    return Measured(estimated.value, *estimated.interval(LEVEL))
