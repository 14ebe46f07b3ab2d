"""What a run on several processes fails by, where more than one of them has something to say.

The other processes are stand-ins that have failed already; tests/faults/test_distributed.py has
real ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from frostline.errors import DataChangedError, DeadlineError
from frostline.sweeps import distributed_run
from frostline.sweeps.distributed_run import RankFailedError, on_all_ranks
from frostline.sweeps.failures import is_not_trainings_own, is_out_of_memory
from frostline.sweeps.worker_answer import Failure, WorkerDiedError
from frostline.training.task import TrainingDivergedError
from tests.sweeps.test_sweep_groups import settings

LOST_PEER = RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]")
DDP = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")


def raised(
    monkeypatch: pytest.MonkeyPatch, first: BaseException, other: Failure | None
) -> BaseException:
    """What the run ends by, where its first process raises and another has failed."""

    @contextmanager
    def start(*_: object) -> Iterator[Any]:
        ranks = distributed_run._Ranks(0)
        ranks._failure = other
        if other is not None:
            ranks._failed.set()
        yield ranks

    def train(_: object) -> None:
        raise first

    monkeypatch.setattr(distributed_run, "_start_ranks", start)
    with pytest.raises(Exception) as caught:
        on_all_ranks(settings(*DDP), Path(), None, train)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    "own",
    [
        TrainingDivergedError("the training loss became nan in epoch 1"),
        DataChangedError("5 of 32 files differ"),
        DeadlineError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
)
def test_what_each_process_raises_is_not_the_failure_of_another(
    own: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a diverged candidate would end its tuning, and a spent budget would be a failure."""
    other = Failure(f"{type(own).__name__}: {own}", "", None)
    assert raised(monkeypatch, own, other) is own


def test_a_killed_process_is_no_failure_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = distributed_run.warm_context().Pipe(duplex=False)
    theirs.close()  # as the system does for a process that was killed
    error = raised(monkeypatch, LOST_PEER, distributed_run._receive(ours))
    assert isinstance(error, WorkerDiedError)
    assert "another process of the run was killed" in str(error)
    assert is_not_trainings_own(error)


def test_memory_that_ran_out_in_another_process_did_so_for_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = raised(
        monkeypatch, LOST_PEER, Failure("OutOfMemoryError: CUDA out of memory", "", None)
    )
    assert isinstance(error, RankFailedError)
    assert is_out_of_memory(error)
    assert is_not_trainings_own(error)


def test_inputs_that_another_process_finds_changed_stop_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = DataChangedError("5 of 32 files differ")
    assert raised(monkeypatch, LOST_PEER, Failure("changed", "", found)) is found


def test_an_error_of_the_code_in_another_process_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = raised(monkeypatch, LOST_PEER, Failure("KeyError: 'x'", "", None))
    assert str(error) == "another process of the run failed: KeyError: 'x'"
    assert not is_not_trainings_own(error)
