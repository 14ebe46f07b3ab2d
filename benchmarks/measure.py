"""Seconds and memory of one system on one sweep, in a warm process of its own."""

import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from frostline.sweeps import workers
from frostline.sweeps.worker_answer import Failure

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Taken:
    """What a sweep took.

    Attributes:
        seconds: From its start to its end, imports apart.
        peak_mib: Largest resident memory of any one of its processes.
        value: What it returned.
    """

    seconds: float
    peak_mib: float
    value: Any


def in_warm_process(function: Callable[..., Any], *args: Any) -> Taken:
    """Run a sweep that works in one process.

    Raises:
        RuntimeError: If it failed.
    """
    workers.call(nothing)
    answer = workers.call(_timed, function, args)
    if isinstance(answer, Failure):
        raise RuntimeError(answer.trace or answer.reason)
    return Taken(*answer)


def nothing() -> None:
    """What a process does that only makes sure that the fork server is there, imports and all."""


def _timed(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[float, float, Any]:
    begun = time.perf_counter()
    value = function(*args)
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, value


def here(function: Callable[..., Any], *args: Any) -> Taken:
    """Run a sweep that makes processes of its own; they are watched."""
    workers.call(nothing)
    watcher = _Watcher()
    with watcher:
        begun = time.perf_counter()
        value = function(*args)
        seconds = time.perf_counter() - begun
    return Taken(seconds, watcher.peak_mib, value)


def fresh_home(folder: Path) -> None:
    """Start anew, with nothing stored and no image decoded; processes take our variables over."""
    os.environ["FROSTLINE_HOME"] = str(folder / "home")
    os.environ["FROSTLINE_CACHE"] = str(folder / "cache")


class _Watcher:
    """Looks at the memory of this process's descendants again and again."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(_LOOK_EVERY_S):
            for process in own.children(recursive=True):
                try:
                    self.peak_mib = max(self.peak_mib, process.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
