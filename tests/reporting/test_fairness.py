"""What makes a comparison unfair is reported with names and a remedy, and only then."""

import csv
import json

import numpy as np
import pytest

from frostline.commands import report as report_command
from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules
from frostline.tracking.store import open_store

TITLE = "Not a fair comparison yet"
DEPTHS = ("0", "4", "all")


def _settled(source, *, train=0.5):
    """Curves that stand still after their first third."""
    for run_id, metric in list(source.curves):
        end = {"val/loss": 0.5, "train/loss": train}.get(metric, 0.9)
        start = 2.0 if metric.endswith("loss") else 0.2
        jumps = np.random.default_rng(len(source.curves)).normal(0, 1e-3, 12)
        curve = np.repeat([start, (start + end) / 2, end], [2, 1, 9]) + jumps
        source.curves[run_id, metric] = list(enumerate(curve))


def _cells(rates, **params):
    return [
        ({"backbone": "net", "freeze": depth, "lr": rate, **params}, 0.9, 1.0, 1)
        for depth, rate in zip(DEPTHS, rates, strict=True)
    ]


def _tuned(sweeps, records, tags=None):
    return [
        sweeps.replace(
            run,
            tags={
                **run.tags,
                "lr_from": "tuned",
                "frostline.tuned": json.dumps({"lr": float(run.params["lr"])}),
                **(tags or {}).get(run.params["freeze"], {}),
            },
        )
        for run in records
    ]


def _unfair(records, source, out):
    report = write_folder(records, source, Rules(), out, title="Test")
    return dict(report.conclusion.paragraphs).get(TITLE, "")


def test_a_typed_rate_that_several_depths_share_is_reported(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["0.0005"] * 3), n_leaves=20)
    _settled(source)
    assert _unfair(records, source, tmp_path).startswith(
        "One learning rate for several depths: 0.0005 (typed) for freeze=0, 4, all of net. "
    )
    assert "lr=auto" in (tmp_path / "report.html").read_text()


def test_a_strategys_rate_is_named_as_such(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["0.0005"] * 3), n_leaves=20)
    _settled(source)
    records = [sweeps.replace(r, tags={**r.tags, "lr_from": "strategy"}) for r in records]
    assert "0.0005 (strategy) for freeze=0, 4, all" in _unfair(records, source, tmp_path)


@pytest.mark.parametrize("tuned", [True, False])
def test_a_rate_for_each_depth_is_not_reported(sweeps, tmp_path, tuned):
    rates = ["0.0005"] * 3 if tuned else ["0.0005", "0.001", "0.01"]
    records, source = sweeps.make(_cells(rates), n_leaves=20)
    _settled(source)
    assert _unfair(_tuned(sweeps, records) if tuned else records, source, tmp_path) == ""


def test_one_depth_of_several_backbones_shares_nothing(sweeps, tmp_path):
    cells = [({"backbone": b, "freeze": "4", "lr": "0.0005"}, 0.9, 1.0, 1) for b in ("a", "b", "c")]
    records, source = sweeps.make(cells, n_leaves=20)
    _settled(source)
    assert _unfair(records, source, tmp_path) == ""


def test_a_value_at_the_edge_is_reported_with_its_cell(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["0.0005", "0.0016", "0.05"]), n_leaves=20)
    _settled(source)
    at_edge = {"all": {"frostline.tuned_at_edge": "lr"}}
    text = _unfair(_tuned(sweeps, records, at_edge), source, tmp_path)
    assert text == (
        "The best lr is the lowest or highest of all that were tried for net freeze=all (lr=0.05), "
        "so a better one may lie beyond. Run these again around it: tune.center=0.05."
    )


def test_a_cell_whose_loss_still_falls_is_reported_with_epochs_that_are_enough(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _settled(source)
    slow = [run.run_id for run in records if run.params["freeze"] == "0"]
    for run_id in slow:
        source.curves[run_id, "val/loss"] = list(enumerate(np.linspace(2, 1, 12)))
    text = _unfair(records, source, tmp_path)
    assert text == (
        "Not finished learning: net freeze=0 lr=1 (validation loss −25.0 % in the last 3 of 12 "
        "epochs). Those that learn fast are favoured. Train all longer: epochs=24."
    )


def _short(source, losses, scores):
    """Curves of as many epochs as are given."""
    source.curves = {
        (run_id, metric): list(enumerate(losses if metric.endswith("loss") else scores))
        for run_id, metric in source.curves
    }


def test_three_epochs_that_still_gain_are_named_in_line_headline_and_table(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _short(source, [2.0, 1.5, 1.2], [0.5, 0.6, 0.7])
    report = write_folder(records, source, Rules(), tmp_path, title="Test")
    assert dict(report.conclusion.paragraphs)[TITLE] == (
        "Not finished learning: net freeze=all lr=3 (validation loss −20.0 % in the last of 3 "
        "epochs), net freeze=4 lr=2 (validation loss −20.0 % in the last of 3 epochs), "
        "net freeze=0 lr=1 (validation loss −20.0 % in the last of 3 epochs). Those that learn "
        "fast are favoured. Train all longer: epochs=6."
    )
    caveat = "3 of 3 configurations had not finished learning, so the order may change"
    assert caveat in report.conclusion.headline
    assert caveat in json.loads((tmp_path / "verdict.json").read_text())["headline"]
    with (tmp_path / "tables" / "leaderboard.csv").open() as file:
        assert [row["finished learning"] for row in csv.DictReader(file)] == ["no"] * 3


def test_three_epochs_that_gain_nothing_are_too_few_to_tell(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _short(source, [1.2, 1.0, 1.1], [0.5, 0.6, 0.7])
    report = write_folder(records, source, Rules(), tmp_path, title="Test")
    assert dict(report.conclusion.paragraphs)[TITLE] == (
        "Too few epochs to tell whether learning was finished: net freeze=all lr=3, net freeze=4 "
        "lr=2, net freeze=0 lr=1; the last epoch is the best in 9 of 9 runs. Train all longer: "
        "epochs=6."
    )
    assert report.conclusion.headline.endswith(
        "3 epochs are too few to tell whether learning was finished."
    )
    with (tmp_path / "tables" / "leaderboard.csv").open() as file:
        found = {row["finished learning"] for row in csv.DictReader(file)}
    assert found == {"too few epochs to tell"}


def test_a_head_that_was_solved_had_nothing_left_to_learn(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _short(source, [1.2], [0.5])
    tags = {"frostline.head_solver": "L-BFGS, l2=0.1"}
    records = [sweeps.replace(run, tags={**run.tags, **tags}) for run in records]
    report = write_folder(records, source, Rules(), tmp_path, title="Test")
    assert TITLE not in dict(report.conclusion.paragraphs)
    assert "learning" not in report.conclusion.headline
    with (tmp_path / "tables" / "trained.csv").open() as file:
        assert {row["finished learning"] for row in csv.DictReader(file)} == {"solved exactly"}


def test_finished_configurations_leave_the_headline_alone(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _settled(source)
    headline = write_folder(records, source, Rules(), tmp_path, title="Test").conclusion.headline
    assert "learning" not in headline
    slow = next(run.run_id for run in records if run.params["freeze"] == "0")
    source.curves[slow, "val/loss"] = list(enumerate(np.linspace(2, 1, 12)))
    for run in records:
        if run.params["freeze"] == "0":
            source.curves[run.run_id, "val/loss"] = source.curves[slow, "val/loss"]
    headline = write_folder(records, source, Rules(), tmp_path, title="Test").conclusion.headline
    assert headline.endswith(
        "1 of 3 configurations had not finished learning, so the order may change with more epochs."
    )


def test_a_loss_that_falls_where_the_training_images_are_learned_is_not_reported(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _settled(source, train=0.01)
    for run in records:
        source.curves[run.run_id, "val/loss"] = list(enumerate(np.linspace(1.2, 1, 12)))
    assert _unfair(records, source, tmp_path) == ""


def test_a_last_epoch_that_is_best_by_chance_is_not_reported(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _settled(source)
    for run in records:
        curve = source.curves[run.run_id, "val/f1_macro"]
        source.curves[run.run_id, "val/f1_macro"] = [*curve[:-1], (11, 0.903)]
    assert _unfair(records, source, tmp_path) == ""


def test_a_last_epoch_that_is_best_by_the_runs_own_monitor_is_reported(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    _settled(source)
    for run in records:
        rising = list(enumerate(np.linspace(0.2, 0.9, 12)))
        source.curves[run.run_id, "val/acc_micro"] = rising
    assert _unfair(records, source, tmp_path) == ""
    source.text = lambda run_id, path: "callbacks: {monitor: val/acc_micro, mode: max}\n"
    assert "the last of 12 epochs is the best, by more than noise" in _unfair(
        records, source, tmp_path
    )


def test_runs_without_curves_are_not_judged(sweeps, tmp_path):
    records, source = sweeps.make(_cells(["1", "2", "3"]), n_leaves=20)
    source.curves = {}
    assert _unfair(records, source, tmp_path) == ""


def test_the_command_prints_it(tmp_path, capsys):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store = open_store(uri, "plants")
    for freeze in ("0", "2"):
        tags = {"frostline.kind": "job", "frostline.data_fingerprint": "f"}
        run = store.start_run(f"net-freeze{freeze}", tags)
        run.log_params({"backbone": "net", "freeze": freeze, "lr": "0.001", "seed": 0})
        run.log_metrics({"val_best/f1_macro": 0.5}, 1)
        run.finish("FINISHED")
    report_command.main(["--uri", uri, "--experiment", "plants", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert f"{TITLE}\n  One learning rate for several depths: 0.001 (typed)" in printed


def test_partial_weights_are_named_with_their_share_in_every_table(sweeps, tmp_path):
    share = "28.1 % of the parameters (60 of 75 tensors)"
    cells = [
        ({"backbone": "net", "freeze": "4", "weights_partial": share}, 0.9, 1.0, 1),
        ({"backbone": "other", "freeze": "4"}, 0.9, 1.0, 1),
    ]
    records, source = sweeps.make(cells, n_leaves=20)
    _settled(source)
    assert (
        "Partial weights (weights_partial=true): the file has of net: 28.1 % of the parameters "
        "(60 of 75 tensors). The rest began random"
    ) in _unfair(records, source, tmp_path)
    for name in ("leaderboard.csv", "costs.csv"):
        text = (tmp_path / "tables" / name).read_text()
        assert "net freeze=4 PARTIAL WEIGHTS 28.1 %" in text
        assert "other freeze=4 PARTIAL" not in text
    for name in ("depth.csv", "heat.csv"):
        assert "\nnet PARTIAL WEIGHTS 28.1 %," in (tmp_path / "tables" / name).read_text()
