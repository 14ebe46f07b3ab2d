"""The score of a cell whose best rate was taken from several, without the luck of that choice.

The highest of several noisy scores is too high on average: the images that judge the rate have
chosen it. So the groups are halved at random; on each half a rate is chosen, by all seeds, and
judged by the other half. Both directions, and many halvings, are averaged. What a single trained
run owes to its seed stays in the score, as both halves see it.

Scores of halves come from influences: the score on a half is about the whole score plus the mean
influence of its items. Where every half chooses the same rate, the result is exactly its score.

Source:
    Varma and Simon, "Bias in error estimation when using cross-validation for model selection", BMC
    Bioinformatics 2006; Chernozhukov et al., Econom. J. 2018 (halves, swapped and averaged).
    Compared with other ways by benchmarks.simulate_rates: docs/report.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stats.paired import Seeds

Floats = NDArray[np.float64]
REPEATS = 50
_DOUBT = 0.5  # chosen by benchmarks.simulate_rates, so that intervals hold the truth in 93 to 97 %
_SEED = 0


@dataclass(frozen=True)
class RateChoice:
    """The score of a cell at its chosen rate.

    Attributes:
        seeds: Its runs; their scores are lower by `optimism`.
        optimism: By how much the chosen rate's plain mean is higher than what it is worth.
        shares: Rate to the share of images that judged it.
    """

    seeds: Seeds
    optimism: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class _Table:
    """Scores by rate and seed, and what each group adds to them.

    Attributes:
        values: `(K, S)`.
        pulls: `(K, S, G)` sums of influences.
        counts: `(S, G)` share of the seed's items.
    """

    values: Floats
    pulls: Floats
    counts: Floats


def choose_rate(
    rates: Mapping[str, Seeds],
    chosen: str,
    *,
    over_seeds: bool = False,
    repeats: int = REPEATS,
) -> RateChoice:
    """Score the best of several rates by images that did not choose it.

    The spread is that of the chosen rate's own runs: the cross-fitted scores look surer than they
    are, as means over several rates.

    Args:
        rates: Rate to its runs by seed; all have the same seeds, on the same images.
        chosen: The rate with the highest mean.
        over_seeds: Whether the seed that judges takes no part in choosing, where there are several.
        repeats: Halvings.
    """
    names = list(rates)
    seeds = list(rates[chosen])
    table = _table(rates, names, seeds)
    judged = _judging(table, repeats, over_seeds)
    parts = judged * (table.values[:, :, None] * table.counts + table.pulls)
    worth = float(parts.sum(axis=(0, 2)).mean())
    optimism = float(table.values[names.index(chosen)].mean()) - worth
    runs = {s: replace(run, value=run.value - optimism) for s, run in rates[chosen].items()}
    shares = (judged * table.counts).sum(axis=2).mean(axis=1)
    return RateChoice(runs, optimism, dict(zip(names, shares.tolist(), strict=True)))


def choice_doubt(*optimism: float) -> float:
    """The variance that the choice of rates adds to a score, or to a difference of two.

    What was taken off is itself an estimate; half of it is taken as its standard error.
    """
    return _DOUBT**2 * sum(one**2 for one in optimism)


def _judging(table: _Table, repeats: int, over_seeds: bool) -> Floats:
    """How often each rate judges each seed's items of each group, `(K, S, G)`, shares of 1."""
    n_rates, n_seeds = table.values.shape
    n_groups = table.counts.shape[1]
    rng = np.random.default_rng(_SEED)
    half = np.stack([2 * rng.permutation(n_groups) < n_groups for _ in range(repeats)])
    judged = np.zeros((n_rates, n_seeds, n_groups))
    for judges in (half.astype(np.float64), 1.0 - half):
        chooses = 1 - judges
        share = np.maximum(chooses @ table.counts.T, 1e-12)
        scores = table.values + np.einsum("rg,ksg->rks", chooses, table.pulls) / share[:, None]
        total = np.repeat(scores.sum(axis=2, keepdims=True), n_seeds, axis=2)
        by_rate = total - scores if over_seeds and n_seeds > 1 else total
        chosen = by_rate.argmax(axis=1)[:, None] == np.arange(n_rates)[:, None]
        judged += np.einsum("rks,rg->ksg", chosen.astype(np.float64), judges)
    return judged / repeats


def _table(rates: Mapping[str, Seeds], names: Sequence[str], seeds: Sequence[str]) -> _Table:
    first = rates[names[0]]
    groups, flat = np.unique(
        np.concatenate([first[seed].groups for seed in seeds]), return_inverse=True
    )
    ends = np.cumsum([len(first[seed].items) for seed in seeds])[:-1]
    rows = [part.astype(np.int64) for part in np.split(flat, ends)]
    n_groups = len(groups)
    counts = np.stack([np.bincount(r, minlength=n_groups) / len(r) for r in rows])
    pulls = np.stack(
        [
            [
                np.bincount(r, rates[name][seed].influence, minlength=n_groups)
                for seed, r in zip(seeds, rows, strict=True)
            ]
            for name in names
        ]
    )
    values = np.array([[rates[name][seed].value for seed in seeds] for name in names])
    return _Table(values, pulls.astype(np.float64), counts)
