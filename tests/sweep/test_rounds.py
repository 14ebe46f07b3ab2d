"""Decisions of a race on scores whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from frostline.config.search_settings import RaceSearch
from frostline.stats.paired import Scored
from frostline.sweep.rounds import Stand, decide, rise_left

RULES = RaceSearch(
    name="race",
    score="acc_micro",
    tolerance=0.01,
    drop_below=0.05,
    keep_frac=1 / 3,
    settled_at=0.95,
    rungs=[1 / 9, 1 / 3],
)
N = 400


def _run(accuracy: float, seed: int) -> Scored:
    """A run that is right on this share of N images, the hard ones wrong first."""
    hard = np.random.default_rng([seed, 7]).permutation(N)
    right = np.ones(N, dtype=bool)
    right[hard[: round((1 - accuracy) * N)]] = False
    items = np.array([f"{k:04d}" for k in range(N)])
    value = float(right.mean())
    return Scored(value, (right - value) / N, right, items, items)


def _stands(*accuracies: float, seeds: int = 1, rise: float | None = 0.0, is_whole: bool = True):
    return {
        f"cell{k}": Stand(
            {str(s): _run(accuracy, s) for s in range(seeds)}, rise, is_whole, cost_s=10.0 + k
        )
        for k, accuracy in enumerate(accuracies)
    }


def test_what_lies_far_below_is_dropped_and_what_lies_near_goes_on():
    decision = decide(_stands(0.90, 0.895, 0.60, seeds=2), RULES, more_seeds=True)
    assert list(decision.dropped) == ["cell2"]
    assert "0 % likely to lie within 1 points of the best" in decision.dropped["cell2"]
    assert decision.judged["cell1"].in_reach > 0.3
    assert decision.judged["cell2"].loss == pytest.approx(0.30, abs=0.03)


def test_while_epochs_are_compared_a_share_goes_on_whatever_the_scores():
    stands = _stands(0.95, 0.20, 0.15, 0.10, 0.05, 0.02, is_whole=False)
    decision = decide(stands, RULES, more_seeds=True)
    assert set(decision.dropped) == {"cell2", "cell3", "cell4", "cell5"}
    whole = decide(_stands(0.95, 0.20, 0.15, 0.10, 0.05, 0.02), RULES, more_seeds=True)
    assert set(whole.dropped) == {"cell1", "cell2", "cell3", "cell4", "cell5"}


def test_a_cell_that_rises_is_not_judged_by_its_level():
    stands = _stands(0.90, 0.75, 0.74, is_whole=False, rise=0.005)
    still = decide(stands, RULES, more_seeds=False)
    assert "cell1" in still.dropped or "cell2" in still.dropped
    rising = decide(
        stands | {"cell1": replace(stands["cell1"], rise=0.25)}, RULES, more_seeds=False
    )
    assert "cell1" not in rising.dropped
    assert rising.judged["cell1"].in_reach > still.judged["cell1"].in_reach


def test_a_first_rung_is_less_certain_than_a_later_one():
    assert rise_left(None)[1] > rise_left(0.02)[1]
    assert rise_left(-0.1)[0] == 0.0


def test_settled_only_with_two_seeds_and_all_epochs():
    assert decide(_stands(0.95, 0.80, seeds=2), RULES, more_seeds=False).settled
    assert not decide(_stands(0.95, 0.80, seeds=1), RULES, more_seeds=False).settled
    assert not decide(_stands(0.95, 0.80, seeds=2, is_whole=False), RULES, more_seeds=False).settled
    close = decide(_stands(0.90, 0.89, 0.885, seeds=2), RULES, more_seeds=False)
    assert close.recommended == "cell0"


def test_the_same_scores_give_the_same_decision():
    stands = _stands(0.9, 0.88, 0.7, seeds=2)
    assert decide(stands, RULES, more_seeds=True) == decide(stands, RULES, more_seeds=True)
