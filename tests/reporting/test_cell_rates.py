"""A rate that was tuned belongs to its cell; a typed one makes cells."""

import csv
import json

import pytest

from frostline.reporting.cell_rates import cell_rate, with_tuned_as_auto
from frostline.reporting.cell_settings import with_unlogged_settings
from frostline.reporting.report_folder import write_folder
from frostline.reporting.select import select
from frostline.stats.rules import Rules

METRIC = "val_best/f1_macro"
CELLS = [
    ({"backbone": "net", "freeze": "2", "lr": "0.0005"}, 0.9, 10.0, 1),
    ({"backbone": "net", "freeze": "4", "lr": "0.0016"}, 0.9, 10.0, 1),
]


def _tagged(sweeps, run, tags, params=None, metrics=None):
    return sweeps.replace(
        run,
        tags={**run.tags, **tags},
        params={**run.params, **(params or {})},
        metrics={**run.metrics, **(metrics or {})},
    )


def _tuned(sweeps, records, also=None):
    """The same runs as a sweep with lr=auto leaves them."""
    return [
        _tagged(
            sweeps,
            run,
            {
                "lr_from": "tuned",
                "frostline.tuned": json.dumps({"lr": float(run.params["lr"]), **(also or {})}),
            },
        )
        for run in records
    ]


def _rates(records):
    selection = select(records, METRIC)
    runs = {run.run_id: run for run in selection.runs}
    return selection, {cell.name: cell_rate(cell, runs) for cell in selection.cells}


def test_tuned_rates_that_differ_by_depth_are_not_swept(sweeps):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    assert select(records, METRIC).swept == ("freeze", "lr")
    selection, rates = _rates(with_tuned_as_auto(_tuned(sweeps, records)))
    assert selection.swept == ("freeze",)
    assert list(rates) == ["net freeze=2", "net freeze=4"]
    assert [(rate.value, rate.origin) for rate in rates.values()] == [
        (0.0005, "tuned"),
        (0.0016, "tuned"),
    ]


def test_seeds_that_chose_other_rates_are_one_cell(sweeps):
    records, _ = sweeps.make(CELLS[:1], n_leaves=10, seeds=2)
    records[1] = _tagged(sweeps, records[1], {}, {"lr": "0.005"})
    selection, rates = _rates(with_tuned_as_auto(_tuned(sweeps, records)))
    (cell,) = selection.cells
    assert list(cell.run_ids) == ["0", "1"]
    assert rates[cell.name].value == "0.0005 to 0.005"


def test_typed_beside_tuned_are_two_cells(sweeps):
    records, _ = sweeps.make([CELLS[0], CELLS[0]], n_leaves=10, seeds=2)
    mixed = [*records[:2], *_tuned(sweeps, records[2:])]
    rates = _rates(with_tuned_as_auto(mixed))[1]
    assert sorted(rates) == ["net freeze=2 lr=0.0005", "net freeze=2 lr=auto"]
    assert rates["net freeze=2 lr=auto"].origin == "tuned"
    assert rates["net freeze=2 lr=0.0005"].origin == "typed"


def test_further_tuned_keys_make_no_cells(sweeps):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    also = {"optimizer.weight_decay": 0.01}
    selection, rates = _rates(with_tuned_as_auto(_tuned(sweeps, records, also)))
    assert selection.swept == ("freeze",)
    assert rates["net freeze=2"].also == {"optimizer.weight_decay": "0.01"}


def test_how_a_value_was_looked_for_makes_no_cells(sweeps):
    a, source = sweeps.make(CELLS[:1], n_leaves=10, seeds=1, tag="a")
    b, _ = sweeps.make(CELLS[:1], n_leaves=10, seeds=1, tag="b")
    same = {"frostline.data_fingerprint": "same"}
    records = [_tagged(sweeps, run, same) for run in (*a, *b)]
    source.text = lambda run_id, path: f"tune:\n  candidates: {3 if run_id[0] == 'a' else 5}\n"
    assert with_unlogged_settings(records, source) == records


@pytest.mark.parametrize("text", ["{", "3", "null"])
def test_an_unreadable_record_of_tuning_still_joins_the_seeds(sweeps, text):
    records, _ = sweeps.make(CELLS, n_leaves=10)
    tags = {"lr_from": "tuned", "frostline.tuned": text}
    selection, rates = _rates(with_tuned_as_auto([_tagged(sweeps, r, tags) for r in records]))
    assert selection.swept == ("freeze",)
    assert rates["net freeze=2"].value == 0.0005


def test_the_leaderboard_and_the_json_name_each_rate_and_its_origin(sweeps, tmp_path):
    records, source = sweeps.make(CELLS, n_leaves=20)
    strategy = [_tagged(sweeps, run, {"lr_from": "strategy"}) for run in records[3:]]
    write_folder([*_tuned(sweeps, records[:3]), *strategy], source, Rules(), tmp_path, title="Test")
    rows = list(csv.DictReader((tmp_path / "tables" / "leaderboard.csv").open()))
    got = {row["configuration"]: (row["learning rate"], row["rate from"]) for row in rows}
    assert got == {
        "net freeze=2 lr=auto": ("0.0005", "tuned"),
        "net freeze=4 lr=0.0016": ("0.0016", "strategy"),
    }
    found = json.loads((tmp_path / "verdict.json").read_text())["learning_rates"]
    assert found["net freeze=2 lr=auto"] == {"value": 0.0005, "from": "tuned", "also_tuned": {}}


def test_runs_without_a_rate_have_no_column_for_it(sweeps, tmp_path):
    cells = [({"backbone": "net", "freeze": str(k)}, 0.9, 1.0, 1) for k in range(2)]
    records, source = sweeps.make(cells, n_leaves=20)
    write_folder(records, source, Rules(), tmp_path, title="Test")
    header = (tmp_path / "tables" / "leaderboard.csv").read_text().splitlines()[0]
    assert "rate" not in header


def test_the_seconds_of_values_not_chosen_count_in_every_cost(sweeps, tmp_path):
    records, source = sweeps.make(CELLS, n_leaves=20, seeds=2)
    records[0] = _tagged(sweeps, records[0], {}, metrics={"time/tune_s": 40.0})
    report = write_folder(records, source, Rules(), tmp_path, title="Test")
    tuned, plain = sorted(report.verdict.rows, key=lambda row: row.cell.name)
    assert tuned.cell.alone_s == pytest.approx(plain.cell.alone_s + 20)
    rows = list(csv.DictReader((tmp_path / "tables" / "costs.csv").open()))
    spent = {row["configuration"]: float(row["training, all runs"]) for row in rows}
    assert spent[tuned.cell.name] == pytest.approx(spent[plain.cell.name] + 40)
    assert spent["all"] == pytest.approx(spent[tuned.cell.name] + spent[plain.cell.name])
    with (tmp_path / "tables" / "cost-train-time.csv").open() as file:
        drawn = {
            r["configuration"]: float(r["training time of a run alone, s"])
            for r in csv.DictReader(file)
        }
    assert drawn[tuned.cell.name] == pytest.approx(tuned.cell.alone_s)
    assert report.verdict.recommended is plain


@pytest.mark.parametrize("tuned", [True, False])
def test_what_tuning_does_to_scores_stands_beside_the_leaderboard(sweeps, tmp_path, tuned):
    records, source = sweeps.make(CELLS, n_leaves=20)
    records = _tuned(sweeps, records) if tuned else records
    html = write_folder(records, source, Rules(), tmp_path, title="Test").page.read_text()
    assert ("slightly too high, and a difference slightly off" in html) == tuned


def test_a_head_that_was_solved_is_named_beside_its_rate(sweeps):
    records, _ = sweeps.make(CELLS[:1], n_leaves=10)
    tags = {"frostline.head_solver": "L-BFGS, l2=0.1"}
    rates = _rates([_tagged(sweeps, run, tags) for run in records])[1]
    assert [rate.also for rate in rates.values()] == [{"head": "L-BFGS, l2=0.1"}]
