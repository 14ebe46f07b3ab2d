"""Folds are judged as folds: one cell, paired by image, its variance not that of seeds."""

import re

import pytest

from frostline.reporting.cell_predictions import held_out_result, verdict_on
from frostline.reporting.cell_settings import with_unlogged_settings
from frostline.reporting.certainty import certainty
from frostline.reporting.next_steps import next_steps
from frostline.reporting.report_folder import write_folder
from frostline.reporting.select import select
from frostline.stats.rules import DEFAULT_RULES

METRIC = "val_best/f1_macro"
CELLS = [
    ({"backbone": "resnet50", "freeze": "2"}, 0.9, 10.0, 100),
    ({"backbone": "resnet50", "freeze": "4"}, 0.8, 5.0, 50),
]


def folds(sweeps, cells=CELLS, k=3):
    """The seeds of a made sweep as folds of one seed."""
    records, source = sweeps.make(cells, seeds=k)
    for place, run in enumerate(records):
        fold = {"seed": "0", "data_folds": str(k), "data_fold": run.params["seed"]}
        records[place] = sweeps.replace(run, params={**run.params, **fold})
    return records, source


def test_folds_are_one_cell_and_no_axis(sweeps):
    records, _ = folds(sweeps)
    got = select(records, METRIC)
    assert [cell.name for cell in got.cells] == ["resnet50 freeze=2", "resnet50 freeze=4"]
    assert got.seeds == ["0 fold 0", "0 fold 1", "0 fold 2"]
    assert got.left_out == ()


def test_they_count_for_less_than_as_many_seeds(sweeps):
    records, source = folds(sweeps, k=5)
    as_folds = verdict_on(select(records, METRIC), source, DEFAULT_RULES)
    seeds, source = sweeps.make(CELLS, seeds=5)
    as_seeds = verdict_on(select(seeds, METRIC), source, DEFAULT_RULES)
    for fold, seed in zip(as_folds.rows, as_seeds.rows, strict=True):
        assert fold.value == pytest.approx(seed.value)
        assert fold.spread.between == pytest.approx(seed.spread.between * (1 + 5 / 3))
    pair = as_folds.rows[1].comparison
    assert pair.spread.n_seeds == 5
    assert pair.spread.between == pytest.approx(as_seeds.rows[1].comparison.spread.between * 8 / 3)


def test_the_page_says_what_they_are(sweeps):
    records, source = folds(sweeps)
    selection = select(records, METRIC)
    verdict = verdict_on(selection, source, DEFAULT_RULES)
    assert certainty(verdict).startswith("3 folds for each configuration, judged by")
    assert "no independent repeats" in certainty(verdict)
    assert "seeds" not in held_out_result(verdict, source).sentence
    assert "3 folds. The test images of one fold are the validation images of another" in (
        held_out_result(verdict, source).sentence
    )
    assert "further folds would be worth is not computed" in (
        next_steps(verdict, selection, source).text
    )


def test_the_whole_page_speaks_of_folds(sweeps, tmp_path):
    records, source = folds(sweeps)
    page = write_folder(records, source, DEFAULT_RULES, tmp_path, title="Test").page
    text = " ".join(
        re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page.read_text(), flags=re.S).split()
    )
    assert "with several folds, other folds" in text
    assert "differ in nothing but the seed or the fold form one configuration" in text
    assert "t, by group and fold" in text
    assert "folds seed 0 fold 0, seed 0 fold 1, seed 0 fold 2" in text
    assert "seeds" not in text.replace("Folds of further seeds (seed=0,1)", "")


def test_a_cell_that_lacks_a_fold_is_not_compared(sweeps):
    cells = [*CELLS, ({"backbone": "vgg16", "freeze": "2"}, 0.85, 10.0, 100)]
    records, _ = folds(sweeps, cells)
    records[4] = sweeps.replace(records[4], status="FAILED")
    got = select(records, METRIC)
    assert [cell.name for cell in got.cells] == ["resnet50 freeze=2", "vgg16 freeze=2"]
    left = got.left_out_as("missing folds")
    assert [one.run for one in left] == [records[3], records[5]]
    assert "lacks fold 1 of seed 0, which the others have" in left[0].reason


def test_a_fold_that_one_cell_has_alone_does_not_count(sweeps):
    cells = [*CELLS, ({"backbone": "vgg16", "freeze": "2"}, 0.85, 10.0, 100)]
    records, _ = folds(sweeps, cells)
    got = select([run for run in records if run.params["data_fold"] != "2"] + [records[2]], METRIC)
    assert got.seeds == ["0 fold 0", "0 fold 1"]
    assert [one.run for one in got.left_out] == [records[2]]
    assert "fold 2 of seed 0 is there for few configurations only" in got.left_out[0].reason


def test_folds_and_splits_by_fractions_are_never_mixed(sweeps):
    records, _ = folds(sweeps)
    other, _ = sweeps.make([({"backbone": "vgg16", "freeze": "2"}, 0.9, 1.0, 9)], seeds=2)
    other = [sweeps.replace(run, run_id=f"x{run.run_id}") for run in other]
    got = select([*records, *other], METRIC)
    assert [one.run for one in got.left_out_as("other split")] == other
    assert "one split by fractions, while most runs are of data.folds=3" in got.left_out[0].reason


def test_runs_recorded_before_folds_were_parameters_are_no_duplicates(sweeps):
    records, source = sweeps.make([({"backbone": "net", "freeze": "2"}, 0.9, 1.0, 1)], n_leaves=10)
    folds = {run.run_id: str(number) for number, run in enumerate(records)}
    runs = [
        sweeps.replace(
            run,
            params={**run.params, "seed": "0"},
            tags={**run.tags, "frostline.job_digest": run.run_id},
        )
        for run in records
    ]
    source.text = lambda run_id, _: f"data: {{folds: 3, fold: {folds[run_id]}}}\n"
    completed = with_unlogged_settings(runs, source)
    assert [run.params["data.fold"] for run in completed] == ["0", "1", "2"]
    new = [
        sweeps.replace(
            run, params={**run.params, "data_folds": "3", "data_fold": folds[run.run_id]}
        )
        for run in runs
    ]
    assert with_unlogged_settings(new, source) == new
