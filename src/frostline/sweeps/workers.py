"""Processes that start with the heavy libraries loaded.

Importing torch, timm and Lightning takes ten seconds and more. A fork server imports them once;
every job is then forked from it in a fraction of a second, with nothing of the jobs before it.
"""

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

from frostline.errors import FrostlineError
from frostline.memory_limit import memory_limit_error
from frostline.redact import hide_secrets_in_output, redacted
from frostline.running_time import watch_for_stops
from frostline.sweeps.failures import free_memory
from frostline.sweeps.fork_server import lives_on, warm_context
from frostline.sweeps.signals import MAX_STOP_S, StopSignalError, exit_with_parent, raise_on_signals
from frostline.sweeps.worker_answer import Failure, receive

OWN_PREFIX = "FROSTLINE_"  # of our environment variables
_TERMINATE_EVERY_S = 2
_STARTS = 3  # of a process, before its fork server is called hopeless
# Seconds from the end of its connections to that of a process that was killed.
_DYING_S = 0.2


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
        self._env = env or {}
        self._ours, self._process = _begin()
        self._unanswered = False

    @property
    def is_alive(self) -> bool:
        """Whether it can take another call."""
        return bool(self._process.is_alive())

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
        try:
            self._send(function, args, wants_progress=on_event is not None)
            result = receive(self._process, self._ours, on_event)
        except StopSignalError:
            _end(self._process)
            raise
        except BaseException:
            self._process.kill()
            raise
        if isinstance(result, Failure):
            self.end()
        return result

    def begin(self, function: Callable[..., Any], *args: Any) -> None:
        """Let the process begin with something whose value is not wanted, and do not wait for it.

        Before the next call `is_ready` must have said so.

        Args:
            function: An importable function.
            args: Its arguments, picklable.
        """
        self._send(function, args, wants_progress=False)
        self._unanswered = True

    def is_ready(self) -> bool:
        """Wait for what was begun; whether the process can take a call.

        Raises:
            StopSignalError: On Ctrl-C or SIGTERM.
        """
        if self._unanswered:
            failed = isinstance(receive(self._process, self._ours, None), Failure)
            self._unanswered = False
            if failed:
                self.end()
        return self.is_alive

    def _send(
        self, function: Callable[..., Any], args: tuple[Any, ...], *, wants_progress: bool
    ) -> None:
        own = {key: value for key, value in os.environ.items() if key.startswith(OWN_PREFIX)}
        with contextlib.suppress(BrokenPipeError):  # it has died; its exit code says how
            self._ours.send((function, args, wants_progress, own | self._env))

    def end(self) -> None:
        """End the process, which is idle, or does what nobody waits for."""
        if self._unanswered:
            self._process.kill()
        self._ours.close()
        self._process.join(timeout=MAX_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _begin() -> tuple[Connection, Any]:
    """Our end of a pipe, and the process at its other end.

    Raises:
        FrostlineError: If the fork server dies each time that a process is asked of it.
    """
    for _ in range(_STARTS):
        context = warm_context()
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,))
        try:
            process.start()
            return ours, process
        except (EOFError, ConnectionError, FileNotFoundError):
            # It died between the question and its answer; the next question starts another one. A
            # process that it may have made ends, as our end of its pipe is closed. Until its death
            # can be seen it would be asked again.
            ours.close()
            time.sleep(_DYING_S)
        finally:
            theirs.close()
    raise FrostlineError(
        f"the process from which jobs are made died {_STARTS} times",
        todo="something ends it: look for the system's limits, or its killer of processes that "
        "take too much memory (dmesg)",
    )


def _end(process: Any) -> None:
    """Let a job mark its run and end.

    A terminal's Ctrl-C has reached it already, a kill has not. The signal is sent more than once,
    since a new process may not handle it yet; a later signal does no harm to one that does.
    """
    latest_s = time.monotonic() + MAX_STOP_S
    while process.is_alive() and time.monotonic() < latest_s:
        process.terminate()
        process.join(timeout=_TERMINATE_EVERY_S)
    while lives_on(process) and time.monotonic() < latest_s:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        time.sleep(_TERMINATE_EVERY_S)


def _serve(theirs: Connection) -> None:
    """What the process runs: one call after another, until the pipe is closed."""
    hide_secrets_in_output()

    def on_progress(**values: Any) -> None:
        theirs.send(("event", values))

    try:
        # From here on a signal may come at any moment, also while this process begins.
        raise_on_signals()
        watch_for_stops()
        exit_with_parent(at_once=False)
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
        known = error if isinstance(error, FrostlineError) else memory_limit_error(error)
        text = str(known or error).strip() or type(error).__name__
        reason = text if known else f"{type(error).__name__}: {text}"
        return Failure(redacted(reason), redacted(traceback.format_exc()), known)
