import itertools

import numpy as np
import pytest

from frostline.stats.cell import value_order
from frostline.stats.contrasts import contrasts, line_up
from frostline.stats.effects import interactions, main_effects
from frostline.stats.paired import Scored

GRID = [
    {"backbone": b, "freeze": f, "lr": r}
    for b, f, r in itertools.product("abcd", ("0", "all"), ("1", "2"))
]
FACTORS = ["backbone", "freeze", "lr"]


def _cells(params, truth, *, seeds=3, items=400, taste=0.0, seed_sd=0.0, rng_seed=0, lift=0.0):
    """Runs right with probability `truth(params) + lift` on images that a backbone may like."""
    rng = np.random.default_rng(rng_seed)
    names = np.array([f"{k:04d}" for k in range(items)])
    likes = {p["backbone"]: rng.normal(0, taste, items) for p in params}
    cells = []
    for p in params:
        runs = {}
        for s in range(seeds):
            chance = truth(p) + lift + likes[p["backbone"]] + rng.normal(0, seed_sd)
            right = rng.random(items) < chance
            value = float(right.mean())
            runs[str(s)] = Scored(value, (right - value) / items, right, names, names)
        cells.append(runs)
    return cells


def _found(params, cells, factors, alpha=0.05):
    lineup = line_up(cells, [0.0] * len(cells))
    values = [np.mean([run.value for run in cell.values()]) for cell in cells]
    return (
        main_effects(params, values, factors, alpha, lineup),
        interactions(params, values, factors, alpha, lineup),
    )


def test_depths_sort_as_numbers_then_paths_then_all():
    assert sorted(["all", "10", "layer3.2", "2", "0"], key=value_order) == [
        "0",
        "2",
        "10",
        "layer3.2",
        "all",
    ]


def test_main_effects_are_not_credited_to_each_other_in_an_unbalanced_sweep():
    # freeze=4 adds 2 points and b takes 10; b was run at freeze=4 more often.
    rows = [("a", "0"), ("a", "0"), ("a", "4"), ("b", "0"), ("b", "4"), ("b", "4"), ("b", "4")]
    params = [{"backbone": b, "freeze": f, "lr": str(k)} for k, (b, f) in enumerate(rows)]
    values = [0.9 - 0.10 * (b == "b") + 0.02 * (f == "4") for b, f in rows]
    effects = main_effects(params, values, ["freeze", "backbone"], 0.05, None)
    effect_of = {(e.factor, e.level): e.effect for e in effects}
    assert effect_of["backbone", "a"] == pytest.approx(0.05)
    assert effect_of["freeze", "4"] == pytest.approx(0.01)
    assert [e.factor for e in effects] == ["backbone"] * 2 + ["freeze"] * 2
    assert all(np.isnan([e.low, e.high, e.p]).all() and e.own is None for e in effects)


def test_an_effect_beyond_images_and_seeds_is_found_and_others_are_not():
    effects, pairs = _found(GRID, _cells(GRID, lambda p: 0.8 - 0.1 * (p["freeze"] == "0")), FACTORS)
    assert {e.factor for e in effects if e.low > 0 or e.high < 0} == {"freeze"}
    own = next(e for e in effects if (e.factor, e.level) == ("freeze", "all"))
    assert own.low < 0.05 < own.high
    assert own.p < 0.001
    assert own.n_cells == 8
    assert not any(pair.shown for pair in pairs)


def test_what_a_backbone_likes_in_these_images_is_no_effect_of_the_backbone():
    """Cells taken for independent observations show a false effect in most of these sweeps."""
    false = sum(
        any(
            e.low > 0 or e.high < 0
            for e in _found(
                GRID,
                _cells(GRID, lambda p: 0.6, items=60, taste=0.4, rng_seed=k, seeds=1),
                FACTORS,
            )[0]
        )
        for k in range(60)
    )
    assert false <= 6


def test_an_interaction_is_claimed_with_its_place_and_an_additive_sweep_has_none():
    def crossed(p):
        return 0.7 + 0.2 * (p["backbone"] == "b" and p["freeze"] == "all")

    first = _found(GRID, _cells(GRID, crossed), FACTORS)[1][0]
    assert (first.first, first.second) == ("backbone", "freeze")
    assert first.shown
    assert first.p < 0.001
    assert first.where[0] == "b"
    assert first.off == pytest.approx(0.075 if first.where[1] == "all" else -0.075, abs=0.03)

    def added(p):
        return 0.7 + 0.1 * (p["backbone"] == "b") + 0.1 * (p["freeze"] == "all")

    shown = [
        any(pair.shown for pair in _found(GRID, _cells(GRID, added, rng_seed=k), FACTORS)[1])
        for k in range(20)
    ]
    assert sum(shown) <= 1


def test_two_factors_without_a_repeated_combination_can_act_together():
    params = [p for p in GRID if p["lr"] == "1"]
    cells = _cells(params, lambda p: 0.6 + 0.3 * (p["backbone"] == "c" and p["freeze"] == "0"))
    (pair,) = _found(params, cells, ["backbone", "freeze"])[1]
    assert pair.shown
    assert pair.explained == pytest.approx(1)


def test_noise_of_seeds_widens_effects():
    def width(seed_sd):
        effects, _ = _found(GRID, _cells(GRID, lambda p: 0.7, seed_sd=seed_sd), FACTORS)
        return np.mean([e.high - e.low for e in effects])

    assert width(0.15) > 1.5 * width(0.0)


def test_a_chosen_rate_adds_its_doubt():
    cells = _cells(GRID, lambda p: 0.7)
    weights = np.array([[1, -1] * 8]) / 8
    plain, doubtful = (
        contrasts(line_up(cells, [off] * 16), weights, alpha=0.05)[0].estimate
        for off in (0.0, 0.04)
    )
    assert doubtful.se**2 - plain.se**2 == pytest.approx(16 / 64 * 0.02**2)


def test_the_two_values_of_a_factor_are_one_finding():
    lineup = line_up(_cells(GRID, lambda p: 0.7), [0.0] * 16)
    weights = np.array([[1.0, -1.0] * 8, [-1.0, 1.0] * 8]) / 16
    both, one = (contrasts(lineup, w, alpha=0.05)[0] for w in (weights, weights[:1]))
    assert both.high - both.low == pytest.approx(one.high - one.low, rel=0.01)
    assert both.p == pytest.approx(one.p, abs=0.01)


def test_only_seeds_with_the_same_images_are_compared():
    cells = _cells(GRID[:2], lambda p: 0.7)
    del cells[1]["0"]
    assert line_up(cells, [0.0] * 2).n_seeds == 2
    only = {"0": _cells(GRID[:1], lambda p: 0.7)[0]["0"]}
    assert line_up([cells[1], only], [0.0] * 2) is None
    assert line_up([], []) is None
