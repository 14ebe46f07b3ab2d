"""How a process of a sweep is asked to stop: by a signal, or by its parent's death."""

import multiprocessing
import os
import signal
import threading
import time
from typing import Any

# Ctrl-C, the usual end, a closed terminal, and how batch systems warn before a limit: Slurm and
# Grid Engine by USR1 or USR2 (`sbatch --signal=USR1@90`, `qsub -notify`), LSF by USR2, limits of
# CPU time by XCPU.
STOP_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
MAX_STOP_S = 60  # how long a job may take to record that it was stopped


class StopSignalError(BaseException):
    """The process was asked to stop, by one of `STOP_SIGNALS`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def name(self) -> str:
        """The signal's name, such as `SIGTERM`."""
        return signal.Signals(self.signum).name

    @property
    def exit_code(self) -> int:
        """The exit code that a shell gives for this signal."""
        return 128 + self.signum


def exit_with_parent(*, at_once: bool = True) -> None:
    """End this process when its parent has died, by SIGKILL for instance.

    An orphan would continue training for a sweep that nobody waits for.

    Args:
        at_once: Do not give this process time to record first that it was stopped.
    """

    def follow() -> None:
        parent = multiprocessing.parent_process()
        if parent is None:
            return
        parent.join()
        if not at_once:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(MAX_STOP_S)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()


def raise_on_signals() -> None:
    """Turn the first of `STOP_SIGNALS` into an exception, so that run states are honoured.

    SIGHUP comes when a terminal or a connection is closed; under `nohup` it stays ignored.

    Later signals are ignored, since they would interrupt the job's ending; the parent process kills
    a job that takes too long.
    """
    seen: list[int] = []

    def stop(signum: int, _frame: Any) -> None:
        # A flag, rather than removing the handler: Lightning restores, in the middle of the ending,
        # the handlers that it found when training began.
        if not seen:
            seen.append(signum)
            raise StopSignalError(signum)

    for each in STOP_SIGNALS:
        if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, stop)
