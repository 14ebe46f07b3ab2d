"""The test figure's interval: what few seeds add is taken from all cells on validation."""

from frostline.reporting.cell_predictions import held_out_result, verdict_on
from frostline.reporting.select import select
from frostline.stats.intervals import share_interval
from frostline.stats.paired import cell_spread, scored
from frostline.stats.rules import Rules
from frostline.stats.variance import NO_PRIOR, estimate

RULES = Rules("acc_micro", 0.95, 0.005, 40)


def _result(sweeps, n_cells):
    cells = [({"freeze": str(k)}, 0.85, 1.0, 1) for k in range(n_cells)]
    records, source = sweeps.make(cells, seeds=2, n_leaves=60)
    verdict = verdict_on(select(records, RULES.metric), source, RULES)
    runs = verdict.recommended.cell.run_ids
    test = {seed: scored(source.held[run, "test"], "acc_micro") for seed, run in runs.items()}
    spread = cell_spread(test)
    return held_out_result(verdict, source).interval, spread


def test_two_seeds_borrow_from_all_cells_on_validation(sweeps):
    (low, high), spread = _result(sweeps, 8)
    alone = share_interval(estimate(spread, NO_PRIOR), 0.95, spread.n_groups)
    assert high - low < alone[1] - alone[0]
    assert high - low < 0.25


def test_a_lone_cell_has_nobody_to_borrow_from(sweeps):
    interval, spread = _result(sweeps, 1)
    assert interval == share_interval(estimate(spread, NO_PRIOR), 0.95, spread.n_groups)


def _sentence(sweeps, test_accuracy):
    records, source = sweeps.make([({"freeze": "0"}, 0.85, 1.0, 1)] * 1, seeds=2, n_leaves=60)
    for run in records:
        other = sweeps.predictions(
            test_accuracy, seed=0, split="test", effect_seed=[0, int(run.params["seed"])]
        )
        source.held[run.run_id, "test"] = other
        run.metrics["test/acc_micro"] = float(other.correct.mean())
    verdict = verdict_on(select(records, RULES.metric), source, RULES)
    return held_out_result(verdict, source).sentence


def test_a_test_score_far_below_validation_is_named_with_its_likely_causes(sweeps):
    sentence = _sentence(sweeps, 0.40)
    assert "points below validation, more than other images explain" in sentence
    assert "the test images are of another kind" in sentence


def test_one_within_its_error_is_not(sweeps):
    assert "below validation" not in _sentence(sweeps, 0.85)
    assert "below validation" not in _sentence(sweeps, 0.95)
