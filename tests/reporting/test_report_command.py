"""The command, on a real store: from logged runs to a page on the sweep's run."""

import json
import time

import numpy as np
import pytest

from frostline.commands import report
from frostline.errors import TrackingError
from frostline.reporting.write_report import runs_of_sweep, write_report, write_sweep_report
from frostline.tracking.lookup import (
    PLAN_FILE,
    RUNS_FILE,
    find_run,
    find_sweep,
    jobs_of_sweep,
)
from frostline.tracking.prediction_files import write_predictions
from frostline.tracking.report_mark import is_marked
from frostline.tracking.store import open_store
from frostline.tracking.tracked_run import Run

SCORES = ("f1_macro", "acc_micro")


def _log_job(store, parent, folder, freeze, seed, share):
    rng = np.random.default_rng([seed, int(freeze)])
    n_items = 60
    labels = np.arange(n_items) % 3
    answers = np.where(rng.uniform(size=n_items) < share, labels, (labels + 1) % 3)
    tags = {
        "frostline.kind": "job",
        "frostline.sweep_id": "abc123",
        "frostline.data_fingerprint": "f1",
        "frostline.split_digest": f"s{seed}",
    }
    run = store.start_run(f"net-freeze{freeze}-seed{seed}", tags, parent_run_id=parent)
    run.log_params(
        {"data": "plants", "backbone": "net", "freeze": freeze, "seed": seed, "trainable_params": 9}
    )
    for epoch in range(2):
        run.log_metrics({"val/f1_macro": 0.4 + 0.1 * epoch, "train/loss": 1.0}, epoch)
    value = float((answers == labels).mean())
    scores = {f"{split}/{s}": value for split in ("val_best", "test") for s in SCORES}
    run.log_metrics(scores | {"time/train_s": 5.0 - int(freeze)}, 2)
    for split in ("val", "test"):
        write_predictions(
            folder / "predictions" / f"{split}.parquet",
            [f"{split}{seed}-{k:03d}" for k in range(n_items)],
            [f"leaf{k // 2}" for k in range(n_items)],
            labels,
            np.eye(3)[answers],
        )
    run.log_artifact(folder / "predictions")
    run.log_dict({"classes": ["a", "b", "c"]}, "predictions/classes.json")
    run.finish("FINISHED")
    return run.run_id


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    store = open_store(uri, "plants")
    parent = store.start_run(
        "sweep-abc123", {"frostline.kind": "sweep", "frostline.sweep_id": "abc123"}
    )
    ids = [
        _log_job(store, parent.run_id, folder, freeze, seed, share)
        for freeze, share in (("0", 0.95), ("2", 0.5))
        for seed in (0, 1)
    ]
    failed = store.start_run(
        "net-freeze4-seed0",
        {"frostline.kind": "job", "frostline.sweep_id": "abc123"},
        parent_run_id=parent.run_id,
    )
    failed.finish("FAILED", "out of memory")
    parent.finish("FAILED", "1 of 5 jobs have no result")
    return uri, store, parent.run_id, ids


def test_a_sweeps_report_is_written_and_logged_on_its_run(sweep, tmp_path, capsys):
    uri, store, parent_id, _ = sweep
    report.main(["--uri", uri, "--sweep", "abc", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert printed.startswith("Take net freeze=0: its expected loss, 0.0 points, is the smallest")
    assert "nothing proves net freeze=2 to be worse" in " ".join(printed.split())  # two seeds
    assert "1 failed or stopped" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert "out of memory" in html
    assert "report/report.html" in store.list_artifacts(parent_id, "report")
    parent = store.get_run(parent_id)
    assert parent.status == "FAILED"
    assert parent.tags["frostline.failure"] == "1 of 5 jobs have no result"


def test_logging_a_report_moves_neither_the_end_nor_the_owner_of_the_sweeps_run(sweep, tmp_path):
    _, store, parent_id, _ = sweep
    before = store.get_run(parent_id)
    time.sleep(0.01)
    report = write_sweep_report(store, "abc123", tmp_path / "out")
    assert report.page == tmp_path / "out" / "report.html"
    assert "Take net freeze=0" in report.page.read_text()
    after = store.get_run(parent_id)
    assert (after.start_ms, after.end_ms) == (before.start_ms, before.end_ms)
    assert (after.status, after.tags) == (before.status, before.tags)


def _cells(store):
    runs = store.find_runs({"frostline.kind": "cell"}, everywhere=True)
    return {run.name: run for run in runs}


def test_each_cell_has_a_row_over_its_seeds_which_no_reader_takes_for_a_job(sweep, tmp_path):
    uri, store, parent_id, ids = sweep
    elsewhere = open_store(uri, "Default")
    page = write_sweep_report(elsewhere, "abc123", tmp_path / "out")
    cells = _cells(store)
    assert set(cells) == {"cell net freeze=0", "cell net freeze=2"}
    verdict = json.loads((page.folder / "verdict.json").read_text())
    assert verdict["recommended"]["name"] == "net freeze=0"
    best, other = cells["cell net freeze=0"], cells["cell net freeze=2"]
    mean = np.mean([store.get_run(one).metrics["val_best/f1_macro"] for one in ids[:2]])
    assert best.metrics["cell/val_f1_macro"] == pytest.approx(mean)
    assert best.metrics["cell/chance_best"] > 0.9 > 0.1 > other.metrics["cell/chance_best"]
    assert best.metrics["cell/expected_loss"] < other.metrics["cell/expected_loss"]
    assert (best.metrics["cell/recommended"], other.metrics["cell/recommended"]) == (1.0, 0.0)
    assert best.metrics["cell/val_f1_macro_low"] < mean < best.metrics["cell/val_f1_macro_high"]
    assert best.metrics["cell/seeds"] == 2
    assert (best.status, best.experiment) == ("FINISHED", "plants")
    assert best.parent_run_id == parent_id
    assert best.params["freeze"] == "0"
    # Made again it is the same row; rows of cells that are no more go to MLflow's bin.
    stale = store.start_run(
        "cell gone",
        {"frostline.kind": "cell", "frostline.sweep_id": "abc123", "frostline.cell_runs": "x"},
    )
    stale.finish("FINISHED")
    write_sweep_report(store, "abc123", tmp_path / "again")
    assert {run.run_id for run in _cells(store).values()} == {best.run_id, other.run_id}
    jobs = jobs_of_sweep(store, "abc123")
    assert len(jobs) == 5
    with pytest.raises(TrackingError, match="not a run") as caught:
        find_run(store, best.run_id)
    assert ids[0] in str(caught.value)


def test_the_report_of_a_sweep_that_runs_is_not_logged(sweep, tmp_path, capsys):
    uri, *_ = sweep
    store = open_store(uri, "plants")
    parent = store.start_run("sweep-zz9", {"frostline.kind": "sweep", "frostline.sweep_id": "zz9"})
    report.main(["--uri", uri, "--sweep", "zz9", "--out", str(tmp_path / "out")])
    assert "the sweep has not ended: the page is not logged" in capsys.readouterr().err
    assert store.list_artifacts(parent.run_id, "report") == []
    assert store.get_run(parent.run_id).status == "RUNNING"
    parent.finish("KILLED", "stopped")


def test_a_whole_sweep_id_counts_before_a_longer_one_that_begins_so(sweep, tmp_path, capsys):
    uri, _, parent_id, _ = sweep
    store = open_store(uri, "plants")
    longer = {"frostline.kind": "sweep", "frostline.sweep_id": "abc123-0f0f0f"}
    store.start_run("sweep-abc123-0f0f0f", longer).finish("FINISHED")
    assert find_sweep(store, "abc123").run_id == parent_id
    assert find_sweep(store, "abc").name == find_sweep(store).name == "sweep-abc123-0f0f0f"
    assert find_sweep(store, "latest") == find_sweep(store)
    assert find_sweep(store, parent_id).run_id == parent_id


def test_runs_reused_from_earlier_sweeps_are_found_again(sweep, tmp_path, capsys):
    uri, _, _, ids = sweep
    store = open_store(uri, "plants")
    parent = store.start_run("sweep-yy8", {"frostline.kind": "sweep", "frostline.sweep_id": "yy8"})
    parent.log_text(json.dumps(ids), RUNS_FILE)
    parent.finish("FINISHED")
    report.main(["--uri", uri, "--sweep", "yy8", "--out", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["recommended"]["name"] == "net freeze=0"


def test_runs_that_answer_a_killed_sweep_are_found_by_its_plan(sweep, tmp_path, capsys):
    uri, _, _, ids = sweep
    store = open_store(uri, "plants")
    parent = store.start_run("sweep-kk1", {"frostline.kind": "sweep", "frostline.sweep_id": "kk1"})
    jobs = [{"digest": str(place), "run_id": run_id} for place, run_id in enumerate(ids)]
    parent.log_dict({"jobs": [*jobs, {"digest": "to run", "run_id": ""}]}, PLAN_FILE)
    parent.finish("KILLED", "stopped by signal 9")
    assert {run.run_id for run in jobs_of_sweep(store, "kk1")} == set(ids)


def test_a_damaged_list_of_a_sweeps_runs_is_named(sweep, caplog):
    uri, _, _, ids = sweep
    store = open_store(uri, "plants")
    parent = store.start_run("sweep-dd2", {"frostline.kind": "sweep", "frostline.sweep_id": "dd2"})
    parent.log_text(json.dumps(ids)[:20], RUNS_FILE)
    parent.finish("FINISHED")
    with pytest.raises(TrackingError):
        jobs_of_sweep(store, "nothing such")
    assert jobs_of_sweep(store, "dd2") == []
    assert "runs.json of sweep-dd2 is damaged" in caplog.text


def test_a_report_is_no_more_that_of_a_sweep_whose_killed_run_has_ended(tmp_path):
    """The run has kept its id, and the mark says of which runs the page is."""
    store = open_store(f"sqlite:///{tmp_path / 'mlflow.db'}", "plants")
    tags = {"frostline.kind": "sweep", "frostline.sweep_id": "first"}
    parent = store.start_run("sweep-first", tags)
    whole = _log_job(store, parent.run_id, tmp_path, "0", 0, 0.95)
    killed = store.start_run("killed", {"frostline.kind": "job"}, parent_run_id=parent.run_id)
    killed.finish("KILLED", "stopped")
    parent.finish("KILLED", "stopped")
    write_sweep_report(store, "first", tmp_path / "out")
    marked = store.get_run(parent.run_id).tags
    assert is_marked(marked, [whole])
    assert not is_marked(marked, [whole, killed.run_id])


def test_a_report_that_is_killed_while_it_is_logged_again_counts_as_none(tmp_path, monkeypatch):
    store = open_store(f"sqlite:///{tmp_path / 'mlflow.db'}", "plants")
    tags = {"frostline.kind": "sweep", "frostline.sweep_id": "first"}
    parent = store.start_run("sweep-first", tags)
    whole = _log_job(store, parent.run_id, tmp_path, "0", 0, 0.95)
    parent.finish("FINISHED")
    write_sweep_report(store, "first", tmp_path / "out")
    assert is_marked(store.get_run(parent.run_id).tags, [whole])

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "log_artifact", stop)
    with pytest.raises(KeyboardInterrupt):
        write_sweep_report(store, "first", tmp_path / "out")
    assert not is_marked(store.get_run(parent.run_id).tags, [whole])


def test_a_look_counts_for_every_later_sweep_that_reuses_its_runs(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'mlflow.db'}", "plants")
    numbers, ids = [], []
    for place, sweep_id in enumerate(("first", "second", "third")):
        parent = store.start_run(
            f"sweep-{sweep_id}", {"frostline.kind": "sweep", "frostline.sweep_id": sweep_id}
        )
        for freeze, share in (("0", 0.95), ("2", 0.5)):
            for seed in (0, 1) if place == 0 else (place + 1,):
                ids.append(_log_job(store, parent.run_id, tmp_path, freeze, seed, share))
        parent.log_text(json.dumps(ids), RUNS_FILE)  # the earlier ones are reused
        parent.finish("FINISHED")
        for _ in range(2):  # the same page again is no further look
            numbers.append(write_sweep_report(store, sweep_id, tmp_path / "out").verdict.look)
    assert numbers == [1, 1, 2, 2, 3, 3]


def test_experiment_and_runs(sweep, tmp_path, capsys):
    uri, _, _, ids = sweep
    report.main(["--uri", uri, "--experiment", "plants", "--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith("Take net freeze=0")
    report.main(["--uri", uri, "--runs", *ids[:1], "--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith("Only net freeze=0 has results")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "nosuch"], "sweep nosuch: there is no such sweep"),
        (["--experiment", "weeds"], "experiment weeds: it has no runs"),
        (["--runs", "0" * 32], "there is no such run"),
    ],
)
def test_what_does_not_exist_is_one_message_without_a_traceback(sweep, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        report.main(["--uri", sweep[0], *arguments])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_an_empty_store_is_an_error_with_the_command_to_run(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'mlflow.db'}", "Default")
    with pytest.raises(TrackingError, match=r"there is no sweep in [\s\S]*python -m src.train -m"):
        write_sweep_report(store, "abc", tmp_path / "out")


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("damage", ["flipped", "of another run"])
def test_a_run_whose_predictions_are_damaged_is_left_out_by_name(sweep, tmp_path, split, damage):
    _, store, _, ids = sweep
    files = [store.fetch_artifact(run_id, f"predictions/{split}.parquet") for run_id in ids]
    whole = files[0].read_bytes()
    if damage == "flipped":
        start = whole.index(b"\x28\xb5\x2f\xfd")  # of the first compressed page
        files[0].write_bytes(whole[: start + 8] + b"flipped" + whole[start + 15 :])
    else:
        files[0].write_bytes(files[2].read_bytes())
    try:
        written = write_report(store, runs_of_sweep(store, "abc123"), tmp_path)
    finally:
        files[0].write_bytes(whole)
    values = json.loads((written.folder / "verdict.json").read_text())
    (left,) = [one for one in values["left_out"] if one["what"] == "damaged"]
    assert left["run_id"] == ids[0]
    assert left["reason"].startswith(f"{split}.parquet: ")
    assert ("was logged" in left["reason"]) == (damage == "of another run")
    assert "1 left out, their files being damaged" in written.page.read_text()
