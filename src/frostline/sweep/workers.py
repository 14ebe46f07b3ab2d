"""Processes that start with the heavy libraries loaded.

Importing torch, timm and Lightning takes ten seconds and more. A fork server imports them once;
every job is then forked from it in a fraction of a second, with nothing of the jobs before it.
"""

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from typing import Any, Self

from frostline.cores import share_cores
from frostline.errors import FrostlineError
from frostline.redact import hide_secrets_in_output, redacted
from frostline.sweep.failures import free_memory
from frostline.sweep.signals import MAX_STOP_S, StopSignalError, exit_with_parent, raise_on_signals

PRELOADED = "frostline.sweep.preload"
OWN_PREFIX = "FROSTLINE_"  # of our environment variables
_TERMINATE_EVERY_S = 2
_UNKNOWN_EXIT_CODE = 255  # what multiprocessing reports once a fork server has died


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


def warm_context() -> ForkServerContext:
    """The context whose processes start with the libraries loaded; the first one imports them."""
    share_cores()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def warm_up() -> None:
    """Start the fork server, which imports while this process does something else."""
    warm_context()
    forkserver.ensure_running()


def cool_down() -> None:
    """End the fork server at once, even in the middle of its imports."""
    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()


def call(
    function: Callable[..., Any],
    *args: Any,
    on_event: Callable[[dict[str, Any]], None] | None = None,
    env: dict[str, str] | None = None,
) -> Any | Failure:
    """Run a function in a warm process of its own and wait for it; see `Worker.call`."""
    with Worker(env) as worker:
        return worker.call(function, *args, on_event=on_event)


class Worker:
    """A process with the libraries loaded that carries out one call after another.

    Use it as a context: the process ends with the block.

    Args:
        env: Environment variables for the process. Our own variables are copied from here at each
            call as well: the fork server may have been started with other values.
    """

    def __init__(self, env: dict[str, str] | None = None) -> None:
        context = warm_context()
        self._ours, theirs = context.Pipe()
        self._env = env or {}
        self._process = context.Process(target=_serve, args=(theirs,))
        self._process.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can take another call."""
        return self._process.is_alive()

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> Any | Failure:
        """Run a function in the process and wait for it.

        Args:
            function: An importable function. If `on_event` is given, it gets a keyword argument
                `on_progress`, whose keyword values are passed to `on_event` in this process.
            args: Its arguments, picklable.
            on_event: Called here with each message.

        Returns:
            The function's value, or a `Failure`, after which the process has ended: what the
            function left behind cannot affect another call.

        Raises:
            StopSignalError: On Ctrl-C or SIGTERM, after the process has ended too.
        """
        env = {
            key: value for key, value in os.environ.items() if key.startswith(OWN_PREFIX)
        } | self._env
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died; its exit code says how
                self._ours.send((function, args, on_event is not None, env))
            result = _receive(self._process, self._ours, on_event)
        except StopSignalError:
            _end(self._process)
            raise
        except BaseException:
            self._process.kill()
            raise
        if isinstance(result, Failure):
            self.end()
        return result

    def end(self) -> None:
        """End the process, which is idle."""
        self._ours.close()
        self._process.join(timeout=MAX_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _end(process: Any) -> None:
    """Let a job mark its run and end.

    A terminal's Ctrl-C has reached it already, a kill has not. The signal is sent more than once,
    since a new process may not handle it yet; a later signal does no harm to one that does.
    """
    latest_s = time.monotonic() + MAX_STOP_S
    while process.is_alive() and time.monotonic() < latest_s:
        process.terminate()
        process.join(timeout=_TERMINATE_EVERY_S)
    while _lives_on(process) and time.monotonic() < latest_s:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        time.sleep(_TERMINATE_EVERY_S)


def end_descendants() -> None:
    """Stop all processes that another launcher has started from this one, and wait for them."""
    import psutil

    server: Any = forkserver._forkserver
    tracker: Any = resource_tracker._resource_tracker
    own = {server._forkserver_pid, tracker._pid}  # they end with this process
    others = [p for p in psutil.Process().children(recursive=True) if p.pid not in own]
    for process in others:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(others, timeout=MAX_STOP_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _receive(
    process: Any, ours: Connection, on_event: Callable[[dict[str, Any]], None] | None
) -> Any | Failure:
    while True:
        wait([ours, process.sentinel])
        if ours.poll():
            try:
                kind, value = ours.recv()
            except EOFError:
                process.join()
                return _death(_exit_code(process))
            if kind == "event":
                if on_event is not None:
                    on_event(value)
                continue
            return value
        if not process.is_alive():
            if _lives_on(process):
                return _of_orphan(ours, on_event)
            return _death(_exit_code(process))


def _lives_on(process: Any) -> bool:
    """Whether a process is there whose fork server has died: nobody can tell its exit code."""
    return process.exitcode == _UNKNOWN_EXIT_CODE and _is_there(process.pid)


def _exit_code(process: Any) -> int | None:
    """A dead process's exit code; where its fork server died too, that of a killed one."""
    is_unknown = process.exitcode == _UNKNOWN_EXIT_CODE and not _is_there(_server_pid())
    return -signal.SIGKILL if is_unknown else process.exitcode


def _server_pid() -> int | None:
    server: Any = forkserver._forkserver
    pid: int | None = server._forkserver_pid
    return pid


def _is_there(pid: int | None) -> bool:
    import psutil

    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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


def _serve(theirs: Connection) -> None:
    """What the process runs: one call after another, until the pipe is closed."""
    hide_secrets_in_output()
    raise_on_signals()
    exit_with_parent(at_once=False)

    def on_progress(**values: Any) -> None:
        theirs.send(("event", values))

    try:
        while True:
            try:
                function, args, wants_progress, env = theirs.recv()
            except EOFError:
                return
            os.environ.update(env)
            theirs.send(
                (
                    "value",
                    _value_of(
                        function, args, {"on_progress": on_progress} if wants_progress else {}
                    ),
                )
            )
            del function, args
            free_memory()
    except StopSignalError as stop:
        raise SystemExit(stop.exit_code) from None


def _value_of(
    function: Callable[..., Any], args: tuple[Any, ...], more: dict[str, Any]
) -> Any | Failure:
    try:
        return function(*args, **more)
    except StopSignalError:
        raise
    except BaseException as error:
        known = error if isinstance(error, FrostlineError) else None
        text = str(error).strip() or type(error).__name__
        reason = text if known else f"{type(error).__name__}: {text}"
        return Failure(redacted(reason), redacted(traceback.format_exc()), known)
