"""A job under one of Hydra's own launchers: in a fresh process there, too."""

import math
import multiprocessing
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from frostline.config.schema import Settings
from frostline.sweep import workers
from frostline.sweep.job import run_job
from frostline.sweep.progress import SweepProgress
from frostline.sweep.resources import slot

# In the sweep's folder: a file for each job that failed, which is all that jobs know of each other.
FAILED = ".failed"


def run_launched(settings: Settings, folder: Path, number: int, env: Mapping[str, str]) -> float:
    """Run a job in a process of its own, whatever process the launcher has brought it to.

    joblib's and Ray's workers serve many jobs; what one leaves behind, or its death, would reach
    the next.

    Args:
        settings: The job, planned by a sweep.
        folder: The job's own output folder, in the sweep's.
        number: The job's place in the sweep, from 0.
        env: Environment variables that the person set for jobs.

    Returns:
        The metric that chose the best epoch, at that epoch; NaN for a job that is not started
        because `fail_fast` others have failed.

    Raises:
        JobFailedError: If the job failed, with the reason.
        StopSignalError: If the launcher's process was asked to stop.
    """
    # joblib's workers call themselves started by `loky`, which processes of ours do not know.
    multiprocessing.set_start_method("forkserver", force=True)
    failed = folder.parent / FAILED
    if settings.fail_fast is not None and _count(failed) >= settings.fail_fast:
        return math.nan
    # Several jobs write to one terminal: lines only.
    console = Console(file=sys.stderr, force_terminal=False, soft_wrap=True, highlight=False)
    progress = SweepProgress(total=None, console=console, first=number + 1)
    with slot(folder.parent, settings.sweep.slots) as own, progress:
        progress.start(settings.run_name)
        answer = workers.call(
            run_job, settings, folder, on_event=progress.event, env={**env, **own}
        )
        failure = answer if isinstance(answer, workers.Failure) else None
        progress.done(failure.reason if failure else None)
    if isinstance(answer, workers.Failure):
        failed.mkdir(exist_ok=True)
        (failed / str(number)).touch()
        raise workers.JobFailedError(answer)
    chosen: float = answer["metrics"][settings.callbacks.monitor.replace("val/", "val_best/")]
    return chosen


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0
