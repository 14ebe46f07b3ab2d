"""Which cells of a race go on after a round, and whether it is settled: pure functions of scores.

Cells are compared as the report compares them: by predictions on the same images, with the joint
error of images and seeds. While epochs are compared, what a cell may still gain is added to its
error, so that one that is rising is not judged by its level.

These are decisions, no claims: a dropped cell was unlikely to be chosen, and nothing says that it
is worse. What is proven, the report says of the cells that were trained to their end.

Source:
    Paired elimination of configurations: Maron and Moore, "Hoeffding races", NIPS 1993; rungs at
    shares of the budget, of which a share goes on: Jamieson and Talwalkar, AISTATS 2016. Stopping
    by expected loss: Chick and Inoue, Oper. Res. 2001.
"""

import math
from collections.abc import Mapping, Sequence
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

# What the score of a run may still change by until its end, where only one rung is known, and at
# least, where its last rise is: assumptions (docs/search.md).
_UNKNOWN_RISE_SD = 0.05
_LEAST_RISE_SD = 0.01
_RISE_GOES_ON = 0.5
# Standard deviation between seeds as long as no cell has two of them.
_USUAL_SEED_SD = 0.015
_SEED = 0


@dataclass(frozen=True)
class Stand:
    """A cell after a round.

    Attributes:
        seeds: Its scored runs by seed, on validation.
        rise: By how much the score rose over the last rungs; None where one rung is known, 0 for
            runs that are whole.
        is_whole: Whether its runs have all their epochs.
        cost_s: Seconds of a run; NaN where unknown.
    """

    seeds: Seeds
    rise: float | None
    is_whole: bool
    cost_s: float = math.nan


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
    dropped = _dropped(judged, rules, least=rules.keep_frac if epochs_left else 0.0)
    costs = [stand.cost_s for stand in stands.values()]
    if not np.all(np.isfinite(costs)) or min(costs) <= 0:
        costs = [1.0] * len(names)
    take = names[cheapest_within(losses.tolist(), costs, rules.tolerance, same_cost=SAME_COST)]
    known_seeds = all(len(stand.seeds) > 1 for stand in stands.values())
    settled = (
        not epochs_left
        and (known_seeds or len(names) == 1)
        and judged[take].in_reach >= rules.settled_at
    )
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
        if not stand.is_whole:
            gain, sd = rise_left(stand.rise)
            draws[place] += gain + sd * rng.normal(size=draws.shape[1])
    return draws


def rise_left(rise: float | None) -> tuple[float, float]:
    """What a run is expected to gain until its end, and the standard deviation of that.

    Args:
        rise: By how much its score rose over the last rungs; None where one rung is known.
    """
    if rise is None:
        return 0.0, _UNKNOWN_RISE_SD
    return _RISE_GOES_ON * max(rise, 0.0), max(_RISE_GOES_ON * abs(rise), _LEAST_RISE_SD)


def _dropped(judged: Mapping[str, Judged], rules: RaceSearch, *, least: float) -> dict[str, str]:
    """The cells that go no further, the least likely first; a share of all goes on at least."""
    keep = max(1, math.ceil(least * len(judged)))
    order = sorted(judged, key=lambda name: (judged[name].in_reach, judged[name].score))
    able: Sequence[str] = order[: len(order) - keep]
    return {
        name: (
            f"{100 * judged[name].in_reach:.0f} % likely to lie within "
            f"{100 * rules.tolerance:g} points of the best"
        )
        for name in able
        if judged[name].in_reach < rules.drop_below
    }
