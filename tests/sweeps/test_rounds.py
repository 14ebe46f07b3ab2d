"""Decisions of a race on scores whose truth is known."""

import numpy as np
import pytest

from frostline.config.search_settings import RaceSearch
from frostline.stats.paired import Scored
from frostline.sweeps.rounds import Stand, cheapest_to_drop, decide, gain_sd

RULES = RaceSearch(
    name="race",
    score="acc_micro",
    tolerance=0.01,
    drop_loss=0.01,
    keep_frac=1 / 3,
    settled_at=0.95,
    finish_frac=0.5,
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


def _stands(*accuracies: float, seeds: int = 1, share: float = 1.0):
    return {
        f"cell{k}": Stand({str(s): _run(accuracy, s) for s in range(seeds)}, share, cost_s=10.0 + k)
        for k, accuracy in enumerate(accuracies)
    }


def test_what_lies_far_below_is_dropped_and_what_lies_near_goes_on():
    stands = _stands(0.90, 0.895, 0.60, seeds=2)
    stands["cell1"] = Stand({str(s): _run(0.895, 10 + s) for s in range(2)})  # wrong elsewhere
    decision = decide(stands, RULES, more_seeds=True)
    assert list(decision.dropped) == ["cell2"]
    assert "0 % likely to lie within 1 points of the best" in decision.dropped["cell2"]
    assert decision.judged["cell1"].in_reach > 0.3
    assert decision.judged["cell2"].loss == pytest.approx(0.30, abs=0.03)


def test_while_epochs_are_compared_a_share_goes_on_whatever_the_scores():
    accuracies = (0.95, 0.20, 0.15, 0.10, 0.05, 0.02)
    decision = decide(_stands(*accuracies, share=1 / 3), RULES, more_seeds=True)
    assert set(decision.dropped) == {"cell2", "cell3", "cell4", "cell5"}
    whole = decide(_stands(*accuracies), RULES, more_seeds=False)
    assert set(whole.dropped) == {"cell1", "cell2", "cell3", "cell4", "cell5"}


def test_two_are_left_until_seeds_are_known_to_differ():
    accuracies = (0.95, 0.20, 0.15)
    one = decide(_stands(*accuracies), RULES, more_seeds=True)
    assert set(one.dropped) == {"cell2"}
    two = decide(_stands(*accuracies, seeds=2), RULES, more_seeds=True)
    assert set(two.dropped) == {"cell1", "cell2"}


def test_what_is_not_at_its_end_is_not_judged_by_its_level():
    accuracies = (0.90, 0.82, 0.81)
    early = decide(_stands(*accuracies, share=1 / 9), RULES, more_seeds=False)
    late = decide(_stands(*accuracies, share=8 / 9), RULES, more_seeds=False)
    assert early.dropped == {}
    assert set(late.dropped) == {"cell1", "cell2"}
    assert early.judged["cell1"].in_reach > 0.2 > late.judged["cell1"].in_reach
    assert gain_sd(1 / 9) > gain_sd(2 / 3) > gain_sd(1.0) == 0.0


def test_many_cells_each_unlikely_to_be_the_best_are_not_all_dropped():
    alike = decide(_stands(*([0.8] * 24), share=1 / 9), RULES, more_seeds=False)
    assert max(judged.chance for judged in alike.judged.values()) < 0.1
    assert 0 < len(alike.dropped) < 12


def test_cells_are_dropped_from_the_lowest_on_while_they_cost_little_together():
    rng = np.random.default_rng(0)
    draws = np.array([[0.9], [0.5], [0.7], [0.88]]) + 0.01 * rng.normal(size=(4, 4000))
    assert cheapest_to_drop(draws, 0.01, keep=1) == [1, 2, 3]
    assert cheapest_to_drop(draws, 0.01, keep=2) == [1, 2]
    assert cheapest_to_drop(draws, 0.0, keep=1) == [1, 2]
    without = draws[:1].mean() - draws.max(axis=0).mean()
    assert -0.01 < without < 0
    assert cheapest_to_drop(draws, -without / 2, keep=1) == [1, 2]


def test_the_highest_is_never_dropped_even_where_all_others_are_the_same():
    stands = _stands(*([0.5] * 30), share=1 / 9)
    stands["cell7"] = Stand({"0": _run(0.9, 3)}, 1 / 9)
    assert "cell7" not in decide(stands, RULES, more_seeds=False).dropped


def test_settled_only_with_two_seeds_and_all_epochs():
    assert decide(_stands(0.95, 0.80, seeds=2), RULES, more_seeds=False).settled
    assert not decide(_stands(0.95, 0.80, seeds=1), RULES, more_seeds=False).settled
    assert not decide(_stands(0.95, seeds=1), RULES, more_seeds=False).settled
    assert not decide(_stands(0.95, 0.80, seeds=2, share=0.5), RULES, more_seeds=False).settled
    close = decide(_stands(0.90, 0.89, 0.885, seeds=2), RULES, more_seeds=False)
    assert close.recommended == "cell0"


def test_the_same_scores_give_the_same_decision():
    stands = _stands(0.9, 0.88, 0.7, seeds=2)
    assert decide(stands, RULES, more_seeds=True) == decide(stands, RULES, more_seeds=True)
