"""What a plan will take, as far as it can be known before it runs."""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frostline.config.tune_grid import candidates_of, grid_of, is_tuned, on_tuning_seed
from frostline.sweeps.candidate_runs import epochs_to_judge
from frostline.sweeps.plan import PlannedJob
from frostline.sweeps.sharing import trains_heads_together

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord

# Checkpoints that a job holds while it runs: two ends of epochs with the optimiser's two moments,
# the best weights, and one being written. All of it goes when the job is finished but the best.
WHILE_RUNNING = 2 * 3 + 1 + 1
# While candidates train: the last epoch and the best weights of the best one so far.
OF_A_CANDIDATE = 3 + 1


@dataclass(frozen=True)
class Estimate:
    """Time and disk of the jobs that are still to run.

    Attributes:
        known_s: Seconds of those jobs whose like ran here before.
        epochs: Epochs of all jobs.
        unknown_jobs: How many jobs have no such run.
        tuned_cells: Cells that choose their values in these jobs.
        tuned_keys: What they choose.
        tuned_epochs: Epochs that their candidates train beside those that go on.
        tune_s: Seconds of these epochs, as far as their like ran here before; part of `known_s`.
        kept_bytes: Checkpoints that stay as artifacts.
        working_bytes: The most that checkpoints take beside them while a job runs.
    """

    known_s: float
    epochs: int
    unknown_jobs: int
    tuned_cells: int
    tuned_keys: Sequence[str]
    tuned_epochs: int
    tune_s: float
    kept_bytes: int
    working_bytes: int


def estimate(todo: Sequence[PlannedJob], earlier: "Iterable[RunRecord]") -> Estimate:
    """Estimate from earlier runs on this machine, and from the backbones' sizes.

    Args:
        todo: The jobs to run.
        earlier: Finished runs of the experiment, the newest first.
    """
    # Twice over the same runs: the oldest first, so that the newest stays.
    here = [run for run in earlier if run.tags.get("frostline.host") == socket.gethostname()]
    per_epoch: dict[tuple[str, ...], float] = {}
    for run in reversed(here):
        seconds = _epoch_s(run)
        if seconds is not None:
            per_epoch[_kind_of_run(run)] = seconds
    known_s, unknown, tune_s = 0.0, 0, 0.0
    more = [epochs_of_tuning(job) for job in todo]
    for job, tuned in zip(todo, more, strict=True):
        epoch_s = per_epoch.get(_kind_of_job(job))
        if epoch_s is None:
            unknown += 1
        else:
            known_s += epoch_s * (job.settings.epochs + (tuned or 0))
            tune_s += epoch_s * (tuned or 0)
    choosing = [each for each in more if each is not None]
    sizes = [job.facts.model_bytes for job in todo]
    return Estimate(
        known_s=known_s,
        epochs=sum(job.settings.epochs for job in todo),
        unknown_jobs=unknown,
        tuned_cells=len(choosing),
        tuned_keys=list(dict.fromkeys(key for job in todo for key in grid_of(job.settings))),
        tuned_epochs=sum(choosing),
        tune_s=tune_s,
        kept_bytes=sum(sizes),
        working_bytes=(WHILE_RUNNING + (OF_A_CANDIDATE if any(choosing) else 0))
        * max(sizes, default=0),
    )


def epochs_of_tuning(job: PlannedJob) -> int | None:
    """Epochs that the losing candidates of a job train; None for a job that chooses nothing.

    Heads that train together count as none: all of them take about as long as one.
    """
    settings = job.settings
    if not is_tuned(settings) or on_tuning_seed(settings).seed != settings.seed:
        return None
    if trains_heads_together(job):
        return 0
    return (len(candidates_of(grid_of(settings))) - 1) * first_rung(job)


def first_rung(job: PlannedJob) -> int:
    """Epochs of a job before which nothing can be said of it; candidates train so many."""
    facts = job.facts
    return epochs_to_judge(job.settings, facts.prefix_stages, facts.num_stages, facts.n_train)


def _epoch_s(run: "RunRecord") -> float | None:
    """Seconds an epoch, the start of the job spread over them."""
    try:
        return run.metrics["time/train_s"] / int(run.params["epochs"])
    except (KeyError, ValueError, ZeroDivisionError):
        return None


def _kind_of_run(run: "RunRecord") -> tuple[str, ...]:
    """What an epoch's time depends on most."""
    data = run.tags.get("frostline.data_fingerprint", "")
    keys = ("backbone", "freeze", "schedule", "image_size", "augment", "data_fraction")
    return (data, *(run.params.get(key, "") for key in keys))


def _kind_of_job(job: PlannedJob) -> tuple[str, ...]:
    s = job.settings
    values = (
        s.backbone,
        s.freeze,
        s.schedule.name,
        job.facts.input_px,
        s.augment.name,
        s.data.fraction,
    )
    return (job.facts.data_fingerprint, *map(str, values))
