"""Progress of a loop that lasts: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

# A loop that ends sooner needs no progress.
SILENT_S = 1.0
# Between two lines where there is no terminal, such as in the log of a batch system.
LINE_EVERY_S = 10.0


@contextmanager
def show_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of a loop on the error stream.

    What the loop prints goes where it went: nothing is redirected, so that rows on the standard
    output reach the file or the pipe they are meant for.

    Args:
        description: Such as "reading images".
        total: Number of steps.

    Yields:
        A function to call with the number of steps done since the call before.
    """
    shown = _Shown(description, total)
    try:
        yield shown.advance
    finally:
        shown.stop()


class _Shown:
    def __init__(self, description: str, total: int) -> None:
        self._description = description
        self._total = total
        self._done = 0
        self._next_line_s = time.monotonic() + SILENT_S
        self._first: tuple[float, int] | None = None
        self._bar: Progress | None = None

    def advance(self, steps: int) -> None:
        self._done += steps
        now_s = time.monotonic()
        # What came before the first step, such as the start of processes, is no part of its pace.
        self._first = self._first or (now_s, self._done)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif now_s < self._next_line_s or self._done >= self._total:
            return
        elif _is_lively():
            self._bar = _bar(self._description, self._total, self._done)
        else:
            line = f"{self._description}: {self._done:,} of {self._total:,}{self._left(now_s)}"
            print(line, file=sys.stderr, flush=True)
            self._next_line_s = now_s + LINE_EVERY_S

    def _left(self, now_s: float) -> str:
        """About how long the rest takes, once two steps have shown it."""
        first_s, first = self._first or (now_s, self._done)
        if self._done == first:
            return ""
        left_s = (now_s - first_s) * (self._total - self._done) / (self._done - first)
        return f", about {left_s:.0f} s left"

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _is_lively() -> bool:
    """Whether a bar can be drawn over itself."""
    from rich.console import Console

    console = Console(stderr=True)
    # FORCE_COLOR claims a terminal where there is a log, which keeps every redrawn line.
    return console.is_terminal and not console.is_dumb_terminal and sys.stderr.isatty()


def _bar(description: str, total: int, done: int) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    progress.add_task(description, total=total, completed=done)
    progress.start()
    return progress
