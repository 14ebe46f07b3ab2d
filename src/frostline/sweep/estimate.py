"""What a plan will take, as far as it can be known before it runs."""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frostline.sweep.plan import PlannedJob

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord

# Checkpoints that a job holds while it runs: two ends of epochs with the optimiser's two moments,
# the best weights, and one being written. All of it goes when the job is finished but the best.
WHILE_RUNNING = 2 * 3 + 1 + 1


@dataclass(frozen=True)
class Estimate:
    """Time and disk of the jobs that are still to run.

    Attributes:
        known_s: Seconds of those jobs whose like ran here before.
        unknown_jobs: How many jobs have no such run.
        kept_bytes: Checkpoints that stay as artifacts.
        working_bytes: The most that checkpoints take beside them while a job runs.
    """

    known_s: float
    unknown_jobs: int
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
    known_s, unknown = 0.0, 0
    for job in todo:
        epoch_s = per_epoch.get(_kind_of_job(job))
        if epoch_s is None:
            unknown += 1
        else:
            known_s += epoch_s * job.settings.epochs
    sizes = [job.facts.model_bytes for job in todo]
    return Estimate(known_s, unknown, sum(sizes), WHILE_RUNNING * max(sizes, default=0))


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
