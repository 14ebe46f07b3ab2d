"""What must hold of a store after any faults, once its sweep was left alone to its end."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store

# The score's precision in the store.
SAME = 1e-6


@dataclass(frozen=True)
class Proven:
    """What was looked at.

    Attributes:
        states: Of the jobs' runs. RUNNING: nobody has asked for a dead one's data again.
        scores: How many scores were computed again from predictions.
        data_sets: Of how many data sets there are finished runs.
    """

    states: dict[str, int]
    scores: int
    data_sets: int


def prove(folder: Path, *, jobs: int, epochs: int) -> Proven:
    """Compare a store with what a sweep that nobody disturbed must leave.

    Args:
        folder: Of the store and the photos, which are the first ones again.
        jobs: How many the sweep has.
        epochs: Of each.

    Raises:
        AssertionError: If a job is lost, stands twice, went back, is open though the sweep is over,
            cannot be resumed, is damaged, cannot be computed again from its predictions, or stands
            under a digest that its data do not have.
    """
    from frostline.data.sources.folder import load_folder
    from frostline.tracking.store import open_store
    from frostline.tracking.waiting import waiting_journals

    store = open_store(None, "photos", folder=folder)
    runs = store.find_runs({"frostline.kind": "job"})
    true = load_folder(str(folder / "photos"), on_bad_image="error").fingerprint
    finished = [run for run in runs if run.status == "FINISHED"]
    on_true = [run for run in finished if run.tags["frostline.data_fingerprint"] == true]
    digests = Counter(run.tags["frostline.job_digest"] for run in finished)
    assert set(digests.values()) == {1}, "a job stands twice"
    assert len(on_true) == jobs, "a job is lost"
    _prove_open_runs(store, runs, {run.tags["frostline.job_digest"] for run in on_true})
    _prove_data(runs)
    _prove_nothing_damaged(store)
    assert waiting_journals(store.address) == []
    for run in finished:
        steps = [point.step for point in store.metric_history(run.run_id, "train/loss")]
        assert steps == list(range(epochs)), (run.name, steps)
    return Proven(
        dict(Counter(run.status for run in runs)),
        sum(_prove_scores(store, run) for run in finished),
        len({run.tags["frostline.data_fingerprint"] for run in finished}),
    )


def _prove_open_runs(store: Store, runs: list[RunRecord], ended: set[str]) -> None:
    """A run whose data came and went may stand open; it is known to be dead, so it can be resumed.

    No run of a job that has ended since may.
    """
    from frostline.tracking.abandoned import abandoned_runs

    dead = {run.run_id for run in abandoned_runs(store, {"frostline.kind": "job"})}
    for run in runs:
        known = run.status in {"FINISHED", "FAILED", "KILLED"}
        shown = (run.run_id, run.name, run.status, dict(run.tags))
        assert known or run.run_id in dead, ("a run can neither end nor be resumed", shown)
        assert known or run.tags["frostline.job_digest"] not in ended, ("a run is open", shown)


def _prove_data(runs: list[RunRecord]) -> None:
    by_digest: dict[str, set[str]] = {}
    for run in runs:
        tag = run.tags.get("frostline.data_fingerprint")
        if tag is not None:
            by_digest.setdefault(run.tags["frostline.job_digest"], set()).add(tag)
    assert all(len(prints) == 1 for prints in by_digest.values()), "a digest of two data sets"


def _prove_nothing_damaged(store: Store) -> None:
    from frostline.tracking.store_check import check_store
    from frostline.training.checkpoint import load_checkpoint

    with tempfile.TemporaryDirectory() as name:
        found = list(check_store(store, check_checkpoint=load_checkpoint, into=Path(name)))
    assert [each for each in found if each.kind != "abandoned"] == []


def _prove_scores(store: Store, run: RunRecord) -> int:
    """Compute a run's scores again from its predictions; how many."""
    from frostline.tracking.prediction_files import read_predictions

    for split, prefix in (("val", "val_best"), ("test", "test")):
        path = store.fetch_artifact(run.run_id, f"predictions/{split}.parquet")
        own = float(read_predictions(path).correct.mean())
        assert abs(own - run.metrics[f"{prefix}/acc_micro"]) < SAME, run.name
    return 2
