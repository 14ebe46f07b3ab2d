"""A race by the real command: what it drops, what it leaves alone, and that it can be resumed."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from tests.integration.conftest import TINY, draw_classes, environment, start

# Two that learn, and one whose rate is so low that it stays at chance.
CELLS = ("lr=1e-2,5e-3,1e-9", "augment=none", "freeze=0", "epochs=4", "report=false")
RACE = ("-m", *TINY, "backbone=test_resnet", *CELLS, "search=race")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, empty_store_file):
    folder = tmp_path_factory.mktemp("race")
    draw_classes(folder / "photos", per_class=80)
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def raced(photos):
    ended = start(photos, *RACE, "seed=0,1")
    assert ended.returncode == 0, ended.stderr
    return ended


def _runs(folder, kind="job"):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`frostline.kind` = '{kind}'")
    return client, {(run.data.params.get("lr"), run.data.params.get("seed")): run for run in runs}


def _record(folder):
    client, runs = _runs(folder, "sweep")
    (run,) = runs.values()
    return json.loads(Path(client.download_artifacts(run.info.run_id, "race.json")).read_text())


def test_the_cell_that_does_not_learn_is_dropped_early_and_the_others_end(photos, raced):
    _, runs = _runs(photos)
    assert set(runs) == {
        ("0.01", "0"),
        ("0.01", "1"),
        ("0.005", "0"),
        ("0.005", "1"),
        ("1e-09", "0"),
    }
    dropped = runs["1e-09", "0"]
    assert dropped.info.status == "FINISHED"
    assert "likely to lie within 1 points of the best" in dropped.data.tags["frostline.dropped"]
    assert "test/acc_micro" not in dropped.data.metrics
    for key, run in runs.items():
        if run is not dropped:
            assert "frostline.dropped" not in run.data.tags, key
            assert "test/acc_micro" in run.data.metrics
    assert "1 dropped" in raced.stderr
    assert "5 runs in" in raced.stdout


def test_a_dropped_run_has_no_weights_to_use(photos, raced):
    run_id = _runs(photos)[1]["1e-09", "0"].info.run_id
    refused = start(photos, run_id, module="src.evaluate")
    assert refused.returncode == 2
    assert "a race did not train it to its end" in refused.stderr
    assert "search=grid" in refused.stderr


def test_the_record_has_each_round_with_what_was_known(photos, raced):
    race = _record(photos)
    assert race["rounds"][0]["name"] == "first seed, epoch 1"
    dropping = [one for one in race["rounds"] if one["dropped"]]
    assert [list(one["dropped"]) for one in dropping] == [["lr=1e-09"]]
    judged = dropping[0]["judged"]
    assert judged["lr=1e-09"]["in_reach"] < 0.05
    assert judged["lr=0.01"]["score"] > judged["lr=1e-09"]["score"]


def test_each_comparison_of_seeds_is_a_look(photos, raced):
    _, sweeps = _runs(photos, "sweep")
    (sweep,) = sweeps.values()
    assert len(sweep.data.tags["frostline.looks"].split()) == 1  # two seeds: one comparison


@pytest.mark.slow
def test_a_run_of_a_race_is_bit_identical_to_one_without(photos, raced, tmp_path):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    alone = start(tmp_path, "-m", *TINY, "backbone=test_resnet", *CELLS, "seed=0")
    assert alone.returncode == 0, alone.stderr
    client, runs = _runs(photos)
    own_client, own = _runs(tmp_path)
    for key in (("0.01", "0"), ("0.005", "0")):
        for name in ("val/loss", "train/loss", "val/acc_micro"):
            curves = [
                [(p.step, p.value) for p in c.get_metric_history(r[key].info.run_id, name)]
                for c, r in ((client, runs), (own_client, own))
            ]
            assert curves[0] == curves[1], (key, name)
        for name in ("test/loss", "val_best/loss"):
            assert runs[key].data.metrics[name] == own[key].data.metrics[name]


@pytest.mark.slow
def test_the_same_command_again_trains_nothing_and_decides_the_same(photos, raced):
    before, first = _runs(photos)[1], _record(photos)
    again = start(photos, *RACE, "seed=0,1")
    assert again.returncode == 0, again.stderr
    assert "starts" not in again.stderr
    after = _runs(photos)[1]
    assert {k: r.info.run_id for k, r in after.items()} == {
        k: r.info.run_id for k, r in before.items()
    }
    second = _record(photos)
    assert second["out"] == first["out"]
    assert [one["judged"] for one in second["rounds"]] == [one["judged"] for one in first["rounds"]]


@pytest.mark.slow
def test_a_grid_afterwards_runs_what_is_missing_in_the_same_runs(photos, raced):
    before = _runs(photos)[1]
    grid = [word for word in RACE if word != "search=race"]
    ended = start(photos, *grid, "seed=0,1")
    assert ended.returncode == 0, ended.stderr
    assert "6 jobs, 4 of them finished already, 1 half done" in ended.stderr
    after = _runs(photos)[1]
    assert after["1e-09", "0"].info.run_id == before["1e-09", "0"].info.run_id
    assert "frostline.dropped" not in after["1e-09", "0"].data.tags
    assert set(after) == set(before) | {("1e-09", "1")}
    assert all("test/acc_micro" in run.data.metrics for run in after.values())


@pytest.mark.slow
def test_killed_in_a_round_it_ends_the_same(photos, raced, tmp_path):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    running = subprocess.Popen(
        [sys.executable, "-m", "src.train", *RACE, "seed=0,1"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in running.stderr:
        if "round 2" in line:
            time.sleep(1.0)
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stderr.close()
    again = start(tmp_path, *RACE, "seed=0,1")
    assert again.returncode == 0, again.stderr
    ours, theirs = _runs(tmp_path)[1], _runs(photos)[1]
    for key in (("0.01", "0"), ("0.005", "1")):
        for name in ("val_best/loss", "test/loss", "test/acc_micro"):
            assert ours[key].data.metrics[name] == theirs[key].data.metrics[name], (key, name)


def test_bad_input_is_refused_before_the_first_job(photos):
    words = ("-m", *TINY, "backbone=test_resnet", "lr=1e-3", "freeze=0", "seed=0,1", "search=race")
    ended = start(photos, *words)
    assert ended.returncode == 2
    assert "nothing to compare it with" in ended.stderr
    assert "starts" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_budget_of_epochs_ends_the_race_and_a_larger_one_goes_on(tmp_path, photos):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    words = ("-m", *TINY, "backbone=test_resnet", "lr=1e-2,5e-3", "augment=none", "epochs=4")
    words = (*words, "search=race", "report=false")
    first = start(tmp_path, *words, "budget=5epochs")
    assert first.returncode == 0, first.stderr
    assert "the budget is spent, and 2 cells are left" in first.stderr
    runs = _runs(tmp_path)[1]
    # One epoch of each, then three more of the first.
    assert sorted(run.info.status for run in runs.values()) == ["FINISHED", "SCHEDULED"]
    second = start(tmp_path, *words, "budget=100epochs")
    assert second.returncode == 0, second.stderr
    after = _runs(tmp_path)[1]
    assert {k: r.info.run_id for k, r in runs.items()}.items() <= {
        k: r.info.run_id for k, r in after.items()
    }.items()
    assert all("test/acc_micro" in run.data.metrics for run in after.values())


@pytest.mark.slow
def test_a_budget_for_one_cell_is_spent_on_one_cell(tmp_path, photos):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    words = ("-m", *TINY, "backbone=test_resnet", "lr=1e-2,5e-3", "augment=none", "epochs=4")
    ended = start(tmp_path, *words, "search=race", "report=false", "budget=4epochs")
    assert ended.returncode == 0, ended.stderr
    (run,) = _runs(tmp_path)[1].values()
    assert run.info.status == "FINISHED"


@pytest.mark.slow
def test_a_race_without_any_result_says_so_and_is_no_success(tmp_path, photos):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    words = ("-m", *TINY, "backbone=test_resnet", "lr=1e-2,5e-3", "augment=none", "epochs=400")
    ended = start(tmp_path, *words, "search=race", "report=false", "budget=3s")
    assert ended.returncode == 1, ended.stderr
    assert "nothing to recommend" in ended.stdout + ended.stderr
    again = start(tmp_path, *words, "search=race", "report=false", "epochs=2", "budget=null")
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_budget_too_short_to_compare_all_trains_the_highest_to_its_end(tmp_path, photos):
    shutil.copytree(photos / "photos", tmp_path / "photos")
    words = ("-m", *TINY, "backbone=test_resnet", "lr=1e-9,1e-2,2e-9,5e-3", "augment=none")
    words = (*words, "freeze=0", "epochs=4", "search=race")
    ended = start(tmp_path, *words, "budget=6epochs")
    assert ended.returncode == 0, ended.stderr
    # Half of it looks at three cells, an epoch each; the other half ends the one that learns.
    states = {rate: run.info.status for (rate, _), run in _runs(tmp_path)[1].items()}
    assert states == {"1e-09": "SCHEDULED", "0.01": "FINISHED", "2e-09": "SCHEDULED"}
    race = _record(tmp_path)
    assert [one["name"] for one in race["rounds"]] == [
        "first seed, epoch 1",
        "the highest, to the end",
    ]
    assert (race["is_spent"], race["out"]) == (True, {})
    assert "4 cells are left, 1 of them not begun" in ended.stderr
    page = next((tmp_path / "multirun").glob("*/*/report/report.html")).read_text()
    assert "give its command again" in page
