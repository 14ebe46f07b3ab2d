"""Check the report's intervals and claims for folds, on classifiers that are really trained.

python -m benchmarks.simulate_folds [--sweeps 100] [--write]

Folds of one data set share training images, so nothing may be drawn from a model of effects: each
simulated sweep draws leaves with photos and trains least-squares classifiers on the folds. The
truth of a configuration is its mean accuracy over other data sets of as many images. Compared are
what the report does, the naive way that takes folds for seeds, and t intervals over the folds'
scores without and with the correction of Nadeau and Bengio.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.docs_tables import write_between
from frostline.data.stratify import assign_groups
from frostline.stats.folds import overlap_of, run_key
from frostline.stats.intervals import Estimate, share_interval
from frostline.stats.paired import (
    Comparison,
    Scored,
    Seeds,
    cell_spread,
    compare_with_top,
    family_pairs,
    scored,
)
from frostline.stats.predictions import Predictions
from frostline.stats.variance import estimate, learn_prior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL = 0.95
EQUIVALENCE = 0.005
N_CLASSES = 4
PHOTOS = 2
WAYS = ("the report", "folds as seeds", "t over folds", "t, Nadeau and Bengio")
_TRUTH_DATA_SETS = 400
_TRUTH_LEAVES = 500


@dataclass(frozen=True)
class World:
    """One kind of simulated sweep.

    Attributes:
        name: For the table.
        signals: How far apart each configuration sees the classes; equal ones are equal in truth.
        folds: k.
        repeats: Splits into folds, each judged by another seed.
        n_leaves: Leaves in the data set, two photos each.
        n_features: Features of a configuration: many beside few images make training a gamble.
        resampled: Whether each training draws its images with replacement: luck of its own, as
            of a seed.
    """

    name: str
    signals: tuple[float, ...]
    folds: int = 5
    repeats: int = 1
    n_leaves: int = 120
    n_features: int = 12
    resampled: bool = False

    @property
    def n_train(self) -> int:
        """Leaves on which a fold trains."""
        return round(self.n_leaves * (self.folds - 2) / self.folds)


EQUAL = (1.1,) * 6
MIXED = (1.1, 1.1, 1.05, 0.95, 0.8, 0.6)
WORLDS = (
    World("5 folds, all equal", EQUAL),
    World("5 folds, mixed", MIXED),
    World("5 folds, 3 equal", EQUAL[:3]),
    World("5 folds, all equal, unstable training", EQUAL, n_features=40),
    World("5 folds, all equal, unstable training with luck", EQUAL, n_features=40, resampled=True),
    World("5 folds, all equal, 400 leaves", EQUAL, n_leaves=400),
    World("3 folds, all equal", EQUAL, folds=3),
    World("10 folds, all equal", EQUAL, folds=10),
    World("5 folds of 3 seeds, all equal", EQUAL, repeats=3),
)


@dataclass(frozen=True)
class Leaves:
    """A drawn data set: labels and leaves `(N,)`, features of each configuration `(C, N, F)`."""

    labels: Ints
    leaves: Ints
    features: Floats


def draw(world: World, n_leaves: int, rng: np.random.Generator) -> Leaves:
    """Draw leaves; a leaf is hard for all configurations in part, and for each in its own way."""
    labels_of = np.arange(n_leaves) % N_CLASSES
    leaves = np.repeat(np.arange(n_leaves), PHOTOS)
    labels = labels_of[leaves]
    means = np.eye(N_CLASSES, world.n_features)
    shared = rng.normal(0, 0.35, (n_leaves, world.n_features))
    seen = []
    for signal in world.signals:
        own = rng.normal(0, 0.25, (n_leaves, world.n_features))
        noise = rng.normal(0, 0.35, (len(leaves), world.n_features))
        seen.append(signal * means[labels] + (shared + own)[leaves] + noise)
    return Leaves(labels, leaves, np.stack(seen))


def trained(features: Floats, labels: Ints, world: World, rng: np.random.Generator) -> Floats:
    """Weights `(F + 1, K)` of a least-squares classifier."""
    if world.resampled:
        rows = rng.integers(0, len(labels), len(labels))
        features, labels = features[rows], labels[rows]
    inputs = np.hstack([features, np.ones((len(features), 1))])
    penalty = 1e-3 * np.eye(inputs.shape[1])
    return np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ np.eye(N_CLASSES)[labels])


def outputs(features: Floats, weights: Floats) -> Floats:
    """Scores of the classes, `(N, K)`."""
    return np.asarray(features @ weights[:-1] + weights[-1], dtype=np.float64)


def draw_sweep(world: World, rng: np.random.Generator) -> dict[str, dict[str, Predictions]]:
    """Out-of-fold predictions of one sweep, by configuration and fold, from real trainings."""
    data = draw(world, world.n_leaves, rng)
    names = np.array([f"leaf{leaf:05d}" for leaf in data.leaves])
    items = np.array([f"{name}-{row:05d}" for row, name in enumerate(names)])
    classes = tuple(str(k) for k in range(N_CLASSES))
    sweep: dict[str, dict[str, Predictions]] = {f"c{k}": {} for k in range(len(world.signals))}
    for seed in range(world.repeats):
        shares = np.full(world.folds, 1 / world.folds)
        split = int(rng.integers(2**31))
        part = assign_groups(data.labels, names, shares, seed=split, classes=classes)
        for fold in range(world.folds):
            val = part == (fold + 1) % world.folds
            train = ~val & (part != fold)
            for cell, features in enumerate(data.features):
                weights = trained(features[train], data.labels[train], world, rng)
                probs = np.eye(N_CLASSES)[outputs(features[val], weights).argmax(axis=1)]
                sweep[f"c{cell}"][run_key(str(seed), str(fold))] = Predictions(
                    items[val], names[val], data.labels[val], probs.astype(np.float16)
                )
    return sweep


def truths(world: World, rng: np.random.Generator) -> dict[str, float]:
    """Mean accuracy of each configuration over other data sets; equal signals share theirs."""
    by_signal: dict[float, list[float]] = {}
    for _ in range(_TRUTH_DATA_SETS):
        train, test = draw(world, world.n_train, rng), draw(world, _TRUTH_LEAVES, rng)
        for cell, signal in enumerate(world.signals):
            weights = trained(train.features[cell], train.labels, world, rng)
            right = outputs(test.features[cell], weights).argmax(axis=1) == test.labels
            by_signal.setdefault(signal, []).append(float(right.mean()))
    return {f"c{k}": float(np.mean(by_signal[s])) for k, s in enumerate(world.signals)}


@dataclass
class Tally:
    """What one way did: lists over sweeps, to be averaged."""

    cells: list[bool]
    differences: list[bool]
    false_claims: list[bool]
    found: list[bool]
    widths: list[float]


def judge(runs: Mapping[str, Seeds], truth: Mapping[str, float], tally: Tally) -> None:
    """Count what the report's functions say of one sweep."""
    spreads = {name: cell_spread(seeds) for name, seeds in runs.items()}
    prior = learn_prior(list(spreads.values()))
    for name, spread in spreads.items():
        low, high = share_interval(estimate(spread, prior), LEVEL, spread.n_groups)
        tally.cells.append(low <= truth[name] <= high)
    first = next(iter(runs))
    for claim in _compared(runs, first):
        low, high = claim.interval
        tally.differences.append(low <= truth[claim.name] - truth[first] <= high)
        tally.widths.append(high - low)
    top = max(spreads, key=lambda name: spreads[name].value)
    worse = {claim.name for claim in _compared(runs, top) if claim.relation == "worse"}
    _claims(worse, top, truth, tally)


def judge_by_t(
    runs: Mapping[str, Seeds], truth: Mapping[str, float], tally: Tally, overlap: float
) -> None:
    """Count what t intervals over the folds' scores say, corrected for all pairs by Bonferroni."""
    values = {name: np.array([r.value for r in seeds.values()]) for name, seeds in runs.items()}
    for name, own in values.items():
        low, high = _t_interval(own, LEVEL, overlap)
        tally.cells.append(low <= truth[name] <= high)
    first, *rest = values
    for name in rest:
        low, high = _t_interval(values[name] - values[first], LEVEL, overlap)
        tally.differences.append(low <= truth[name] - truth[first] <= high)
        tally.widths.append(high - low)
    top = max(values, key=lambda name: float(values[name].mean()))
    level = 1 - (1 - LEVEL) / family_pairs(len(values))
    worse = {
        name
        for name in values
        if name != top and _t_interval(values[name] - values[top], level, overlap)[1] < 0
    }
    _claims(worse, top, truth, tally)


def _t_interval(values: Floats, level: float, overlap: float) -> tuple[float, float]:
    n = len(values)
    se = float(np.std(values, ddof=1)) * (1 / n + overlap) ** 0.5
    return Estimate(float(values.mean()), se, n - 1).interval(level)


def _claims(worse: set[str], top: str, truth: Mapping[str, float], tally: Tally) -> None:
    tally.false_claims.append(any(truth[name] >= truth[top] for name in worse))
    best = max(truth.values())
    tally.found += [name in worse for name in truth if truth[name] <= best - 0.05]


def _compared(runs: Mapping[str, Seeds], top: str) -> list[Comparison]:
    return compare_with_top(
        runs[top],
        {name: seeds for name, seeds in runs.items() if name != top},
        family_size=family_pairs(len(runs)),
        level=LEVEL,
        equivalence=EQUIVALENCE,
        is_accuracy=True,
    )


def simulate(world: World, *, sweeps: int, seed: int) -> dict[str, Tally]:
    """All ways on the same sweeps."""
    truth = truths(world, np.random.default_rng([seed, 1]))
    rng = np.random.default_rng(seed)
    tallies = {way: Tally([], [], [], [], []) for way in WAYS}
    overlap = overlap_of(world.folds)
    for _ in range(sweeps):
        sweep = draw_sweep(world, rng)
        with_overlap, without = _scored(sweep, overlap), _scored(sweep, 0.0)
        judge(with_overlap, truth, tallies[WAYS[0]])
        judge(without, truth, tallies[WAYS[1]])
        judge_by_t(without, truth, tallies[WAYS[2]], 0.0)
        judge_by_t(without, truth, tallies[WAYS[3]], overlap)
    return tallies


def _scored(
    sweep: Mapping[str, Mapping[str, Predictions]], overlap: float
) -> dict[str, dict[str, Scored]]:
    return {
        name: {key: scored(one, "acc_micro", overlap) for key, one in runs.items()}
        for name, runs in sweep.items()
    }


def table(sweeps: int, worlds: Sequence[World] = WORLDS) -> list[str]:
    """The lines of the table."""
    lines = [
        f"{sweeps} sweeps of each kind, micro accuracy.",
        "",
        "| kind of sweep | way | cells | differences | false claims | found | width, points |",
        "|---|---|---|---|---|---|---|",
    ]
    for world in worlds:
        for way, got in simulate(world, sweeps=sweeps, seed=0).items():
            found = f"{np.mean(got.found):.0%}".replace("%", " %") if got.found else "–"
            cells, differences, claims = (
                f"{100 * np.mean(one):.1f} %"
                for one in (got.cells, got.differences, got.false_claims)
            )
            lines.append(
                f"| {world.name} | {way} | {cells} | {differences} | {claims} | {found} | "
                f"{100 * np.median(got.widths):.1f} |"
            )
        print("\n".join(lines[-len(WAYS) :]), flush=True)
    return lines


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="into docs/report.md")
    options = parser.parse_args()
    lines = table(options.sweeps)
    if options.write:
        write_between("simulate_folds", lines)


if __name__ == "__main__":
    main()
