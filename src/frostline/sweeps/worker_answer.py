"""What a process of ours returns: a value, what went wrong in it, or how it died."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from frostline.errors import FrostlineError
from frostline.sweeps.fork_server import exit_code_of, lives_on


class WorkerDiedError(FrostlineError):
    """A process ended without a result: killed, out of memory, or left by sys.exit."""


@dataclass(frozen=True)
class Failure:
    """What went wrong in another process, as text: its tensors and frames stay there."""

    reason: str
    trace: str
    error: FrostlineError | None
    exit_code: int | None = None

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the process, which therefore could record nothing."""
        return self.exit_code is not None and self.exit_code < 0


class JobFailedError(Exception):
    """Takes the place of what a job raised in its own process; it can be pickled."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.reason


def receive(
    process: Any, ours: Connection, on_event: Callable[[dict[str, Any]], None] | None
) -> Any | Failure:
    """Wait for what a process answers to one call.

    Args:
        process: Of `multiprocessing`.
        ours: This end of its pipe.
        on_event: Called here with each message before the answer.

    Returns:
        The value, or a `Failure` where it has died instead.
    """
    while True:
        wait([ours, process.sentinel])
        if ours.poll():
            try:
                kind, value = ours.recv()
            except (EOFError, ConnectionResetError):  # the latter if it died with a call unread
                process.join()
                return _death(exit_code_of(process))
            if kind == "event":
                if on_event is not None:
                    on_event(value)
                continue
            return value
        if not process.is_alive():
            if lives_on(process):
                return _of_orphan(ours, on_event)
            return _death(exit_code_of(process))


def _of_orphan(
    ours: Connection, on_event: Callable[[dict[str, Any]], None] | None
) -> Any | Failure:
    """What a process gives whose fork server has died; it goes on, and the next has a new one."""
    try:
        while True:
            kind, value = ours.recv()
            if kind != "event":
                return value
            if on_event is not None:
                on_event(value)
    except (EOFError, ConnectionResetError):
        return _death(-signal.SIGKILL)


def _death(exit_code: int | None) -> Failure:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (often: the machine was out of memory)" if -exit_code == signal.SIGKILL else ""
        reason = f"the process was killed by {name}{hint}"
    else:
        reason = f"the process ended with exit code {exit_code} and without a result"
    return Failure(reason, "", WorkerDiedError(reason), exit_code)
