import numpy as np
import pytest

from frostline.stats.cell import value_order
from frostline.stats.effects import interactions, main_effects


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
    effects = main_effects(params, values, ["freeze", "backbone"], 0.95)
    effect_of = {(e.factor, e.level): e.effect for e in effects}
    assert effect_of["backbone", "a"] == pytest.approx(0.05)
    assert effect_of["freeze", "4"] == pytest.approx(0.01)
    assert [e.factor for e in effects] == ["backbone"] * 2 + ["freeze"] * 2


def test_an_interaction_is_found_and_an_additive_sweep_has_none():
    grid = [(a, b, c) for a in "01" for b in "01" for c in "012"]
    params = [{"x": a, "y": b, "z": c} for a, b, c in grid]
    noise = np.random.default_rng(0).normal(0, 1e-3, len(grid))
    crossed = [0.1 * (a == b) + n for (a, b, _), n in zip(grid, noise, strict=True)]
    first = interactions(params, crossed, ["x", "y", "z"])[0]
    assert (first.first, first.second) == ("x", "y")
    assert first.explained > 0.99
    assert first.p < 1e-6
    additive = [0.1 * int(a) + n for (a, _, _), n in zip(grid, noise, strict=True)]
    assert all(one.p > 0.01 for one in interactions(params, additive, ["x", "y", "z"]))
