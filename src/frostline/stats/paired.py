"""Cells against each other on the same images: differences, intervals, corrected claims."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stats.intervals import Estimate, Relation, holm, mcnemar, relation
from frostline.stats.predictions import (
    MACRO_SCORES,
    Predictions,
    groups_of_classes,
    value_and_influence,
)
from frostline.stats.variance import Prior, Spread, estimate, learn_prior, spread_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """One run on one split: the score, what each item adds to it, and which items those are.

    Attributes:
        value: The score.
        influence: `(N,)`, see `value_and_influence`.
        correct: `(N,)` bool.
        items: `(N,)`, sorted.
        groups: `(N,)`.
        classes: Groups of each labelled class, where the score is a mean over classes; else empty.
        overlap: n_val / n_train where the runs of its cell are folds, see `frostline.stats.folds`.
    """

    value: float
    influence: Floats
    correct: NDArray[np.bool_]
    items: NDArray[np.str_]
    groups: NDArray[np.str_]
    classes: Mapping[int, frozenset[str]] = field(default_factory=dict)
    overlap: float = 0.0


Seeds = Mapping[str, Scored]  # by seed


@dataclass(frozen=True)
class Comparison:
    """One cell minus the top cell, over the seeds that both have.

    Attributes:
        name: The other cell.
        difference: Its score minus the top's.
        interval: At the given level, for this comparison alone.
        p: Two-sided p-value of this comparison alone.
        p_holm: Corrected for all pairs of cells of the sweep.
        relation: Of the other cell to the top: `worse`, `alike`, `open` or (never by choice of the
            top, but possible on shared seeds) `better`; always `open` where they share one seed.
        spread: The variance parts.
        n_items: Images compared, counted once for each seed.
        only_top: Images that only the top gets right, over all seeds.
        only_other: Images that only the other gets right.
        exact: Whether `p` is McNemar's (one seed, accuracy, no groups).
    """

    name: str
    difference: Estimate
    interval: tuple[float, float]
    p: float
    p_holm: float
    relation: Relation
    spread: Spread
    n_items: int
    only_top: int
    only_other: int
    exact: bool

    @property
    def is_of_models(self) -> bool:
        """Whether it compares two trained models, on other images, and no configurations."""
        return self.spread.n_seeds < 2


def scored(predictions: Predictions, score: str, overlap: float = 0.0) -> Scored:
    """Score a run and keep what comparisons need."""
    value, influence = value_and_influence(predictions, score)
    return Scored(
        value,
        influence,
        predictions.correct,
        predictions.items,
        predictions.groups,
        groups_of_classes(predictions) if score in MACRO_SCORES else {},
        overlap,
    )


def cell_spread(seeds: Seeds) -> Spread:
    """The variance parts of a cell's mean over seeds."""
    runs = list(seeds.values())
    return spread_of(
        [r.value for r in runs],
        [r.influence for r in runs],
        [r.groups for r in runs],
        mean_overlap(runs),
    )


def mean_overlap(runs: Iterable[Scored]) -> float:
    """Mean n_val / n_train of runs that are folds; 0 of others."""
    return float(np.mean([run.overlap for run in runs]))


def pair_spread(cell: Seeds, top: Seeds) -> Spread | None:
    """The variance parts of a difference, seed by seed on the same images.

    Returns:
        None if they share no seed with the same images.
    """
    shared = shared_seeds(cell, top)
    if not shared:
        return None
    return spread_of(
        [cell[s].value - top[s].value for s in shared],
        [cell[s].influence - top[s].influence for s in shared],
        [cell[s].groups for s in shared],
        max(mean_overlap(cell[s] for s in shared), mean_overlap(top[s] for s in shared)),
    )


def shared_seeds(cell: Seeds, top: Seeds) -> list[str]:
    """Seeds that both cells have, on the same images."""
    return [s for s in cell if s in top and np.array_equal(cell[s].items, top[s].items)]


def compare_with_top(
    top: Seeds,
    others: Mapping[str, Seeds],
    *,
    family_size: int,
    level: float,
    equivalence: float,
    is_accuracy: bool,
    doubts: Mapping[str, float] | None = None,
    alpha: float | None = None,
) -> list[Comparison]:
    """Compare cells with the cell that has the highest score.

    The top was found by looking at the same figures, so a claim about it could have been made
    about any pair: Holm's correction counts *all pairs* of cells, not only those with the top.

    One shared seed says nothing about other seeds, and equal configurations differ by theirs: then
    the figures hold for the two trained models, and nothing is claimed.

    Args:
        top: The runs of the top cell, by seed.
        others: Name to runs of the others; those that share no seed are left out.
        family_size: Number of pairs among all cells of the sweep.
        level: Of the intervals, such as 0.95.
        equivalence: Differences up to this do not matter, units of the score.
        is_accuracy: Whether the score is plain accuracy, so that McNemar's test applies.
        doubts: Name to a variance that is added to that of its difference: see `choice_doubt`.
        alpha: How often claims may be false, see `frostline.stats.looks`; None for 1 - level.
    """
    alpha = 1 - level if alpha is None else alpha
    spreads = {name: pair_spread(cell, top) for name, cell in others.items()}
    prior = learn_prior([spread for spread in spreads.values() if spread is not None])
    # That one is for intervals; claims reach further into the tail.
    claim_prior = seed_prior([top, *others.values()])
    rows = [
        (name, spread, _floor(spread, others[name]), _disagreements(others[name], top))
        for name, spread in spreads.items()
        if spread is not None
    ]
    exact = [is_accuracy and _is_plain(others[name], top) for name, *_ in rows]
    added = doubts or {}
    p_values = [
        mcnemar(only_top, only_other)
        if is_exact
        else estimate(
            spread, claim_prior, floor=floor, doubt=added.get(name, 0.0), for_claim=True
        ).p_value
        for (name, spread, floor, (_, only_top, only_other)), is_exact in zip(
            rows, exact, strict=True
        )
    ]
    adjusted = holm(p_values, max(family_size, len(rows)))
    results = []
    for (name, spread, floor, counts), p, p_holm, is_exact in zip(
        rows, p_values, adjusted, exact, strict=True
    ):
        difference = estimate(spread, prior, floor=floor, doubt=added.get(name, 0.0))
        interval = difference.interval(level)
        standing = relation(interval, equivalence)
        if spread.n_seeds < 2 or (standing in {"better", "worse"} and p_holm >= alpha):
            standing = "open"
        results.append(
            Comparison(
                name, difference, interval, p, float(p_holm), standing, spread, *counts, is_exact
            )
        )
    return results


def seed_prior(cells: Sequence[Seeds]) -> Prior:
    """How much seeds add to differences, learned from differences that have no run in common.

    Differences from one top all contain the luck of the top's own seeds: two or three are often
    alike by chance, and then all differences look surer than they are, together. So each cell is
    taken minus the mean of the cells before it (Helmert's contrasts), which are independent of each
    other, and whose ratio of seeds' variance to images' is that of a pair.

    Args:
        cells: Scored runs by seed, in any order. Runs on other images than the first run of their
            seed are left out.
    """
    sums: dict[str, Scored] = {}  # by seed, over the cells before
    counts: Counter[str] = Counter()
    spreads = []
    for cell in cells:
        able = {
            s: run
            for s, run in cell.items()
            if s not in sums or np.array_equal(sums[s].items, run.items)
        }
        apart = {s: _plus(run, sums[s], -1 / counts[s]) for s, run in able.items() if s in sums}
        if apart:
            spreads.append(cell_spread(apart))
        sums |= {s: _plus(run, sums[s]) if s in sums else run for s, run in able.items()}
        counts.update(able.keys())
    return learn_prior(spreads)


def _plus(run: Scored, other: Scored, weight: float = 1.0) -> Scored:
    """The score and influences of a run plus those of another on the same images."""
    value, influence = run.value + weight * other.value, run.influence + weight * other.influence
    return replace(run, value=value, influence=influence)


def family_pairs(n_cells: int) -> int:
    """Number of pairs among n cells."""
    return n_cells * (n_cells - 1) // 2


def _floor(spread: Spread, cell: Seeds) -> float:
    """Variance of half an image won and half lost, so that few disagreements are not certainty.

    Without any disagreement it is a whole group either way: then there is no estimate of how alike
    photos of one leaf are.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched
    proportions", Stat. Med. 2005 (the variance's part of it).
    """
    n_items = len(np.unique(np.concatenate([run.items for run in cell.values()])))
    return 1 / (n_items + 2) ** 2 if spread.items > 0 else 2 / (spread.n_groups + 2) ** 2


def _disagreements(cell: Seeds, top: Seeds) -> tuple[int, int, int]:
    shared = shared_seeds(cell, top)
    n_items = sum(len(cell[s].items) for s in shared)
    only_top = sum(int((top[s].correct & ~cell[s].correct).sum()) for s in shared)
    only_other = sum(int((cell[s].correct & ~top[s].correct).sum()) for s in shared)
    return n_items, only_top, only_other


def _is_plain(cell: Seeds, top: Seeds) -> bool:
    """One shared seed, and every image is its own group."""
    shared: Sequence[str] = shared_seeds(cell, top)
    if len(shared) != 1:
        return False
    groups = cell[shared[0]].groups
    return len(np.unique(groups)) == len(groups)
