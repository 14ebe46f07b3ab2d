"""The data are read and checked while PyTorch and timm are still being imported.

What this finds is kept in the caches, where the checks of the jobs find it, report it, and refuse
what cannot be trained on. Nothing else depends on whether it was done.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from frostline.config.schema import Settings
from frostline.cores import usable_cores
from frostline.errors import FrostlineError
from frostline.locks import exclusive
from frostline.redact import hide_secrets_in_output
from frostline.scratch import ScratchFolder
from frostline.sweeps.data_check import load_data, read_data
from frostline.sweeps.known_squares import known_squares
from frostline.sweeps.signals import StopSignalError, exit_with_parent, raise_on_signals

# A lock file that is held while the data are read; set only then.
_VARIABLE = "FROSTLINE_READING"
_BEGINS_S = 5.0
_ENDS_S = 2.0


@contextmanager
def reading_ahead(jobs: Sequence[Settings]) -> Iterator[None]:
    """Read the data of jobs in another process during a block, whose `check_jobs` waits for it.

    Args:
        jobs: All jobs.
    """
    if not _can_fork():
        yield
        return
    with ScratchFolder("reading") as folder:
        place = folder / "lock"
        ours, theirs = multiprocessing.Pipe(duplex=False)
        # Forked and not started anew: it needs nothing but what this process has imported.
        process = multiprocessing.get_context("fork").Process(
            target=_read, args=(jobs, place, theirs), daemon=True
        )
        process.start()
        theirs.close()
        try:
            with suppress(EOFError):
                if ours.poll(_BEGINS_S):
                    ours.recv()
            os.environ[_VARIABLE] = str(place)
            yield
        finally:
            os.environ.pop(_VARIABLE, None)
            # Either it has ended, or the block was left by an error.
            process.terminate()
            process.join(_ENDS_S)
            process.kill()
            process.join()
            ours.close()


def wait_until_read() -> None:
    """Wait until another process has read the data, if one does."""
    place = os.environ.get(_VARIABLE)
    if place is not None and Path(place).exists():
        with suppress(OSError), exclusive(Path(place)):
            pass


def _can_fork() -> bool:
    """Whether a fork of this process helps, and is safe: no other thread holds a lock it needs.

    It imports what the checks use for itself, which a core must be free for.
    """
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    return sys.platform == "linux" and alone and usable_cores() > 1


def _read(jobs: Sequence[Settings], place: Path, begun: Connection) -> None:
    # Our parent says how the command ended, and the checks what is wrong with the data.
    with suppress(Exception, StopSignalError):
        raise_on_signals()
        exit_with_parent()
        hide_secrets_in_output()
        _read_holding(jobs, place, begun)


def _read_holding(jobs: Sequence[Settings], place: Path, begun: Connection) -> None:
    with exclusive(place):
        begun.send(None)
        squares = known_squares(jobs)
        if squares is None:
            # timm has to say how images are cut; what is decoded for the checks alone would be
            # decoded again for training.
            load_data(jobs, _attempt)
        else:
            read_data(jobs, _attempt, lambda **_: None, squares=squares)


def _attempt(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except FrostlineError:
        return None
