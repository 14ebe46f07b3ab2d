"""Where several rates were typed, each configuration is compared at its best one."""

import csv
import json
import re

import numpy as np
import pytest

from frostline.reporting.report_folder import write_folder
from frostline.reporting.select import select
from frostline.reporting.typed_rates import at_best_rate
from frostline.stats.rules import Rules

RULES = Rules("acc_micro")
RATES = ("0.0001", "0.001", "0.01")
SCORES = {"0": (0.60, 0.90, 0.70), "4": (0.65, 0.80, 0.60)}


def _cells(scores=None, backbone="net"):
    return [
        ({"backbone": backbone, "freeze": freeze, "lr": rate}, score, 10.0, 1)
        for freeze, row in (scores or SCORES).items()
        for rate, score in zip(RATES, row, strict=True)
    ]


def _joined(records):
    return at_best_rate(select(records, RULES.metric), RULES.metric)


def test_each_configuration_is_one_cell_at_its_best_rate(sweeps):
    records, _ = sweeps.make(_cells(), n_leaves=30, seeds=2)
    got = _joined(records)
    assert got.swept == ("freeze",)
    assert [cell.name for cell in got.cells] == ["net freeze=0", "net freeze=4"]
    ids = {run.run_id for run in records if run.params["lr"] == "0.001"}
    assert {run_id for cell in got.cells for run_id in cell.run_ids.values()} == ids
    assert list(got.tried["net freeze=0"]) == list(RATES)


def test_what_the_other_rates_took_counts_as_tuning(sweeps):
    records, _ = sweeps.make(_cells(), n_leaves=10, seeds=2)
    (cell, _) = _joined(records).cells
    own = [run.metrics["time/train_s"] for run in records if run.params["freeze"] == "0"]
    assert cell.alone_s == pytest.approx(sum(own) / 2)


def test_a_sweep_of_rates_alone_compares_the_rates(sweeps):
    records, _ = sweeps.make(_cells({"0": SCORES["0"]}), n_leaves=10)
    got = _joined(records)
    assert got.swept == ("lr",)
    assert len(got.cells) == 3
    assert got.tried == {}


def test_one_rate_for_each_configuration_stays_as_it_is(sweeps):
    cells = [
        ({"backbone": "net", "freeze": depth, "lr": rate}, 0.9, 1.0, 1)
        for depth, rate in zip("024", RATES, strict=True)
    ]
    records, _ = sweeps.make(cells, n_leaves=10)
    assert _joined(records) == select(records, RULES.metric)


def test_a_rate_with_fewer_seeds_is_not_chosen(sweeps):
    records, _ = sweeps.make(_cells(), n_leaves=30, seeds=2)
    left = [r for r in records if r.params["lr"] != "0.001" or r.params["seed"] == "0"]
    shown = {cell.name: cell.run_ids for cell in _joined(left).cells}
    rate_of = {run.run_id: run.params["lr"] for run in records}
    assert rate_of[shown["net freeze=0"]["0"]] == "0.01"
    assert rate_of[shown["net freeze=4"]["0"]] == "0.0001"


def test_tuned_beside_typed_rates_stays_a_configuration(sweeps, tmp_path):
    records, source = sweeps.make([*_cells(), *_cells()[1::3]], n_leaves=20, seeds=2)
    tags = {"lr_from": "tuned", "frostline.tuned": '{"lr": 0.002}'}
    records = [
        sweeps.replace(r, tags={**r.tags, **tags}) if k >= 12 else r for k, r in enumerate(records)
    ]
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    assert sorted(row.cell.name for row in report.verdict.rows) == [
        *("net freeze=0 lr=auto", "net freeze=0 lr=typed"),
        *("net freeze=4 lr=auto", "net freeze=4 lr=typed"),
    ]


def test_the_page_says_so_and_every_figure_is_at_the_best_rate(sweeps, tmp_path):
    records, source = sweeps.make(_cells(), n_leaves=30)
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    html = report.page.read_text()
    assert html.count("each configuration is shown at its best one") == 4
    assert "One learning rate for several depths" not in html
    with (tmp_path / "tables" / "depth.csv").open() as file:
        drawn = {row["freeze"]: float(row["val accuracy %"]) for row in csv.DictReader(file)}
    assert drawn == {r.cell.params["freeze"]: r.value for r in report.verdict.rows}
    with (tmp_path / "tables" / "rates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert [row["learning rate"] for row in rows if row["chosen"] == "yes"] == ["0.001"] * 2
    assert re.search(r'id="figure-rates"', html)
    with (tmp_path / "tables" / "leaderboard.csv").open() as file:
        leaders = list(csv.DictReader(file))
    assert {(row["learning rate"], row["rate from"]) for row in leaders} == {
        ("0.001", "best of 3 typed")
    }
    found = json.loads((tmp_path / "verdict.json").read_text())
    assert found["recommended"]["params"]["lr"] == "0.001"


def test_the_luck_of_the_choice_is_taken_off_the_score_and_all_else_follows(sweeps, tmp_path):
    scores = {"0": (0.85, 0.85, 0.85), "4": (0.5, 0.8, 0.5)}
    records, source = sweeps.make(_cells(scores), n_leaves=60)
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    rows = {row.cell.params["freeze"]: row for row in report.verdict.rows}
    assert rows["4"].cell.optimism == pytest.approx(0, abs=1e-9)
    alike = rows["0"]
    assert alike.cell.optimism > 0.002
    assert alike.value == pytest.approx(alike.cell.mean(RULES.metric) - alike.cell.optimism)
    assert alike.spread.value == pytest.approx(alike.value, abs=1e-6)
    gap = rows["4"].comparison or rows["0"].comparison
    assert gap.difference.value == pytest.approx(-abs(rows["4"].value - alike.value), abs=1e-6)


def test_the_choice_of_the_rate_widens_the_intervals(sweeps, tmp_path, monkeypatch):
    scores = {"0": (0.85, 0.85, 0.85), "4": (0.5, 0.8, 0.5)}
    made = sweeps.make(_cells(scores), n_leaves=60)

    def widths():
        rows = write_folder(*made, RULES, tmp_path, title="Test").verdict.rows
        (compared,) = [row.comparison.interval for row in rows if row.comparison]
        own = {row.cell.params["freeze"]: np.ptp(row.interval) for row in rows}
        return np.ptp(compared), own

    difference, own = widths()
    monkeypatch.setattr("frostline.stats.rate_choice._DOUBT", 0.0)
    plain_difference, plain_own = widths()
    assert difference > 1.005 * plain_difference
    assert own["0"] > 1.005 * plain_own["0"]
    assert own["4"] == pytest.approx(plain_own["4"])


def test_without_predictions_the_plain_scores_are_shown(sweeps, tmp_path):
    records, source = sweeps.make(_cells(), n_leaves=20, with_predictions=False)
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    assert [row.cell.optimism for row in report.verdict.rows] == [0, 0]


@pytest.mark.parametrize(("last", "reported"), [(0.95, True), (0.5, False)])
def test_a_best_rate_that_is_the_highest_typed_is_reported(sweeps, tmp_path, last, reported):
    scores = {"0": (0.60, 0.80, last), "4": SCORES["4"]}
    records, source = sweeps.make(_cells(scores), n_leaves=30)
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    text = dict(report.conclusion.paragraphs).get("Not a fair comparison yet", "")
    assert ("net freeze=0 (lr=0.01)" in text) == reported
    assert ("Add values of lr beyond it, or use lr=auto" in text) == reported


def test_a_higher_rate_that_failed_was_tried_too(sweeps, tmp_path):
    scores = {"0": (0.60, 0.80, 0.95), "4": SCORES["4"]}
    records, source = sweeps.make(_cells(scores), n_leaves=30)
    diverged = sweeps.replace(
        records[0],
        run_id="f" * 32,
        status="FAILED",
        metrics={},
        params={**records[0].params, "lr": "0.1"},
    )
    report = write_folder([*records, diverged], source, RULES, tmp_path, title="Test")
    assert "lr=0.01" not in dict(report.conclusion.paragraphs).get("Not a fair comparison yet", "")


def test_fewer_rates_for_one_configuration_are_reported(sweeps, tmp_path):
    records, source = sweeps.make(_cells(), n_leaves=30)
    few = [r for r in records if r.params["freeze"] == "0" or r.params["lr"] == "0.001"]
    report = write_folder(few, source, RULES, tmp_path, title="Test")
    text = dict(report.conclusion.paragraphs)["Not a fair comparison yet"]
    assert (
        "up to 3 learning rates were typed for a configuration, but fewer for net freeze=4 (1)"
        in text
    )
    report = write_folder(records, source, RULES, tmp_path, title="Test")
    assert "Not the same effort" not in str(report.conclusion.paragraphs)


def test_the_method_names_the_rate_as_swept(sweeps, tmp_path):
    records, source = sweeps.make(_cells(), n_leaves=20)
    write_folder(records, source, RULES, tmp_path, title="Test")
    rows = dict(list(csv.reader((tmp_path / "tables" / "how.csv").open()))[1:])
    assert rows["swept"] == "freeze, lr (each configuration is shown at its best)"
    assert "lr=" not in rows["the same in all"]


def test_runs_of_many_rates_are_ranked_with_those_that_were_not_read(sweeps):
    from frostline.reporting.cell_predictions import verdict_on

    cells = [c for b in ("a", "b", "c") for c in _cells({"0": (0.8, 0.8, 0.8)}, b)]
    records, source = sweeps.make(cells, n_leaves=40)
    verdict = verdict_on(_joined(records), source, Rules("acc_micro", max_tested=2))
    tested = [row for row in verdict.rows if row.interval is not None]
    rest = [row for row in verdict.rows if row.interval is None]
    assert len(rest) == 1
    assert rest[0].cell.optimism == pytest.approx(np.mean([r.cell.optimism for r in tested]))
