"""Which cells of a race go on after a round, and whether it is settled: pure functions of scores.

Cells are compared as the report compares them: by predictions on the same images, with the joint
error of images and seeds. While epochs are compared, what a cell may still gain is added to its
error, so that none is judged by its level alone. A round drops the cells that are expected to cost
least together: with many cells each is unlikely to be the best, and yet one of them is.

These are decisions, no claims: a dropped cell was unlikely to be chosen, and nothing says that it
is worse. What is proven, the report says of the cells that were trained to their end.

Source:
    Paired elimination of configurations: Maron and Moore, "Hoeffding races", NIPS 1993; rungs at
    shares of the budget, of which a share goes on: Jamieson and Talwalkar, AISTATS 2016. Stopping
    by expected loss: Chick and Inoue, Oper. Res. 2001.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.config.search_settings import RaceSearch
from frostline.stats.expected_loss import (
    chance_best,
    cheapest_within,
    expected_loss,
    posterior_draws,
)
from frostline.stats.joint_error import joint_error
from frostline.stats.judged_cell import SAME_COST
from frostline.stats.paired import Seeds

# Standard deviation of what runs gain from the beginning of their schedule to its end, beside what
# all of them gain. Measured (docs/search.md), as is that it falls with the epochs that are left.
_GAIN_SD = 0.10
# Standard deviation between seeds as long as no cell has two of them.
_USUAL_SEED_SD = 0.015
# At their end cells are dropped for a smaller loss: what is left is to be distinguished by seeds.
_LOSS_AT_END = 0.1
_SEED = 0


@dataclass(frozen=True)
class Stand:
    """A cell after a round.

    Attributes:
        seeds: Its scored runs by seed, on validation.
        share: Of their epochs that its runs have behind them, at most 1.
        cost_s: Seconds of a run; NaN where unknown.
    """

    seeds: Seeds
    share: float = 1.0
    cost_s: float = math.nan

    @property
    def is_whole(self) -> bool:
        """Whether its runs have all their epochs."""
        return self.share >= 1


@dataclass(frozen=True)
class Judged:
    """What a round says of a cell.

    Attributes:
        score: Its mean on validation.
        chance: Of being the best.
        in_reach: Chance that it lies no more than the tolerance below the best.
        loss: Expected loss.
    """

    score: float
    chance: float
    in_reach: float
    loss: float


@dataclass(frozen=True)
class Decision:
    """What follows from a round.

    Attributes:
        judged: Cell to what is known of it.
        dropped: Cell to the reason.
        recommended: The cheapest of about the smallest expected loss.
        settled: Whether the recommended cell is in reach of the best, as surely as was asked for.
    """

    judged: Mapping[str, Judged]
    dropped: Mapping[str, str]
    recommended: str
    settled: bool


def decide(stands: Mapping[str, Stand], rules: RaceSearch, *, more_seeds: bool) -> Decision:
    """Judge the cells of a round.

    Args:
        stands: Cell to how it stands, C of them, each with a score.
        rules: Of the race.
        more_seeds: Whether further seeds are to come, of which nothing is known yet.
    """
    names = list(stands)
    draws = _draws(stands, more_seeds=more_seeds)
    best = draws.max(axis=0)
    reach = (draws >= best - rules.tolerance).mean(axis=1)
    chances, losses = chance_best(draws), expected_loss(draws)
    judged = {
        name: Judged(
            float(np.mean([run.value for run in stands[name].seeds.values()])),
            float(chances[place]),
            float(reach[place]),
            float(losses[place]),
        )
        for place, name in enumerate(names)
    }
    epochs_left = any(not stand.is_whole for stand in stands.values())
    known_seeds = all(len(stand.seeds) > 1 for stand in stands.values())
    # One cell alone says nothing of seeds: two are compared as long as none is known to differ.
    keep = max(
        2 if more_seeds and not known_seeds else 1,
        math.ceil(rules.keep_frac * len(names)) if epochs_left else 1,
    )
    loss = rules.drop_loss * (1.0 if epochs_left else _LOSS_AT_END)
    highest = max(names, key=lambda name: judged[name].score)
    dropped = {
        names[place]: (
            f"{100 * reach[place]:.0f} % likely to lie within {100 * rules.tolerance:g} points of "
            "the best"
        )
        for place in cheapest_to_drop(draws, loss, keep=keep)
        # Where many cells predict the very same, the one that does not is taken for luck.
        if names[place] != highest
    }
    costs = [stand.cost_s for stand in stands.values()]
    if not np.all(np.isfinite(costs)) or min(costs) <= 0:
        costs = [1.0] * len(names)
    take = names[cheapest_within(losses.tolist(), costs, rules.tolerance, same_cost=SAME_COST)]
    settled = not epochs_left and known_seeds and judged[take].in_reach >= rules.settled_at
    return Decision(judged, dropped, take, settled)


def _draws(stands: Mapping[str, Stand], *, more_seeds: bool) -> NDArray[np.float64]:
    """Likely scores of the cells at their end, `(C, D)`."""
    error = joint_error({name: stand.seeds for name, stand in stands.items()}, {})
    covariance = error.covariance
    if more_seeds and not error.knows_seeds:
        covariance = covariance + np.eye(len(stands)) * _USUAL_SEED_SD**2
    draws = posterior_draws(error.means, covariance)
    rng = np.random.default_rng(_SEED)
    for place, stand in enumerate(stands.values()):
        draws[place] += gain_sd(stand.share) * rng.normal(size=draws.shape[1])
    return draws


def gain_sd(share: float) -> float:
    """Standard deviation of what a run still gains, as far as runs differ in it.

    Args:
        share: Of its epochs that it has behind it.
    """
    return _GAIN_SD * (1 - share)


def cheapest_to_drop(draws: NDArray[np.float64], most: float, *, keep: int) -> list[int]:
    """The places of cells that can go while the best of the others is about as good.

    Args:
        draws: `(C, D)` likely scores.
        most: By how much, on average over the draws, the best of all may exceed the best of those
            that are kept.
        keep: How many are kept at least.

    Returns:
        Places, the lowest mean first; so none is dropped before one that is expected to be worse.
    """
    order = np.argsort(draws.mean(axis=1), kind="stable")
    # The best of what is kept if the first k in the order are dropped, for each k.
    best = np.maximum.accumulate(draws[order[::-1]], axis=0)[::-1].mean(axis=1)
    able = np.flatnonzero(best[0] - best <= most)
    count = max(0, min(int(able.max()), len(order) - keep))
    return [int(place) for place in order[:count]]
