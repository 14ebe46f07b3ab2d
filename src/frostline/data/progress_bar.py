"""A progress bar on the error stream of a terminal; nothing if there is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# With fewer steps a bar would only flash.
MIN_STEPS = 300


@contextmanager
def show_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of a loop.

    Args:
        description: Such as "reading images".
        total: Number of steps.

    Yields:
        A function to call with the number of steps done.
    """
    if total < MIN_STEPS or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.update(task, advance=steps)
