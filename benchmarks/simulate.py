"""Check the report's intervals and claims on simulated sweeps with a known truth.

python -m benchmarks.simulate [--sweeps 1000] [--score acc_micro]

Prints, for each kind of sweep, how often the 95 % intervals of cells and of differences contain the
truth, and in how many sweeps at least one "better" is claimed that is not true.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from frostline.stats.intervals import share_interval
from frostline.stats.paired import (
    Scored,
    cell_spread,
    compare_with_top,
    family_pairs,
    scored,
)
from frostline.stats.predictions import Predictions
from frostline.stats.rules import SCORES
from frostline.stats.variance import estimate, learn_prior

LEVEL = 0.95
EQUIVALENCE = 0.005


@dataclass(frozen=True)
class Scenario:
    """One kind of simulated sweep; all effects are independent normals on a probit scale.

    Attributes:
        name: For the table.
        cells: True accuracies of the cells.
        n_seeds: Seeds of each cell.
        n_leaves: Leaves on the validation side.
        photos: Photos of each leaf.
        n_classes: Classes, equally frequent.
        leaf_sd: How much leaves differ in difficulty.
        interaction_sd: How much cells differ in which leaves are hard for them.
        seed_sd: How much the seeds of one cell differ.
        one_split: Whether all seeds share one validation set; else each draws its own half of
            twice as many leaves.
    """

    name: str
    cells: tuple[float, ...]
    n_seeds: int
    n_leaves: int = 60
    photos: int = 3
    n_classes: int = 6
    leaf_sd: float = 0.8
    interaction_sd: float = 0.4
    seed_sd: float = 0.08
    one_split: bool = False


MIXED = (0.90, 0.90, 0.89, 0.85, 0.80, 0.70)
EQUAL = (0.90,) * 6
SCENARIOS = (
    Scenario("3 seeds, own splits", MIXED, 3),
    Scenario("3 seeds, one split", MIXED, 3, one_split=True),
    Scenario("3 seeds, own splits, all equal", EQUAL, 3),
    Scenario("3 seeds, one split, all equal", EQUAL, 3, one_split=True),
    Scenario("3 seeds, noisy seeds", MIXED, 3, seed_sd=0.3),
    Scenario("3 seeds, noisy seeds, all equal", EQUAL, 3, seed_sd=0.3),
    Scenario("3 seeds, very noisy seeds, 3 equal cells", EQUAL[:3], 3, seed_sd=0.5, one_split=True),
    Scenario("5 seeds, own splits, 12 equal cells", (0.90,) * 12, 5),
    Scenario("3 seeds, noisy seeds, 2 equal cells", EQUAL[:2], 3, seed_sd=0.3, one_split=True),
    Scenario("2 seeds, own splits, 12 equal cells", (0.90,) * 12, 2),
    Scenario("2 seeds, noisy seeds, 2 equal cells", EQUAL[:2], 2, seed_sd=0.3, one_split=True),
    Scenario("2 seeds, noisy seeds, 30 equal cells", (0.90,) * 30, 2, seed_sd=0.3, one_split=True),
    Scenario("3 seeds, 400 leaves, 97 %", (0.97, 0.97, 0.965, 0.95), 3, n_leaves=400, photos=1),
    Scenario(
        "1 seed, single photos, no seed effect", MIXED, 1, n_leaves=150, photos=1, seed_sd=0.0
    ),
)


@dataclass(frozen=True)
class Outcome:
    """Shares over all simulated sweeps of one scenario.

    Attributes:
        cells: Intervals of cells that contain the truth.
        differences: Intervals of differences that contain the truth.
        false_claims: Sweeps with at least one untrue "better".
        found: Truly worse cells (by 5 points or more) that are called worse.
        width: Median width of the differences' intervals.
    """

    cells: float
    differences: float
    false_claims: float
    found: float
    width: float


def draw_sweep(scenario: Scenario, rng: np.random.Generator) -> dict[str, dict[str, Predictions]]:
    """One sweep's predictions, by cell and seed."""
    pool = scenario.n_leaves if scenario.one_split else 2 * scenario.n_leaves
    total_sd = (1 + scenario.leaf_sd**2 + scenario.interaction_sd**2 + scenario.seed_sd**2) ** 0.5
    leaf_effect = rng.normal(0, scenario.leaf_sd, pool)
    classes = np.arange(pool) % scenario.n_classes
    sides = [
        np.sort(rng.choice(pool, scenario.n_leaves, replace=False)) for _ in range(scenario.n_seeds)
    ]
    names = np.array([f"leaf{k:05d}" for k in range(pool)])
    sweep: dict[str, dict[str, Predictions]] = {}
    for cell, truth in enumerate(scenario.cells):
        ability = stats.norm.ppf(truth) * total_sd
        interaction = rng.normal(0, scenario.interaction_sd, pool)
        sweep[f"cell{cell}"] = {}
        for seed, side in enumerate(sides):
            leaves = np.repeat(side, scenario.photos)
            latent = (
                ability
                + rng.normal(0, scenario.seed_sd)
                + leaf_effect[leaves]
                + interaction[leaves]
            )
            right = latent + rng.normal(0, 1, len(leaves)) > 0
            labels = classes[leaves]
            wrong = (labels + rng.integers(1, scenario.n_classes, len(labels))) % scenario.n_classes
            sweep[f"cell{cell}"][str(seed)] = _predictions(
                names[leaves], labels, np.where(right, labels, wrong), scenario
            )
    return sweep


def simulate(scenario: Scenario, *, sweeps: int, score: str, seed: int) -> Outcome:
    """Measure coverage and claims over many sweeps."""
    rng = np.random.default_rng(seed)
    cells, differences, false_claims, found, widths = [], [], [], [], []
    truth = {f"cell{k}": value for k, value in enumerate(scenario.cells)}
    for _ in range(sweeps):
        runs = {
            name: {s: scored(p, score) for s, p in seeds.items()}
            for name, seeds in draw_sweep(scenario, rng).items()
        }
        cells += list(_cells_covered(runs, truth))
        for low, high, true in _difference_intervals(runs, truth):
            differences.append(low <= true <= high)
            widths.append(high - low)
        means = {name: np.mean([r.value for r in seeds.values()]) for name, seeds in runs.items()}
        top = max(means, key=lambda name: means[name])
        claims = compare_with_top(
            runs[top],
            {name: seeds for name, seeds in runs.items() if name != top},
            family_size=family_pairs(len(runs)),
            level=LEVEL,
            equivalence=EQUIVALENCE,
            is_accuracy=score == "acc_micro",
        )
        worse = {claim.name for claim in claims if claim.relation == "worse"}
        false_claims.append(any(truth[name] >= truth[top] for name in worse))
        found += [name in worse for name in truth if truth[name] <= max(truth.values()) - 0.05]
    return Outcome(
        float(np.mean(cells)),
        float(np.mean(differences)),
        float(np.mean(false_claims)),
        float(np.mean(found)) if found else float("nan"),
        float(np.median(widths)),
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--score", choices=SCORES, default="acc_micro")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{given.sweeps} sweeps of each kind, {given.score}, level {LEVEL:.0%}")
    print(f"{'scenario':40} cells  differences  false claims  found  width (points)")
    for scenario in SCENARIOS:
        got = simulate(scenario, sweeps=given.sweeps, score=given.score, seed=given.seed)
        print(
            f"{scenario.name:40} {got.cells:5.1%}  {got.differences:11.1%}"
            f"  {got.false_claims:12.1%}  {got.found:5.0%}  {100 * got.width:5.1f}",
            flush=True,
        )


def _cells_covered(runs: dict[str, dict[str, Scored]], truth: dict[str, float]) -> Iterator[bool]:
    spreads = {name: cell_spread(seeds) for name, seeds in runs.items()}
    prior = learn_prior(list(spreads.values()))
    for name, spread in spreads.items():
        low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
        yield low <= truth[name] <= high


def _difference_intervals(
    runs: dict[str, dict[str, Scored]], truth: dict[str, float]
) -> Iterator[tuple[float, float, float]]:
    """Each cell against the first, which is fixed before the figures are drawn."""
    first, *rest = runs
    claims = compare_with_top(
        runs[first],
        {name: runs[name] for name in rest},
        family_size=len(rest),
        level=LEVEL,
        equivalence=EQUIVALENCE,
        is_accuracy=False,
    )
    for claim in claims:
        yield *claim.interval, truth[claim.name] - truth[first]


def _predictions(
    leaves: NDArray[np.str_],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    scenario: Scenario,
) -> Predictions:
    n_items = len(labels)
    items = np.array([f"{leaf}/{k:05d}" for k, leaf in enumerate(leaves)])
    probs = np.zeros((n_items, scenario.n_classes), np.float16)
    probs[np.arange(n_items), predicted] = 1
    return Predictions(items, leaves, labels.astype(np.int64), probs)


if __name__ == "__main__":
    main()
