"""Runs that were killed at odd moments: resumed as themselves, and described as all others."""

import signal
import time
from pathlib import Path

import pytest

from frostline.sweeps import execute as executing
from frostline.sweeps.execute import execute
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.sweeps.signals import StopSignalError
from frostline.tracking.store import open_store
from tests.contracts.test_tuned_runs import planned


@pytest.mark.parametrize("described", [False, True])
def test_what_a_killed_process_left_out_is_recorded_when_it_is_resumed(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch, described: bool
) -> None:
    words = ("backbone=test_resnet", "weights=random", "freeze=0", "lr=0.01", "tune=none")
    (settings,) = planned(fresh_store_uri, words)
    real = executing.describe

    def stop(*given: object, **named: object) -> None:
        if described:
            real(*given, **named)  # type: ignore[arg-type]
        raise StopSignalError(signal.SIGTERM)

    def attempt(name: str) -> Outcome:
        (tmp_path / name).mkdir()
        return execute(Job(settings, tmp_path / name, env={}), on_progress=lambda **_: None)

    with monkeypatch.context() as patch:
        patch.setattr(executing, "describe", stop)
        with pytest.raises(StopSignalError):
            attempt("first")
    store = open_store(fresh_store_uri, "tuned")
    (left,) = store.find_runs({"frostline.kind": "job"}, everywhere=True)
    assert left.status == "KILLED"
    outcome = attempt("again")
    (record,) = store.find_runs({"frostline.kind": "job"}, everywhere=True)
    assert (outcome.run_id, record.status) == (left.run_id, "FINISHED")
    files = {path.rpartition("/")[2] for path in store.list_artifacts(record.run_id)}
    assert {"config.yaml", "provenance.json", "set_by.json", "data.json"} <= files
    assert record.params["backbone"] == "test_resnet" and record.params["lr"] == "0.01"
    assert record.tags["lr_from"] == "typed"


def test_a_killed_run_is_resumed_though_the_clock_was_set_back_before_it(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older failure seems to be the newest run; what was killed since is still resumed."""
    words = ("backbone=test_resnet", "weights=random", "freeze=0", "lr=0.01", "tune=none")
    (settings,) = planned(fresh_store_uri, words)

    def attempt(name: str) -> Outcome:
        (tmp_path / name).mkdir()
        return execute(Job(settings, tmp_path / name, env={}), on_progress=lambda **_: None)

    def stopped_by(error: BaseException) -> None:
        def stop(*_: object, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(executing, "_train", stop)
            with pytest.raises(type(error)):
                attempt(type(error).__name__)

    real = time.time
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: real() + 5 * 3600)
        stopped_by(ZeroDivisionError("an error of the code"))
    stopped_by(StopSignalError(signal.SIGTERM))
    store = open_store(fresh_store_uri, "tuned")
    newest, killed = store.find_runs({"frostline.kind": "job"}, everywhere=True)
    assert (newest.status, killed.status) == ("FAILED", "KILLED")
    assert attempt("again").run_id == killed.run_id
