"""The page's interval of the highest configuration knows that it was picked."""

import numpy as np

from frostline.stats.cell import Cell
from frostline.stats.intervals import share_interval
from frostline.stats.paired import Scored
from frostline.stats.rules import Rules
from frostline.stats.variance import estimate, learn_prior
from frostline.stats.verdict import reach_verdict

RULES = Rules(score="acc_micro")


def _verdict(truths, rng_seed=0):
    rng = np.random.default_rng(rng_seed)
    names = np.array([f"{k:03d}" for k in range(200)])
    cells, by_cell = [], {}
    for k, truth in enumerate(truths):
        runs = {}
        for seed in "012":
            right = rng.random(200) < truth
            value = float(right.mean())
            runs[seed] = Scored(value, (right - value) / 200, right, names, names)
        metrics = {s: {RULES.metric: run.value, "time/train_s": 1.0} for s, run in runs.items()}
        cells.append(Cell(f"c{k}", {}, {}, {s: f"{k}{s}" for s in runs}, metrics))
        by_cell[f"c{k}"] = runs
    return reach_verdict(cells, by_cell, RULES)


def _plain(verdict, row):
    prior = learn_prior([one.spread for one in verdict.rows])
    return share_interval(estimate(row.spread, prior), 0.95, row.spread.n_groups)


def test_the_highest_of_equals_reaches_further_down_and_others_do_not():
    verdict = _verdict([0.8] * 8)
    low, high = verdict.top.interval
    plain_low, plain_high = _plain(verdict, verdict.top)
    assert low < plain_low - 0.005
    assert high < plain_high + 0.005
    assert verdict.rows[1].interval == _plain(verdict, verdict.rows[1])


def test_a_clear_winner_keeps_its_interval():
    verdict = _verdict([0.9] + [0.4] * 5)
    assert np.allclose(verdict.top.interval, _plain(verdict, verdict.top), atol=0.003)
