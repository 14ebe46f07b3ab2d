"""What each part of a program takes: functions are wrapped, and the time within others left out."""

import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import psutil

REST = "everything else"
# Part to the functions that make it up, as `module:attribute` or `module:class.method`.
Parts = Mapping[str, Sequence[str]]


class Clock:
    """Milliseconds of each part, on the wall and of the processor; none counts twice.

    Args:
        processor_s: Seconds of the processor so far.

    Attributes:
        spent: Part to its two times, in milliseconds.
    """

    def __init__(self, processor_s: Callable[[], float] = time.process_time) -> None:
        self.spent: dict[str, list[float]] = {}
        self._processor_s = processor_s
        self._open: list[list[float]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what the block takes, without the parts in it, to a part."""
        inner = [0.0, 0.0]
        self._open.append(inner)
        begun = self._now_ms()
        try:
            yield
        finally:
            took = [end - begin for end, begin in zip(self._now_ms(), begun, strict=True)]
            self._open.pop()
            total = self.spent.setdefault(name, [0.0, 0.0])
            for place in range(2):
                total[place] += took[place] - inner[place]
                if self._open:
                    self._open[-1][place] += took[place]

    @contextmanager
    def watching(self, parts: Parts) -> Iterator[None]:
        """Measure the functions of parts in a block; one that does not exist counts as 0."""
        undo: list[tuple[Any, str, Any]] = []
        try:
            for name, targets in parts.items():
                for target in targets:
                    found = _found(target)
                    if found is not None:
                        owner, attribute = found
                        undo.append((owner, attribute, owner.__dict__[attribute]))
                        setattr(owner, attribute, self._wrapped(name, owner.__dict__[attribute]))
            yield
        finally:
            for owner, attribute, before in reversed(undo):
                setattr(owner, attribute, before)

    def _now_ms(self) -> tuple[float, float]:
        return 1e3 * time.perf_counter(), 1e3 * self._processor_s()

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return measured


def tree_s() -> float:
    """Seconds of the processor in this process and all that it has started, in steps of 10 ms."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])  # its own, and of its children that have ended
    return total


def _found(target: str) -> tuple[Any, str] | None:
    """The module or class that holds a function, and its name there; None in other versions."""
    module, _, path = target.partition(":")
    *classes, attribute = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for each in classes:
            owner = getattr(owner, each)
    except (ImportError, AttributeError):
        return None
    return (owner, attribute) if attribute in vars(owner) else None
