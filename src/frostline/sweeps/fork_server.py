"""The process from which jobs are forked: it has loaded the heavy libraries once, for all."""

import contextlib
import multiprocessing
import os
import signal
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import Any

from frostline.cores import share_cores
from frostline.sweeps.signals import MAX_STOP_S

PRELOADED = "frostline.sweeps.preload"
_UNKNOWN_EXIT_CODE = 255  # what multiprocessing reports once a fork server has died


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


def lives_on(process: Any) -> bool:
    """Whether a process is there whose fork server has died: its exit code is lost."""
    return process.exitcode == _UNKNOWN_EXIT_CODE and _is_there(process.pid)


def exit_code_of(process: Any) -> int | None:
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
