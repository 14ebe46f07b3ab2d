"""A job that tunes: its values are chosen, or read where another seed has chosen them already."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.config.search_settings import FIRST_LOOK
from frostline.config.tune_grid import is_tuned, on_tuning_seed
from frostline.sweeps.candidate_runs import CandidateRuns

if TYPE_CHECKING:
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run
    from frostline.training.recorder import RunRecorder
    from frostline.training.rung import Rung
    from frostline.training.trained_group import HeadGroup
    from frostline.training.tuning_choice import Tuning

OnProgress = Callable[..., None]
BY_RUNGS = "all candidates for the first {until} of {epochs} epochs, the best one to the end"


@dataclass(frozen=True)
class ReadyJob:
    """A job whose values are all numbers.

    Attributes:
        settings: With the chosen values.
        work: Where its checkpoints lie: those of the chosen candidate, if it was trained here.
        tuning: What was chosen; None for a job that does not tune.
        tune_s: Seconds that its other candidates took; None where another run has paid for them.
        begun_s: Seconds that its first epochs took as a candidate.
        waits: Whether nothing is chosen yet, as a race's first look asks.
        first_look: What that look saw; None without one, or if its candidate diverged.
    """

    settings: Settings
    work: Path
    tuning: "Tuning | None" = None
    tune_s: float | None = None
    begun_s: float = 0.0
    waits: bool = False
    first_look: "Rung | None" = None

    def with_times(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """A run's metrics with what its tuning took."""
        times = {name: metrics[name] + self.begun_s for name in ("time/train_s", "time/alone_s")}
        if self.tune_s is not None:
            times["time/tune_s"] = self.tune_s
        return {**metrics, **times}


def tuning_folder(store: "Store", settings: Settings) -> Path:
    """Where the choice of a cell is kept, and its candidates while they train."""
    digest = settings.sweep.tuning
    assert digest is not None
    return store.address.state_dir / "tuning" / digest[:32]


def make_ready(
    store: "Store",
    settings: Settings,
    folder: Path,
    work: Path,
    run: "Run",
    recorder: "RunRecorder",
    on_progress: OnProgress,
    *,
    resumed: bool,
) -> ReadyJob:
    """Choose the values of a job, or read the choice, and record it.

    Args:
        store: Where the run is recorded.
        settings: The job.
        folder: Where its results are left.
        work: Where the checkpoints of a job that does not tune lie.
        run: Its run, open.
        recorder: Writes it.
        on_progress: Receives progress.
        resumed: Whether the run was begun before.
    """
    from frostline.training.tuning import candidate_folder
    from frostline.training.tuning_choice import Tuning

    if not is_tuned(settings):
        return ReadyJob(settings, work)
    is_first = on_tuning_seed(settings).seed == settings.seed
    place = tuning_folder(store, settings)
    if settings.rerun and is_first and not resumed:
        shutil.rmtree(place, ignore_errors=True)
    owner = store.claim(
        f"tuning-{place.name}",
        on_wait=lambda who: on_progress(text=f"waiting for {who}, which tunes this cell"),
    )
    assert owner is not None
    with owner:
        tuning = Tuning.load(place)
        is_known = tuning is not None
        if tuning is None:
            candidates = CandidateRuns(settings, folder, run, on_progress)
            if is_first and settings.sweep.until_epoch == FIRST_LOOK:
                look = candidates.first_look(place)
                return ReadyJob(settings, work, first_look=look, waits=True)
            tuning = candidates.tune(place)
    own = candidate_folder(place, tuning.best.values)
    goes_on = is_first and (resumed or not is_known)
    if not goes_on:
        # Epochs of another run, which this one would lack.
        shutil.rmtree(own, ignore_errors=True)
    on_progress(text=f"tuned: {tuning.best.label}")
    how = BY_RUNGS.format(until=len(tuning.best.epochs), epochs=settings.epochs)
    with recorder.batched():
        recorder.record_tuning(tuning, how=how)
        for epoch, metrics in tuning.best.recorded_epochs.items() if own.is_dir() else ():
            recorder.record_epoch(metrics, epoch)
    return ReadyJob(
        tuning.settings_for(settings),
        own if is_first else work,
        tuning,
        tuning.lost_s if is_first else None,
        tuning.best.seconds if goes_on and own.is_dir() else 0.0,
    )


def known_choices(store: "Store", jobs: Sequence[Settings]) -> "dict[str, Tuning]":
    """The choices that cells of a group have made before, by `sweep.tuning`.

    Args:
        store: Where the runs are recorded.
        jobs: The group.
    """
    from frostline.training.tuning_choice import Tuning

    known = {}
    for job in jobs:
        if is_tuned(job) and not job.rerun:
            choice = Tuning.load(tuning_folder(store, job))
            if choice is not None:
                known[job.sweep.tuning or ""] = choice
    return known


def save_choices(store: "Store", jobs: Sequence[Settings], group: "HeadGroup") -> None:
    """Keep what the cells of a group chose, for seeds that a later command adds."""
    for job, member in zip(jobs, group.members, strict=True):
        if member.tuning is not None:
            member.tuning.save(tuning_folder(store, job))
