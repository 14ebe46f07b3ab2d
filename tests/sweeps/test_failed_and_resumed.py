"""A failed run goes on from its checkpoint where the failure was not its training's own."""

import errno
from pathlib import Path

import pytest

from frostline.errors import ConfigError, DataChangedError, TrackingError
from frostline.sweeps.execute import execute
from frostline.sweeps.execute_group import execute_group
from frostline.sweeps.failures import after_training, is_not_trainings_own
from frostline.sweeps.job import Job
from frostline.sweeps.outcome import Outcome
from frostline.tracking.store import open_store
from frostline.training.task import TrainingDivergedError
from tests.contracts.test_tuned_runs import planned


def after_the_last_epoch(error: Exception) -> Exception:
    try:
        with after_training():
            raise error
    except Exception as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (TrackingError("the store is away"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), True),
        (after_the_last_epoch(ValueError("a figure cannot be drawn")), True),
        (ValueError("a figure cannot be drawn"), False),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),
        (TrainingDivergedError("the loss is nan"), False),
        (ConfigError("no such depth"), False),
        (DataChangedError("it holds other bytes"), False),
        (ZeroDivisionError("division by zero"), False),
    ],
)
def test_which_failures_are_not_the_trainings_own(error: Exception, expected: bool) -> None:
    assert is_not_trainings_own(error) is expected


def test_a_head_that_failed_around_its_training_goes_on_in_its_run(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads that train together keep no checkpoint. The fault is planted: a full disk."""
    words = ("backbone=test_resnet", "weights=random", "freeze=all", "tune=none")
    both = planned(fresh_store_uri, (*words, "lr=0.01"), (*words, "lr=0.02"))
    jobs = [Job(settings, tmp_path, env={}) for settings in both]

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def runs() -> dict[str, str]:
        found = open_store(fresh_store_uri, "tuned").find_runs({"frostline.kind": "job"})
        return {run.run_id: run.status for run in found}

    with monkeypatch.context() as disk:
        disk.setattr("frostline.sweeps.execute_group.record_training", full)
        failed = execute_group(jobs, on_progress=lambda **_: None)
    assert [outcome.state for outcome in failed if outcome is not None] == ["failed", "failed"]
    first = runs()
    assert set(first.values()) == {"FAILED"}
    again = execute_group(jobs, on_progress=lambda **_: None)
    assert [outcome.state for outcome in again if outcome is not None] == ["done", "done"]
    assert runs() == dict.fromkeys(first, "FINISHED")


@pytest.mark.parametrize("is_own", [False, True])
def test_what_failed_around_the_training_is_resumed_and_nothing_else(
    tmp_path: Path, fresh_store_uri: str, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    """The fault is planted: evidence that cannot be written, or a loss that is no number."""
    words = ("backbone=test_resnet", "weights=random", "freeze=0", "lr=0.01", "tune=none")
    (settings,) = planned(fresh_store_uri, words)

    def fail(*_: object, **__: object) -> None:
        if is_own:
            raise TrainingDivergedError("the loss is nan")
        raise OSError(errno.ENOSPC, "No space left on device")

    texts: list[str] = []

    def attempt(number: int) -> Outcome:
        folder = tmp_path / str(number)
        folder.mkdir()
        return execute(
            Job(settings, folder, env={}),
            on_progress=lambda **values: texts.append(str(values.get("text", ""))),
        )

    with monkeypatch.context() as planted:
        own, around = "frostline.training.run._evaluate", "frostline.sweeps.execute.record_training"
        planted.setattr(own if is_own else around, fail)
        with pytest.raises(Exception, match="nan" if is_own else "No space left"):
            attempt(1)
    (failed,) = open_store(fresh_store_uri, "tuned").find_runs({"frostline.kind": "job"})
    assert failed.status == "FAILED"
    assert failed.tags["frostline.resumable"] == ("false" if is_own else "true")
    texts.clear()
    done = attempt(2)
    assert ("goes on where it was interrupted" in texts) is not is_own
    assert (done.run_id == failed.run_id) is not is_own
    runs = open_store(fresh_store_uri, "tuned").find_runs({"frostline.kind": "job"})
    assert len(runs) == (2 if is_own else 1)
    assert runs[0].status == "FINISHED"
