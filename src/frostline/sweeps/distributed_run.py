"""One run on several processes (`trainer=ddp`): this process is the first, the others follow it.

Lightning would start the others by running the command again, which a job of a sweep is not. Here
they are warm processes that carry out the same pipeline; only the first has a record in MLflow.
"""

import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from frostline.config.schema import Settings
from frostline.errors import DeadlineError, FrostlineError
from frostline.scratch import ScratchFolder
from frostline.sweeps.failures import is_not_trainings_own, is_out_of_memory
from frostline.sweeps.fork_server import warm_context
from frostline.sweeps.outcome import RESUMABLE
from frostline.sweeps.resources import own_cores
from frostline.sweeps.signals import STOP_SIGNALS, exit_with_parent
from frostline.sweeps.worker_answer import Failure, WorkerDiedError

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run

Result = TypeVar("Result")
MAX_END_WAIT_S = 60
MAX_HANG_S = 20  # how long this process may take to notice by itself that another has died


class RankFailedError(FrostlineError, RuntimeError):
    """One of the other processes of a distributed run failed.

    A RuntimeError as well, as the errors of PyTorch are: where the other ran out of memory, the
    job is tried again as if this one had.
    """


def on_all_ranks(
    settings: Settings,
    work: Path,
    run: "Run",
    first: Callable[[Settings], Result],
    *,
    until: int | None = None,
) -> Result:
    """Train on as many processes as `trainer=ddp` asks for; on this one alone without it.

    Args:
        settings: All that determines the run.
        work: Where its checkpoints lie.
        run: The run in MLflow.
        first: What this process does, with the settings for one of several.
        until: Epochs that the others train, as a candidate of a tuned job; None for a whole run.

    Returns:
        What `first` returns.

    Raises:
        FrostlineError: If another process failed, with its reason: the one that it raised, a
            WorkerDiedError if it was killed, else a RankFailedError.
    """
    if settings.trainer.strategy != "ddp" or settings.trainer.devices == 1:
        return first(settings)
    settings = _with_threads(settings)
    with (
        _start_ranks(settings, work, until) as others,
        _environment(_rank(0, settings, others.port)),
    ):
        others.watch(lambda failure: _give_up(run, failure))
        try:
            result = first(settings)
        except Exception as error:
            # Reasons that concern all processes, and are raised by each of them.
            if isinstance(error, FrostlineError | DeadlineError) or is_out_of_memory(error):
                raise
            failure = others.failure(wait_s=5)
            if failure is None:
                raise
            raise _error_of(failure) from error
        finally:
            others.done.set()
            _leave_group()
        others.wait()
    return result


def _give_up(run: "Run", failure: Failure) -> None:
    """End this process, which waits for a dead one in code that no exception reaches."""
    error = _error_of(failure)
    run.log_text(failure.trace, "traceback.txt")
    run.set_tags({RESUMABLE: str(is_not_trainings_own(error)).lower()})
    run.finish("FAILED", str(error))
    os._exit(1)


def _error_of(failure: Failure) -> FrostlineError:
    if failure.error is not None:
        return failure.error
    return RankFailedError(f"another process of the run failed: {failure.reason}")


def _with_threads(settings: Settings) -> Settings:
    """Divide the cores among the processes, where nothing else is asked for."""
    if settings.trainer.threads is not None:
        return settings
    threads = max(1, own_cores() // settings.trainer.devices)
    trainer = settings.trainer.model_copy(update={"threads": threads})
    return settings.model_copy(update={"trainer": trainer})


class _Ranks:
    """The other processes, and the first failure among them.

    Args:
        port: Where the first process waits for the others.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.processes: list[tuple[Any, Connection]] = []
        self.done = threading.Event()
        self._failed = threading.Event()
        self._failure: Failure | None = None

    def watch(self, give_up: Callable[[Failure], None]) -> None:
        """Observe the processes from a thread; `give_up` is called if one fails and we hang."""

        def observe() -> None:
            open_ends = [ours for _, ours in self.processes]
            while open_ends and not self.done.is_set():
                for ours in wait(open_ends, timeout=1):
                    assert isinstance(ours, Connection)
                    open_ends.remove(ours)
                    failure = _receive(ours)
                    if failure is not None and not self._failed.is_set():
                        self._failure = failure
                        self._failed.set()
                        if not self.done.wait(MAX_HANG_S):
                            give_up(failure)

        threading.Thread(target=observe, daemon=True).start()

    def failure(self, wait_s: float) -> Failure | None:
        """The first failure that is known."""
        self._failed.wait(wait_s)
        return self._failure

    def wait(self) -> None:
        """Wait until all have ended: they read checkpoints that are removed afterwards."""
        for process, _ in self.processes:
            process.join(MAX_END_WAIT_S)

    def kill(self) -> None:
        """End those that still run."""
        for process, ours in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
            ours.close()


def _receive(ours: Connection) -> Failure | None:
    """The failure of a process that has ended; None if all went well."""
    try:
        failure: Failure | None = ours.recv()
    except (EOFError, OSError):
        reason = "another process of the run was killed (often: the machine was out of memory)"
        return Failure(reason, "", WorkerDiedError(reason))
    return failure


@contextmanager
def _start_ranks(settings: Settings, work: Path, until: int | None) -> Iterator[_Ranks]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ranks = _Ranks(probe.getsockname()[1])
    context = warm_context()
    try:
        for number in range(1, settings.trainer.devices):
            ours, theirs = context.Pipe(duplex=False)
            env = _environment_of_rank(number, settings, ranks.port)
            process = context.Process(target=_follow, args=(theirs, settings, work, until, env))
            process.start()
            theirs.close()
            ranks.processes.append((process, ours))
        yield ranks
    finally:
        ranks.kill()


def _report_nothing(**_: Any) -> None:
    """Progress is reported by the first process."""


def _environment_of_rank(number: int, settings: Settings, port: int) -> dict[str, str]:
    """The environment of another process: this one's, which the fork server does not have.

    What the user set for jobs (`hydra.job.env_set`) or a launcher for this one, such as its cards,
    holds for all of its processes.
    """
    return {**os.environ, **_rank(number, settings, port)}


def _rank(number: int, settings: Settings, port: int) -> dict[str, str]:
    """Environment by which Lightning knows that its processes exist, and which of them this is."""
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(settings.trainer.devices),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(number),
    }


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _leave_group() -> None:
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _follow(
    theirs: Connection, settings: Settings, work: Path, until: int | None, env: Mapping[str, str]
) -> None:
    """One of the other processes; the first one decides when to stop, and writes the record."""
    from frostline.training.engine import take_card
    from frostline.training.recorder import CurveLog, RunRecorder
    from frostline.training.run import fit_candidate, train_run

    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    exit_with_parent()
    os.environ.update(env)
    # The first process alone decides that the budget is spent, so that none waits for another.
    budget = settings.sweep.model_copy(update={"deadline_s": None})
    settings = settings.model_copy(update={"sweep": budget})
    failure: Failure | None = None
    try:
        take_card(settings.trainer, int(env["LOCAL_RANK"]))
        with ScratchFolder("rank") as folder:
            recorder = RunRecorder(CurveLog(lambda *_: None), folder)
            if until is None:
                train_run(settings, folder, work, recorder, _report_nothing)
            else:
                fit_candidate(settings, folder, work, recorder, _report_nothing, until=until)
    except BaseException as error:
        ours = error if isinstance(error, FrostlineError) else None
        failure = Failure(f"{type(error).__name__}: {error}", traceback.format_exc(), ours)
    with suppress(OSError):
        theirs.send(failure)
    theirs.close()
    _leave_group()
