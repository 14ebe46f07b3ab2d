"""Row 8: killed before, at or after an unfreeze, the same command goes on to the same numbers."""

import signal
from pathlib import Path

import pytest

from frostline.tracking.records import RunRecord
from tests.faults.conftest import (
    NET,
    Started,
    assert_same_training,
    call,
    curve,
    ended_place,
    jobs_of,
)

BASE = (*NET, "epochs=4", "head.dropout=0.2", "freeze=3", "optimizer.layer_decay=0.8", "lr=0.002")
HEAD_FIRST = (*BASE, "schedule=head_first", "lr_schedule=plateau", "lr_schedule.patience_epochs=0")
# The head's phase may have three epochs, and ends after two: the second one is no better.
PATIENT = (*BASE, "schedule=head_first", "schedule.head_epochs=3", "schedule.patience_epochs=1")
GRADUAL = (*BASE, "schedule=gradual", "optimizer=sgd")
# test_resnet has five stages: the head alone, then four, then three frozen stages.
DEPTHS = {
    (*HEAD_FIRST, "schedule.head_epochs=1"): [5, 3, 3, 3],
    (*HEAD_FIRST, "schedule.head_epochs=2"): [5, 5, 3, 3],
    PATIENT: [5, 5, 3, 3],
    GRADUAL: [5, 4, 3, 3],
}
# Where the process is killed: at the first step of the second epoch, or of the third.
SECOND, THIRD = "kill@0.002", "pause-late@0.002"
_whole: dict[tuple[str, ...], tuple[Path, RunRecord]] = {}


def uninterrupted(
    options: tuple[str, ...], factory: pytest.TempPathFactory, empty_store_file: Path
) -> tuple[Path, RunRecord]:
    """The run that nobody interrupts, carried out once for all tests."""
    if options not in _whole:
        place = ended_place(factory.mktemp("whole"), empty_store_file, *options)
        (run,) = jobs_of(place)
        _whole[options] = place, run
    return _whole[options]


@pytest.mark.parametrize(
    ("options", "fault", "done"),
    [
        pytest.param((*HEAD_FIRST, "schedule.head_epochs=2"), SECOND, 1, id="before"),
        pytest.param((*HEAD_FIRST, "schedule.head_epochs=1"), SECOND, 1, id="at"),
        pytest.param((*HEAD_FIRST, "schedule.head_epochs=1"), THIRD, 2, id="after"),
        pytest.param(PATIENT, SECOND, 1, id="within-a-phase-that-ends-early"),
        pytest.param(PATIENT, THIRD, 2, id="after-a-phase-that-ended-early"),
        pytest.param(GRADUAL, SECOND, 1, id="at-the-first-thaw", marks=pytest.mark.slow),
        pytest.param(GRADUAL, THIRD, 2, id="at-the-second-thaw", marks=pytest.mark.slow),
    ],
)
def test_sigkill_around_an_unfreeze_leaves_a_run_that_goes_on_in_the_right_phase(
    options: tuple[str, ...],
    fault: str,
    done: int,
    here: Path,
    started: list[Started],
    tmp_path_factory: pytest.TempPathFactory,
    empty_store_file: Path,
) -> None:
    whole = uninterrupted(options, tmp_path_factory, empty_store_file)
    if fault == THIRD:
        command = Started(here, *options, faults=fault)
        started.append(command)
        command.paused_job()
        command.signal_group(signal.SIGKILL)
        command.end()
    else:
        assert call(here, *options, faults=fault).returncode == -signal.SIGKILL
    (stopped,) = jobs_of(here)
    assert stopped.status == "RUNNING"
    assert [step for step, _ in curve(here, stopped, "train/loss")] == list(range(done))
    again = call(here, *options)
    assert again.returncode == 0, again.stderr
    (run,) = jobs_of(here)
    assert (run.run_id, run.status) == (stopped.run_id, "FINISHED")
    assert [depth for _, depth in curve(here, run, "train/frozen_stages")] == DEPTHS[options]
    assert curve(here, run, "lr") == curve(*whole, "lr")
    assert run.tags["frostline.frozen_digest"] == whole[1].tags["frostline.frozen_digest"]
    assert_same_training((here, run), whole)


@pytest.mark.slow
def test_two_processes_thaw_together_and_give_the_figures_of_one(here: Path) -> None:
    training = (*NET, "backbone=test_vit", "epochs=3", "batch_size=6", "lr=0.001", "freeze=2")
    common = (*training, "schedule=head_first", "schedule.head_epochs=1", "trainer.threads=1")
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    for trainer in (("trainer=cpu",), ddp):
        ended = call(here, *common, *trainer)
        assert ended.returncode == 0, ended.stderr
    two, one = jobs_of(here)
    assert two.tags["frostline.job_digest"] != one.tags["frostline.job_digest"]
    assert curve(here, two, "train/frozen_stages") == [(0, 5.0), (1, 2.0), (2, 2.0)]
    for metric in ("train/loss", "val/loss", "test/loss"):
        figures = [[value for _, value in curve(here, run, metric)] for run in (one, two)]
        assert figures[1] == pytest.approx(figures[0], rel=1e-4)
