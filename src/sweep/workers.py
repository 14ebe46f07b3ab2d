"""Processes that start with the heavy libraries loaded.

Importing torch, timm and Lightning takes ten seconds and more. A fork server imports them once;
every job is then forked from it in a fraction of a second, with nothing of the jobs before it.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from typing import Any

from src.errors import FrostlineError

PRELOADED = "src.sweep.preload"
STOP_WAIT_S = 60


class WorkerDiedError(FrostlineError):
    """A process ended without an answer: killed, out of memory, or gone by sys.exit."""


class StopSignalError(BaseException):
    """The process was asked to stop, by Ctrl-C (SIGINT) or by SIGTERM."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The exit code that a shell gives for this signal."""
        return 128 + self.signum


@dataclass(frozen=True)
class Failure:
    """What went wrong in another process, as text: its tensors and frames stay there."""

    reason: str
    trace: str
    error: FrostlineError | None
    exit_code: int | None = None


def warm_context() -> ForkServerContext:
    """The context whose processes start warm; the first one pays the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def call(
    function: Callable[..., Any],
    *args: Any,
    on_event: Callable[[dict[str, Any]], None] | None = None,
    env: dict[str, str] | None = None,
) -> Any | Failure:
    """Run a function in a warm process of its own and wait for it.

    Args:
        function: An importable function. If `on_event` is given, it gets a keyword `tell`, which
            takes keyword values and hands them to `on_event` in this process.
        args: Its arguments, picklable.
        on_event: Called here with each message.
        env: Environment variables set in the process.

    Returns:
        The function's value, or a `Failure`.

    Raises:
        StopSignalError: On Ctrl-C or SIGTERM, after the process has ended too.
    """
    context = warm_context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_serve, args=(theirs, function, args, on_event is not None, env or {})
    )
    process.start()
    theirs.close()
    try:
        return _answer(process, ours, on_event)
    except StopSignalError:
        # The job marks its run and goes. A terminal's Ctrl-C reached it already, a kill did not;
        # a second signal does it no harm.
        process.terminate()
        process.join(timeout=STOP_WAIT_S)
        raise
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()


def _answer(
    process: Any, ours: Connection, on_event: Callable[[dict[str, Any]], None] | None
) -> Any | Failure:
    while True:
        wait([ours, process.sentinel])
        if ours.poll():
            try:
                kind, value = ours.recv()
            except EOFError:
                process.join()
                return _death(process.exitcode)
            if kind == "event":
                if on_event is not None:
                    on_event(value)
                continue
            process.join()
            return value
        if not process.is_alive():
            return _death(process.exitcode)


def _death(exit_code: int | None) -> Failure:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (often: the machine was out of memory)" if -exit_code == signal.SIGKILL else ""
        reason = f"the process was killed by {name}{hint}"
    else:
        reason = f"the process ended with exit code {exit_code} and without a result"
    return Failure(reason, "", WorkerDiedError(reason), exit_code)


def _serve(
    theirs: Connection,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    wants_tell: bool,
    env: dict[str, str],
) -> None:
    import os

    os.environ.update(env)
    raise_on_signals()

    def tell(**values: Any) -> None:
        theirs.send(("event", values))

    try:
        value: Any = function(*args, **({"tell": tell} if wants_tell else {}))
    except StopSignalError as stop:
        raise SystemExit(stop.exit_code) from None
    except BaseException as error:
        known = error if isinstance(error, FrostlineError) else None
        text = str(error).strip() or type(error).__name__
        reason = text if known else f"{type(error).__name__}: {text}"
        value = Failure(reason, traceback.format_exc(), known)
    theirs.send(("value", value))
    theirs.close()


def raise_on_signals() -> None:
    """Turn the first SIGINT or SIGTERM into an exception, so that run states are honoured.

    Later ones are ignored in a job, whose ending they would cut short; whoever started it kills it
    if it takes too long.
    """

    def stop(signum: int, _frame: Any) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise StopSignalError(signum)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
