"""Simulated sweeps of backbones that like or dislike the same images, with a known truth.

Right or wrong is drawn on a probit scale: the ability of a configuration, the luck of its seed, how
hard a leaf is for all, for a backbone (its taste, which all its configurations share) and for one
configuration, and a photo's own part. All are independent and normal.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.rate_worlds import AUTO_ALIKE, AUTO_CLEAR
from benchmarks.rate_worlds import World as RateWorld
from benchmarks.rate_worlds import draw as draw_rates
from frostline.stats.paired import Scored, Seeds, scored
from frostline.stats.predictions import Predictions

Floats = NDArray[np.float64]
EIGHT = {"backbone": "ab", "freeze": "02", "augment": "xy"}
TWENTY_FOUR = {"backbone": "abcd", "freeze": "024", "augment": "xy"}


@dataclass(frozen=True)
class PageWorld:
    """One kind of sweep.

    Attributes:
        name: For the table.
        factors: What was swept: parameter to its values, one letter each.
        base: True accuracy of the first configuration.
        steps: By how much it falls with each further value of the first parameter, and of the
            others; 0 where all are equal.
        n_seeds: Seeds of each cell.
        n_leaves: Leaves on the validation side.
        photos: Photos of each leaf.
        n_classes: Classes.
        rare: Images of the first class, where it is rarer than the others.
        score: What is compared; None for the one that was asked for.
        leaf_sd: How much leaves differ in difficulty.
        taste_sd: How much backbones differ in which leaves are hard for them.
        interaction_sd: How much configurations of one backbone do.
        seed_sd: How much the seeds of one cell differ.
        own_splits: Whether each seed draws its own half of twice as many leaves.
        tuned: Whether each cell tunes its rate on its first seed (then without taste).
        spread: Standard deviation of the true accuracies, drawn anew for each sweep, around `base`;
            0 for fixed ones.
    """

    name: str
    factors: Mapping[str, str]
    base: float = 0.9
    steps: tuple[float, float] = (0.0, 0.0)
    n_seeds: int = 3
    n_leaves: int = 60
    photos: int = 3
    n_classes: int = 6
    rare: int = 0
    score: str | None = None
    leaf_sd: float = 0.8
    taste_sd: float = 0.5
    interaction_sd: float = 0.3
    seed_sd: float = 0.08
    own_splits: bool = True
    tuned: bool = False
    spread: float = 0.0

    @property
    def params(self) -> list[dict[str, str]]:
        """Of each cell."""
        return [
            dict(zip(self.factors, values, strict=True))
            for values in itertools.product(*self.factors.values())
        ]

    @property
    def abilities(self) -> list[float]:
        """True accuracy of each cell, a sum of effects."""
        first, *rest = self.factors
        return [
            self.base
            - self.steps[0] * self.factors[first].index(p[first])
            - self.steps[1] * sum(self.factors[key].index(p[key]) for key in rest)
            for p in self.params
        ]


@dataclass(frozen=True)
class Drawn:
    """One sweep.

    Attributes:
        cells: Of each cell its scored runs by seed.
        truth: `(C,)` true accuracies over images and seeds.
        of_models: `(C,)` those of the trained models: means over the drawn seeds.
    """

    cells: Sequence[Seeds]
    truth: Floats
    of_models: Floats


def draw_page(world: PageWorld, rng: np.random.Generator, score: str) -> Drawn:
    """One sweep of a world."""
    if world.tuned:
        return _draw_tuned(world, rng, score)
    truth = np.array(world.abilities)
    if world.spread:
        truth = np.clip(truth + rng.normal(0, world.spread, len(truth)), 0.05, 0.99)
    pool = world.n_leaves * (2 if world.own_splits else 1)
    spread = world.leaf_sd**2 + world.taste_sd**2 + world.interaction_sd**2
    scale = (1 + spread + world.seed_sd**2) ** 0.5
    ability = stats.norm.ppf(truth) * scale
    backbones = [p["backbone"] for p in world.params]
    tastes = {b: rng.normal(0, world.taste_sd, pool) for b in dict.fromkeys(backbones)}
    hard = rng.normal(0, world.leaf_sd, pool) + np.stack([tastes[b] for b in backbones])
    hard = hard + rng.normal(0, world.interaction_sd, (len(truth), pool))
    luck = rng.normal(0, world.seed_sd, (len(truth), world.n_seeds))
    cells: list[dict[str, Scored]] = [{} for _ in truth]
    for seed in range(world.n_seeds):
        side = np.sort(rng.choice(pool, world.n_leaves, replace=False))
        leaves = np.repeat(side, world.photos)
        latent = (ability + luck[:, seed])[:, None] + hard[:, leaves]
        right = latent + rng.normal(0, 1, latent.shape) > 0
        for cell, own in zip(cells, right, strict=True):
            cell[str(seed)] = _run(own, leaves, world, score, rng)
    models = stats.norm.cdf((ability[:, None] + luck) / (1 + spread) ** 0.5).mean(axis=1)
    return Drawn(cells, truth, models)


def _draw_tuned(world: PageWorld, rng: np.random.Generator, score: str) -> Drawn:
    """Cells that chose among five rates by an early loss on their first seed."""
    drops = (AUTO_ALIKE, AUTO_CLEAR)
    rates = RateWorld(
        world.name,
        tuple((ability, drops[k % 2]) for k, ability in enumerate(world.abilities)),
        n_seeds=world.n_seeds,
        auto=True,
        seed_sd=world.seed_sd,
        n_leaves=world.n_leaves,
        photos=world.photos,
    )
    drawn = draw_rates(rates, rng, score)
    truth = np.array([true for _, true, _ in drawn])
    return Drawn([next(iter(by_rate.values())) for by_rate, *_ in drawn], truth, truth)


def _run(
    right: NDArray[np.bool_],
    leaves: NDArray[np.int64],
    world: PageWorld,
    score: str,
    rng: np.random.Generator,
) -> Scored:
    """One run; images and groups are numbers where only their equality counts, which is faster."""
    n_items = len(right)
    items = leaves * world.photos + np.tile(np.arange(world.photos), world.n_leaves)
    if score == "acc_micro":
        value = float(right.mean())
        return Scored(value, (right - value) / n_items, right, items, leaves)  # type: ignore[arg-type]
    labels = leaves % world.n_classes
    if world.rare:  # the first leaves of the side are the rare class, the rest is shared out
        labels = 1 + labels % (world.n_classes - 1)
        labels[: world.rare] = 0
    wrong = (labels + rng.integers(1, world.n_classes, n_items)) % world.n_classes
    probs = np.zeros((n_items, world.n_classes), np.float16)
    probs[np.arange(n_items), np.where(right, labels, wrong)] = 1
    names = np.char.zfill(leaves.astype(str), 5)
    return scored(
        Predictions(np.char.zfill(items.astype(str), 6), names, labels.astype(np.int64), probs),
        score,
    )


ALL_EQUAL = (
    PageWorld("8 cells, taste", EIGHT),
    PageWorld("24 cells, taste", TWENTY_FOUR),
    PageWorld("8 cells, taste, noisy seeds", EIGHT, seed_sd=0.3),
    PageWorld("8 cells, taste, 2 seeds", EIGHT, n_seeds=2),
    PageWorld("8 cells, taste, one split", EIGHT, own_splits=False),
    PageWorld(
        "8 cells, 1 seed, 126 images", EIGHT, n_seeds=1, n_leaves=126, photos=1, seed_sd=0.16
    ),
    PageWorld(
        "8 cells, 1 seed, 1,000 images", EIGHT, n_seeds=1, n_leaves=1000, photos=1, seed_sd=0.16
    ),
    PageWorld("8 cells, 6 groups", EIGHT, n_leaves=6, photos=10, base=0.8),
    PageWorld("8 cells, 6 groups, 1 seed", EIGHT, n_leaves=6, photos=10, base=0.8, n_seeds=1),
    PageWorld(
        "8 cells, a class of 2 images",
        EIGHT,
        n_leaves=126,
        photos=1,
        rare=2,
        score="f1_macro",
        base=0.8,
    ),
    PageWorld(
        "8 cells, a class of 2 images, 1 seed",
        EIGHT,
        n_seeds=1,
        n_leaves=126,
        photos=1,
        rare=2,
        score="f1_macro",
        base=0.8,
    ),
    PageWorld("8 tuned cells", EIGHT, tuned=True),
)
UNEQUAL = (
    PageWorld("8 cells, taste, unequal", EIGHT, steps=(0.05, 0.02)),
    PageWorld("24 cells, taste, unequal", TWENTY_FOUR, steps=(0.04, 0.02)),
    PageWorld(
        "24 cells, 6 groups, unequal", TWENTY_FOUR, steps=(0.05, 0.02), n_leaves=6, photos=10
    ),
)
PAGE_WORLDS = (*ALL_EQUAL, *UNEQUAL)
LOOKS_WORLD = PageWorld("8 equal cells", EIGHT, n_seeds=11)


def first_seeds(drawn: Drawn, n_seeds: int) -> Drawn:
    """The same sweep before more seeds were added."""
    kept = [str(seed) for seed in range(n_seeds)]
    return replace(drawn, cells=[{s: cell[s] for s in kept} for cell in drawn.cells])
