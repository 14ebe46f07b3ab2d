"""The proof that follows chaos can fail: each thing that it looks for is put into a store."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from tests.faults.chaos_figures import prove_figures
from tests.faults.chaos_proof import prove_data, prove_resumed, prove_rows
from tests.faults.chaos_sweep import ChaosSweep
from tests.faults.conftest import jobs_of, store_of
from tests.integration.conftest import environment


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosSweep]:
    """A sweep of four jobs that has ended."""
    folder = tmp_path_factory.mktemp("ended")
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment(folder).items():
            patch.setenv(key, value)
        ended = ChaosSweep(folder, jobs=4)
        ended.end_alone()
        yield ended


@pytest.fixture
def store(sweep: ChaosSweep) -> Store:
    return store_of(sweep.folder)


@pytest.fixture
def runs(sweep: ChaosSweep) -> list[RunRecord]:
    return jobs_of(sweep.folder)


@contextmanager
def changed(sweep: ChaosSweep, statement: str, undo: str) -> Iterator[None]:
    database = sqlite3.connect(sweep.folder / "mlflow.db", isolation_level=None)
    assert database.execute(statement).rowcount == 1
    try:
        yield
    finally:
        assert database.execute(undo).rowcount == 1
        database.close()


def test_what_was_not_disturbed_passes(
    sweep: ChaosSweep, store: Store, runs: list[RunRecord]
) -> None:
    digests = {run.tags["frostline.job_digest"] for run in runs}
    prints = {run.tags["frostline.data_fingerprint"] for run in runs}
    prove_rows(sweep, store, runs)
    prove_data(runs)
    assert prove_resumed(runs, {run.run_id for run in runs}, digests, prints) == 0
    assert sum(prove_figures(store, run) for run in runs) == 4 * 2 * 4
    assert len({run.metrics["val_best/loss"] for run in runs}) == 4, "all alike proves nothing"


def test_a_row_that_stands_twice_and_an_epoch_that_is_missing(
    sweep: ChaosSweep, store: Store, runs: list[RunRecord]
) -> None:
    row = f"run_uuid = '{runs[0].run_id}' and key = 'val/loss' and step = 1"
    columns = "key, value, timestamp, run_uuid, step, is_nan"
    with (
        changed(
            sweep,
            f"insert into metrics ({columns}) select key, value, timestamp + 7, run_uuid, step, "
            f"is_nan from metrics where {row}",
            f"delete from metrics where {row} and timestamp = "
            f"(select max(timestamp) from metrics where {row})",
        ),
        pytest.raises(AssertionError, match="val/loss"),
    ):
        prove_rows(sweep, store, runs)
    with (
        changed(
            sweep,
            f"update metrics set step = 77 where {row}",
            f"update metrics set step = 1 where {row.replace('step = 1', 'step = 77')}",
        ),
        pytest.raises(AssertionError, match="77"),
    ):
        prove_rows(sweep, store, runs)


def test_a_figure_that_predictions_do_not_give(store: Store, runs: list[RunRecord]) -> None:
    for key, by in (("test/loss", 0.01), ("val_best/f1_macro", 1e-4), ("test/acc_micro", 1e-4)):
        other = replace(runs[0], metrics={**runs[0].metrics, key: runs[0].metrics[key] + by})
        with pytest.raises(AssertionError, match=key.rpartition("/")[2]):
            prove_figures(store, other)


def test_predictions_of_another_run(store: Store, runs: list[RunRecord], tmp_path: Path) -> None:
    paths = [store.fetch_artifact(run.run_id, "predictions/val.parquet") for run in runs[:2]]
    kept = shutil.copyfile(paths[0], tmp_path / "kept")
    shutil.copyfile(paths[1], paths[0])
    try:
        with pytest.raises(AssertionError, match="val"):
            prove_figures(store, runs[0])
    finally:
        shutil.copyfile(kept, paths[0])


def test_runs_that_nobody_resumed(runs: list[RunRecord]) -> None:
    digests = {run.tags["frostline.job_digest"] for run in runs}
    prints = {run.tags["frostline.data_fingerprint"] for run in runs}
    killed = replace(runs[0], run_id="another", status="KILLED")
    with pytest.raises(AssertionError, match="left beside another"):
        prove_resumed([*runs, killed], {"another"}, digests, prints)
    with pytest.raises(AssertionError, match="not resumed"):
        prove_resumed([killed], {"another"}, set(), prints)
    with pytest.raises(AssertionError, match="neither whole nor resumed"):
        prove_resumed([replace(killed, status="FAILED")], {"another"}, digests, prints)
    with pytest.raises(AssertionError, match="failed for good"):
        prove_resumed([replace(killed, status="FAILED")], set(), set(), prints)
    assert prove_resumed([killed], {"another"}, set(), set()) == 1, "of data that never come again"


def test_a_digest_of_two_data_sets(runs: list[RunRecord]) -> None:
    other = replace(runs[0], tags={**runs[0].tags, "frostline.data_fingerprint": "0" * 64})
    with pytest.raises(AssertionError, match="two data sets"):
        prove_data([*runs, other])
