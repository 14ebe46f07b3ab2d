"""Check the report where each configuration takes the best of several learning rates.

python -m benchmarks.simulate_rates [--sweeps 1000] [--score acc_micro]

Two kinds of sweeps with a known truth: several typed rates, all trained to the end, of which the
report takes the best; and lr=auto, where each configuration chooses on the first seed by an early
validation loss. Prints, for each way to judge the chosen rate: what the choice loses against the
best rate, the bias of a configuration's score and of a difference (configurations whose rates are
alike minus those with one clear best), how often 95 % intervals contain the truth, and false
claims. The truth is that of the chosen rate.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.rate_worlds import AUTO, TYPED, Rates, World, draw
from benchmarks.simulate import EQUIVALENCE, LEVEL
from frostline.stats.intervals import share_interval
from frostline.stats.paired import (
    Scored,
    Seeds,
    cell_spread,
    compare_with_top,
    family_pairs,
)
from frostline.stats.rate_choice import choice_doubt, choose_rate
from frostline.stats.rules import SCORES
from frostline.stats.variance import estimate, learn_prior


def best_of(rates: Rates) -> str:
    """The rate with the highest mean."""
    return max(rates, key=lambda rate: np.mean([run.value for run in rates[rate].values()]))


def plain(rates: Rates) -> Seeds:
    """The best by its mean, judged by the same figures."""
    return rates[best_of(rates)]


def crossed(*, over_seeds: bool) -> Callable[[Rates], Seeds]:
    """Chosen on one half of the groups (by the other seeds, too), judged on the other."""

    def way(rates: Rates) -> Seeds:
        return choose_rate(rates, best_of(rates), over_seeds=over_seeds).seeds

    return way


def bootstrap(rates: Rates, repeats: int = 100) -> Seeds:
    """Judged by the same figures, less the optimism of choosing in resampled groups and seeds."""
    rng = np.random.default_rng(0)
    names, seeds = list(rates), list(next(iter(rates.values())))
    first = rates[names[0]]
    groups, flat = np.unique(np.concatenate([first[s].groups for s in seeds]), return_inverse=True)
    rows = np.split(flat, np.cumsum([len(first[s].items) for s in seeds])[:-1])
    pulls = np.array(
        [
            [
                np.bincount(r, rates[n][s].influence, len(groups))
                for s, r in zip(seeds, rows, strict=True)
            ]
            for n in names
        ]
    )
    values = np.array([[rates[n][s].value for s in seeds] for n in names])
    optimism = []
    for _ in range(repeats):
        weights = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)))
        drawn = np.stack([rng.integers(0, len(seeds), len(seeds)) for _ in names])
        again = np.take_along_axis(values + pulls @ (weights - 1), drawn, axis=1).mean(axis=1)
        best = int(again.argmax())
        optimism.append(again[best] - values[best].mean())
    chosen = plain(rates)
    off = float(np.mean(optimism))
    return {s: _moved(run, -off) for s, run in chosen.items()}


def later_seeds(rates: Rates) -> Seeds:
    """The runs of all seeds but the first, on which was chosen."""
    (seeds,) = rates.values()
    return {s: run for s, run in seeds.items() if s != "0"} or seeds


WAYS: dict[str, Callable[[Rates], Seeds]] = {
    "plain": plain,
    "halves": crossed(over_seeds=False),
    "halves, other seeds": crossed(over_seeds=True),
    "bootstrap": bootstrap,
}
AUTO_WAYS: dict[str, Callable[[Rates], Seeds]] = {"plain": plain, "later seeds": later_seeds}


@dataclass
class Tally:
    """What one way of judging gives in one world, over all sweeps."""

    lost: list[float]
    bias: list[float]
    difference_bias: list[float]
    cells: list[bool]
    differences: list[bool]
    false_claims: list[bool]
    found: list[bool]
    widths: list[float]

    def line(self) -> str:
        se = np.std(self.difference_bias) / max(len(self.difference_bias), 1) ** 0.5
        found = f"{np.mean(self.found):5.0%}" if self.found else "    –"
        return (
            f"{100 * np.mean(self.lost):4.2f}  {100 * np.mean(self.bias):+5.2f}  "
            f"{100 * np.mean(self.difference_bias):+5.2f} ({100 * se:.2f})  "
            f"{np.mean(self.cells):5.1%}  {np.mean(self.differences):5.1%}  "
            f"{np.mean(self.false_claims):5.1%}  {found}  {100 * np.median(self.widths):5.1f}"
        )


def simulate(
    world: World,
    ways: Mapping[str, Callable[[Rates], Seeds]],
    *,
    sweeps: int,
    score: str,
    seed: int,
) -> dict[str, Tally]:
    """Judge the same sweeps in several ways."""
    rng = np.random.default_rng(seed)
    tallies = {name: Tally([], [], [], [], [], [], [], []) for name in ways}
    drawn = [draw(world, rng, score) for _ in range(sweeps)]
    usual = np.mean([[true for _, true, _ in cells] for cells in drawn], axis=0)
    for cells in drawn:
        truth = {f"cell{k}": true for k, (_, true, _) in enumerate(cells)}
        if world.each_seed:
            truth = {f"cell{k}": float(true) for k, true in enumerate(usual)}
        common = [off for *_, off in cells]
        for name, way in ways.items():
            runs = {f"cell{k}": way(rates) for k, (rates, *_) in enumerate(cells)}
            off = {
                f"cell{k}": _taken_off(rates, runs[f"cell{k}"])
                for k, (rates, *_) in enumerate(cells)
            }
            _count(tallies[name], world, runs, truth, common, off)
    return tallies


def _count(
    tally: Tally,
    world: World,
    runs: Mapping[str, Seeds],
    truth: Mapping[str, float],
    common: Sequence[float],
    taken_off: Mapping[str, float],
) -> None:
    means = {
        name: float(np.mean([r.value for r in seeds.values()])) for name, seeds in runs.items()
    }
    off = np.array([means[name] - truth[name] for name in runs]) - common
    tally.lost += [best - true for (best, _), true in zip(world.cells, truth.values(), strict=True)]
    tally.bias.append(float(off.mean()))
    if len({drops for _, drops in world.cells}) > 1:
        tally.difference_bias.append(float(off[::2].mean() - off[1::2].mean()))
    spreads = {name: cell_spread(seeds) for name, seeds in runs.items()}
    prior = learn_prior(list(spreads.values()))
    for name, spread in spreads.items():
        low, high = share_interval(
            estimate(spread, prior, doubt=choice_doubt(taken_off[name])), LEVEL, spread.n_groups
        )
        tally.cells.append(low <= truth[name] <= high)
    first, *rest = runs
    for claim in _claims(runs, first, len(rest), taken_off):
        low, high = claim.interval
        tally.differences.append(low <= truth[claim.name] - truth[first] <= high)
        tally.widths.append(high - low)
    top = max(means, key=lambda name: means[name])
    claims = _claims(runs, top, family_pairs(len(runs)), taken_off)
    worse = {claim.name for claim in claims if claim.relation == "worse"}
    tally.false_claims.append(any(truth[name] >= truth[top] for name in worse))
    tally.found += [name in worse for name in truth if truth[name] <= max(truth.values()) - 0.05]


def _claims(
    runs: Mapping[str, Seeds], top: str, family_size: int, off: Mapping[str, float]
) -> list:
    return compare_with_top(
        runs[top],
        {name: seeds for name, seeds in runs.items() if name != top},
        family_size=family_size,
        level=LEVEL,
        equivalence=EQUIVALENCE,
        is_accuracy=False,
        doubts={name: choice_doubt(off[top], off[name]) for name in runs},
    )


def _taken_off(rates: Rates, judged: Seeds) -> float:
    """By how much the chosen rate's mean was lowered; 0 where only some of its runs judge."""
    best = rates[best_of(rates)]
    if len(best) != len(judged):
        return 0.0
    return float(np.mean([best[s].value - run.value for s, run in judged.items()]))


def _moved(run: Scored, by: float) -> Scored:
    return Scored(run.value + by, run.influence, run.correct, run.items, run.groups)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--score", choices=SCORES, default="acc_micro")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="worlds whose name contains this")
    given = parser.parse_args()
    print(f"{given.sweeps} sweeps of each kind, {given.score}, level {LEVEL:.0%}; points")
    columns = "lost  bias  of difference  cells  diff.  false  found  width"
    print(f"{'world':26} {'judged by':20} {columns}")
    for worlds, ways in ((TYPED, WAYS), (AUTO, AUTO_WAYS)):
        for world in worlds:
            if given.only in world.name:
                got = simulate(world, ways, sweeps=given.sweeps, score=given.score, seed=given.seed)
                for name, tally in got.items():
                    print(f"{world.name:26} {name:20} {tally.line()}", flush=True)


if __name__ == "__main__":
    main()
