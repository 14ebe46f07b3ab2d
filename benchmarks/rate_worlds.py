"""Simulated sweeps in which each configuration has several learning rates, with a known truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from frostline.stats.paired import Scored, Seeds, scored
from frostline.stats.predictions import Predictions

ALIKE, CLEAR, NEAR = (0.0, 0.0, 0.0), (0.0, 0.03, 0.10), (0.0, 0.005, 0.01)
AUTO_ALIKE, AUTO_CLEAR = (0.0, 0.0, 0.0, 0.02, 0.08), (0.0, 0.04, 0.04, 0.10, 0.20)


@dataclass(frozen=True)
class World:
    """One kind of sweep; all effects are independent normals on a probit scale.

    Attributes:
        name: For the table.
        cells: True accuracy of each cell at its best rate, and what its rates lose against that.
        n_seeds: Seeds of each cell.
        auto: Whether rates are chosen early on the first seed, and only the winner is trained on.
        half: Whether only one half of the leaves chooses, for `auto`.
        each_seed: Whether each seed chooses for itself, for `auto`.
        early: Correlation between early and final noise of the same run, for `auto`.
        seed_sd: How much the runs of one cell and rate differ.
        rate_sd: How much the rates of a cell differ in which leaves are hard for them.
        one_split: Whether all seeds share one validation set.
    """

    name: str
    cells: tuple[tuple[float, tuple[float, ...]], ...]
    n_seeds: int = 3
    auto: bool = False
    half: bool = False
    each_seed: bool = False
    early: float = 0.7
    seed_sd: float = 0.08
    rate_sd: float = 0.2
    one_split: bool = False
    n_leaves: int = 60
    photos: int = 3
    n_classes: int = 6
    leaf_sd: float = 0.8
    interaction_sd: float = 0.35


def _mixed(alike: tuple[float, ...], clear: tuple[float, ...], score: float = 0.9) -> tuple:
    return ((score, alike), (score, clear)) * 3


TYPED = (
    World("one best", tuple((s, CLEAR) for s in (0.90, 0.90, 0.89, 0.85, 0.80, 0.70))),
    World("near", tuple((s, NEAR) for s in (0.90, 0.90, 0.89, 0.85, 0.80, 0.70))),
    World("alike", ((0.9, ALIKE),) * 6),
    World("mixed", _mixed(ALIKE, CLEAR)),
    World("mixed, one split", _mixed(ALIKE, CLEAR), one_split=True),
    World("mixed, noisy seeds", _mixed(ALIKE, CLEAR), seed_sd=0.3),
    World("mixed, 5 rates", _mixed((0.0,) * 5, (0.0, 0.03, 0.05, 0.1, 0.2))),
    World("mixed, 1 seed", _mixed(ALIKE, CLEAR), n_seeds=1, seed_sd=0.0),
)
AUTO = (
    World("auto, 3 seeds", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True),
    World("auto, 3 seeds, one split", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True, one_split=True),
    World("auto, 3 seeds, early 0.95", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True, early=0.95),
    World("auto, 3 seeds, half", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True, half=True),
    World("auto, 3 noisy seeds", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True, seed_sd=0.3),
    World("auto, each of 3 seeds", _mixed(AUTO_ALIKE, AUTO_CLEAR), auto=True, each_seed=True),
    World(
        "auto, each of 3 noisy seeds",
        _mixed(AUTO_ALIKE, AUTO_CLEAR),
        auto=True,
        each_seed=True,
        seed_sd=0.3,
    ),
    World("auto, 1 seed", _mixed(AUTO_ALIKE, AUTO_CLEAR), n_seeds=1, auto=True, seed_sd=0.0),
    World(
        "auto, 1 seed, half",
        _mixed(AUTO_ALIKE, AUTO_CLEAR),
        n_seeds=1,
        auto=True,
        half=True,
        seed_sd=0.0,
    ),
)
Rates = Mapping[str, Seeds]


@dataclass(frozen=True)
class Side:
    """The validation images of a seed."""

    leaves: NDArray[np.int64]
    items: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.int64]


def draw(world: World, rng: np.random.Generator, score: str) -> list[tuple[Rates, float, float]]:
    """One sweep: of each cell the runs by rate and seed, and the true score of its chosen rate.

    Where each seed chooses for itself, that is the mean true score of its trained models, which
    differs from sweep to sweep; what all sweeps have on average is that of the configuration.

    The third value is by how much the scores of all its rates are off together: it has mean 0, and
    taken off it makes the measured bias more exact.
    """
    pool = world.n_leaves if world.one_split else 2 * world.n_leaves
    leaf_effect = rng.normal(0, world.leaf_sd, pool)
    sides = [_side(world, pool, rng) for _ in range(world.n_seeds)]
    return [
        _draw_cell(world, best, drops, leaf_effect, sides, rng, score)
        for best, drops in world.cells
    ]


def _side(world: World, pool: int, rng: np.random.Generator) -> Side:
    chosen = np.sort(rng.choice(pool, world.n_leaves, replace=False))
    leaves = np.repeat(chosen, world.photos).astype(np.int64)
    groups = np.char.add("leaf", np.char.zfill(leaves.astype(str), 5))
    photos = np.tile([f"/{k}" for k in range(world.photos)], world.n_leaves)
    return Side(leaves, np.char.add(groups, photos), groups, leaves % world.n_classes)


def _draw_cell(
    world: World,
    best: float,
    drops: Sequence[float],
    leaf_effect: NDArray[np.float64],
    sides: Sequence[Side],
    rng: np.random.Generator,
    score: str,
) -> tuple[Rates, float, float]:
    """One cell: see `draw`."""
    n_rates, n_items = len(drops), len(sides[0].items)
    spread = world.leaf_sd**2 + world.interaction_sd**2 + world.rate_sd**2 + world.seed_sd**2
    truths = best - np.asarray(drops)
    ability = stats.norm.ppf(truths)[:, None] * (1 + spread) ** 0.5
    leaves = leaf_effect + rng.normal(0, world.interaction_sd, len(leaf_effect))
    leaves = ability + leaves + rng.normal(0, world.rate_sd, (n_rates, len(leaf_effect)))
    of_seed = rng.normal(0, world.seed_sd, (n_rates, len(sides), 1))
    luck = of_seed + rng.normal(0, 1, (n_rates, len(sides), n_items))
    rates = {
        str(k): {
            str(s): _scored(leaves[k, side.leaves] + luck[k, s] > 0, side, world, score, rng)
            for s, side in enumerate(sides)
        }
        for k in range(n_rates)
    }
    means = [np.mean([run.value for run in seeds.values()]) for seeds in rates.values()]
    off = float(np.mean(means) - truths.mean())
    if not world.auto:
        return rates, float(truths[int(np.argmax(means))]), off
    choosing = range(len(sides) if world.each_seed else 1)
    picked = [_chosen_early(world, leaves, luck[:, s], sides[s], rng) for s in choosing]
    by_seed = {str(s): picked[s if world.each_seed else 0] for s in range(len(sides))}
    runs = {seed: rates[str(k)][seed] for seed, k in by_seed.items()}
    true = truths[list(by_seed.values())].mean()
    if world.each_seed:
        # A seed that chooses for itself takes the rate that it was lucky with, and keeps that luck.
        own = ability[:, 0, None] + of_seed[..., 0]
        models = stats.norm.cdf(own / (1 + spread - world.seed_sd**2) ** 0.5)
        true = np.mean([models[k, int(seed)] for seed, k in by_seed.items()])
    return {"chosen": runs}, float(true), off


def _chosen_early(
    world: World,
    leaves: NDArray[np.float64],
    luck: NDArray[np.float64],
    side: Side,
    rng: np.random.Generator,
) -> int:
    """The rate with the lowest loss early in its run, whose noise is like that of its end."""
    n_rates, n_items = luck.shape
    again = rng.normal(0, world.seed_sd, (n_rates, 1)) + rng.normal(0, 1, (n_rates, n_items))
    early = world.early * luck + (1 - world.early**2) ** 0.5 * again
    losses = np.logaddexp(0, -1.7 * (leaves[:, side.leaves] + early))
    choose = n_items // 2 if world.half else n_items  # leaves are in random order
    return int(np.argmin(losses[:, :choose].mean(axis=1)))


def _scored(
    right: NDArray[np.bool_], side: Side, world: World, score: str, rng: np.random.Generator
) -> Scored:
    if score == "acc_micro":
        value = float(right.mean())
        return Scored(value, (right - value) / len(right), right, side.items, side.groups)
    wrong = (side.labels + rng.integers(1, world.n_classes, len(right))) % world.n_classes
    probs = np.zeros((len(right), world.n_classes), np.float16)
    probs[np.arange(len(right)), np.where(right, side.labels, wrong)] = 1
    return scored(Predictions(side.items, side.groups, side.labels, probs), score)
