"""One job fails: the others run, the failure stands on its run, the sweep ends with code 1."""

from pathlib import Path

from src.tracking.store import open_store
from tests.integration.conftest import TINY, start


def test_one_failing_job_leaves_five_finished(place: Path) -> None:
    # A learning rate of 1e30 makes the loss infinite after the first step: a real failure.
    hopeless = ("optimizer=sgd", "lr=0.01,1e30", "freeze=0", *TINY)
    sound = start(place, "-m", "backbone=test_resnet", "freeze=2,all", "seed=0,1", *TINY)
    assert sound.returncode == 0, sound.stderr
    ended = start(place, "-m", "backbone=test_resnet", *hopeless)
    assert ended.returncode == 1

    store = open_store(None, "photos", folder=place)
    runs = store.find_runs({"frostline.kind": "job"})
    assert sorted(run.status for run in runs) == ["FAILED"] + ["FINISHED"] * 5
    (failed,) = [run for run in runs if run.status == "FAILED"]
    assert "the training loss became" in failed.tags["frostline.failure"]
    trace = store.fetch_artifact(failed.run_id, "traceback.txt").read_text()
    assert "TrainingDivergedError" in trace
    assert "FAILED  test_resnet-freeze0-seed0: the training loss became" in ended.stdout
    statuses = {run.status for run in store.find_runs({"frostline.kind": "sweep"})}
    assert statuses == {"FINISHED", "FAILED"}
