"""What must hold of a store after any faults, once its sweep was left alone to its end."""

import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from tests.faults.chaos_figures import prove_figures, prove_report
from tests.faults.chaos_sweep import EPOCHS, FIRST, ChaosSweep
from tests.faults.chaos_undisturbed import prove_same_as_undisturbed

OF_EACH_EPOCH = ("train/loss", "val/loss", "val/acc_micro", "val/acc_macro", "val/f1_macro", "lr")


@dataclass(frozen=True)
class Proven:
    """What was looked at.

    Attributes:
        states: Of the jobs' runs.
        resumed: How many runs that the faults had left open have ended as themselves since.
        unknown: How many open runs are of data caught in the middle of a change, which never come
            again.
        figures: How many figures were computed again from predictions.
        same: How many runs are those of an undisturbed sweep.
        data_sets: Of how many states of the data there are finished runs.
    """

    states: dict[str, int]
    resumed: int
    unknown: int
    figures: int
    same: int
    data_sets: int


def prove(sweep: ChaosSweep) -> Proven:
    """Let a sweep end, and compare its store with what nobody's faults may have changed.

    Args:
        sweep: It is over; its photos are the first ones again.

    Raises:
        AssertionError: If a job is lost, stands twice, went back, is open though the sweep is over,
            was not resumed, is damaged, cannot be computed again from its predictions, stands under
            a digest that its data do not have, or differs from one that nobody disturbed.
    """
    left_open = {_first_id(run) for run in _runs(sweep) if run.status in {"KILLED", "RUNNING"}}
    prints = {name: _fingerprint(photos) for name, photos in sweep.states.items()}
    ended = _end_each_state(sweep, prints, left_open)
    store, runs = _store(sweep), _runs(sweep)
    finished = [run for run in runs if run.status == "FINISHED"]
    by_digest = Counter(run.tags["frostline.job_digest"] for run in finished)
    assert set(by_digest.values()) == {1}, "a job stands twice"
    for name in ended:
        of_it = [run for run in finished if _data_of(run) == prints[name]]
        assert len(of_it) == sweep.jobs, (name, len(of_it), "a job is lost")
    assert {_data_of(run) for run in finished} <= set(prints.values()), "data that never were"
    unknown = prove_resumed(runs, left_open, set(by_digest), set(prints.values()))
    prove_data(runs)
    prove_rows(sweep, store, finished)
    _prove_nothing_damaged(store)
    first = [run for run in finished if _data_of(run) == prints[FIRST]]
    figures = sum(prove_figures(store, run) for run in finished) + prove_report(sweep, store, first)
    same = prove_same_as_undisturbed(sweep, store, first)
    _prove_again_changes_nothing(sweep, runs)
    before, raw, trace = sweep.log.read_text().partition("Traceback (most recent call last)")
    assert not raw, ("a raw error", before[-500:], trace[:3000])
    return Proven(
        dict(Counter(run.status for run in runs)),
        len(left_open) - unknown,
        unknown,
        figures,
        same,
        len({_data_of(run) for run in finished}),
    )


def _end_each_state(sweep: ChaosSweep, prints: dict[str, str], left_open: set[str]) -> list[str]:
    """Let the sweep end with each state of the photos that has open runs, the first one always."""
    ended = []
    for name in sweep.states:
        still = [r for r in _runs(sweep) if _first_id(r) in left_open and r.status != "FINISHED"]
        if name == FIRST or any(_data_of(run) in {"", prints[name]} for run in still):
            sweep.show_photos(name)
            sweep.end_alone()
            ended.append(name)
    sweep.show_photos(FIRST)
    return ended


def prove_resumed(
    runs: list[RunRecord], left_open: set[str], ended: set[str], known: set[str]
) -> int:
    """A run that faults left open has ended as itself; how many are of data never seen again."""
    unknown = 0
    for run in runs:
        shown = (run.run_id, run.name, run.status, dict(run.tags))
        if run.status in {"KILLED", "RUNNING"}:
            assert run.tags["frostline.job_digest"] not in ended, ("left beside another", shown)
            assert _data_of(run) not in known, ("not resumed", shown)
            unknown += 1
        elif _first_id(run) in left_open:
            assert run.status == "FINISHED", ("neither whole nor resumed", shown)
        if run.status == "FAILED":
            digest = run.tags["frostline.job_digest"]
            assert digest in ended or _data_of(run) not in known, ("failed for good", shown)
    return unknown


def prove_data(runs: list[RunRecord]) -> None:
    by_digest: dict[str, set[str]] = {}
    for run in runs:
        if _data_of(run):
            by_digest.setdefault(run.tags["frostline.job_digest"], set()).add(_data_of(run))
    assert all(len(prints) == 1 for prints in by_digest.values()), "a digest of two data sets"


def prove_rows(sweep: ChaosSweep, store: Store, finished: list[RunRecord]) -> None:
    """No row stands twice, in no run; and a finished run has each epoch of all that is logged."""
    database = sqlite3.connect(sweep.folder / "mlflow.db")
    twice = database.execute(
        "select run_uuid, key, step, count(*) from metrics group by 1, 2, 3 having count(*) > 1"
    ).fetchall()
    database.close()
    assert twice == [], twice
    for run in finished:
        for key in OF_EACH_EPOCH:
            steps = [point.step for point in store.metric_history(run.run_id, key)]
            assert steps == list(range(EPOCHS)), (run.name, key, steps)


def _prove_nothing_damaged(store: Store) -> None:
    from frostline.tracking.store_check import check_store
    from frostline.tracking.waiting import waiting_journals
    from frostline.training.checkpoint import load_checkpoint

    with tempfile.TemporaryDirectory() as name:
        found = list(check_store(store, check_checkpoint=load_checkpoint, into=Path(name)))
    wrong = [each for each in found if each.kind != "abandoned"]
    assert wrong == [], wrong
    waiting = waiting_journals(store.address)
    assert waiting == [], waiting


def _prove_again_changes_nothing(sweep: ChaosSweep, before: list[RunRecord]) -> None:
    sweep.end_alone()
    ends = [
        {run.run_id: (run.status, run.end_ms) for run in runs} for runs in (before, _runs(sweep))
    ]
    assert ends[0] == ends[1], "a sweep that is over was trained again"


def _store(sweep: ChaosSweep) -> Store:
    from frostline.tracking.store import open_store

    return open_store(None, "photos", folder=sweep.folder)


def _runs(sweep: ChaosSweep) -> list[RunRecord]:
    return _store(sweep).find_runs({"frostline.kind": "job"})


def _fingerprint(photos: Path) -> str:
    from frostline.data.sources.folder import load_folder

    return load_folder(photos, on_bad_image="error").fingerprint


def _data_of(run: RunRecord) -> str:
    return run.tags.get("frostline.data_fingerprint", "")


def _first_id(run: RunRecord) -> str:
    """The same before and after a run that began without the store was delivered."""
    from frostline.tracking.offline_runs import local_name

    return local_name(run)
