"""One job with its record in MLflow: whatever happens in it stands on that record.

A job is known by its digest. Its checkpoints lie in a folder of that name until it is finished, so
that whoever asks for the same job next goes on where it stopped, in the same run.
"""

import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.advice.strategy_record import record_strategy
from frostline.config.schema import Settings
from frostline.data.load import data_name
from frostline.errors import FrostlineError
from frostline.sweep.failure_hints import hint_for
from frostline.sweep.memory import within_memory
from frostline.sweep.plan import code_version, config_digest
from frostline.sweep.ranks import run_distributed
from frostline.sweep.signals import StopSignalError
from frostline.tracking.records import PARENT_TAG

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run

Tell = Callable[..., None]


def experiment_of(settings: Settings) -> str:
    """MLflow's experiment of a run: as configured, or the data set's name."""
    return settings.tracking.experiment or data_name(settings.data)


def run_job(settings: Settings, folder: Path, *, on_progress: Tell) -> dict[str, Any]:
    """Carry out one job, go on with it, or take the result of whoever has just carried it out.

    Args:
        settings: All that determines the run; `sweep.job_digest` is set.
        folder: The job's own output folder.
        on_progress: Receives progress (see frostline.sweep.progress).

    Returns:
        `run_id`, `name`, `params`, `metrics` and `state` (`done` or `reused`).
    """
    from frostline.tracking.store import open_store

    digest = settings.sweep.job_digest
    assert digest is not None
    store = open_store(
        settings.tracking.uri,
        experiment_of(settings),
        offline=settings.tracking.offline,
        must_answer=settings.sweep.id is None,
    )
    owner = store.claim(
        digest[:32], on_wait=lambda who: on_progress(text=f"waiting for {who}, same job")
    )
    assert owner is not None
    with owner:
        runs = [] if settings.rerun else runs_of(store, digest)
        finished = next((run for run in runs if run.status == "FINISHED"), None)
        if finished is not None:
            return result_of(finished, "reused")
        work = store.address.state_dir / "jobs" / digest[:32]
        tracked, goes_on = open_run(store, settings, runs)
        if goes_on:
            on_progress(text="goes on where it was interrupted")
        else:
            shutil.rmtree(work, ignore_errors=True)
        figures = _carry_out(settings, folder, work, tracked, on_progress, is_new=not goes_on)
        shutil.rmtree(work, ignore_errors=True)
        return result_of(read_back(store, tracked, settings, figures), "done")


def runs_of(store: "Store", digest: str | None) -> "list[RunRecord]":
    """All runs of a job, or of all jobs, the newest first; none while the store is away."""
    from frostline.tracking.store_errors import StoreUnavailableError

    tags = {"frostline.kind": "job"} if digest is None else {"frostline.job_digest": digest}
    try:
        return store.find_runs(tags)
    except StoreUnavailableError:
        return []


def read_back(
    store: "Store", tracked: "Run", settings: Settings, figures: Mapping[str, float]
) -> "RunRecord":
    """The run as the store holds it, or as far as it is known here while the store is away."""
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store_errors import StoreUnavailableError

    try:
        return store.get_run(tracked.run_id)
    except StoreUnavailableError:
        params = {key: str(value) for key, value in swept_params(settings).items()}
        return RunRecord(
            tracked.run_id, tracked.name, store.experiment, "FINISHED", params, figures, {}, 0, None
        )


def result_of(record: "RunRecord", state: str) -> dict[str, Any]:
    """What `run_job` returns of a run."""
    return {
        "run_id": record.run_id,
        "name": record.name,
        "params": dict(record.params),
        "metrics": dict(record.metrics),
        "state": state,
    }


def open_run(store: "Store", settings: Settings, runs: "list[RunRecord]") -> "tuple[Run, bool]":
    """A new run, or the interrupted one, and whether it is the latter.

    An interrupted run is gone on with also where it left no checkpoint, or left it on another
    machine: the same numbers are then computed again, and no step of a metric is logged twice.
    """
    key = {"frostline.job_digest": settings.sweep.job_digest or ""}
    tags = key | {
        "frostline.kind": "job",
        "frostline.config_digest": config_digest(settings),
        "frostline.code_version": code_version(),
    }
    if settings.sweep.id is not None:
        tags["frostline.sweep_id"] = settings.sweep.id
    if runs and _is_interrupted(store, runs[0], key):
        tracked = store.resume_run(runs[0].run_id)
        if settings.sweep.parent_run_id is not None:
            tags[PARENT_TAG] = settings.sweep.parent_run_id
        tracked.set_tags(tags)
        return tracked, True
    if settings.rerun and not store.offline:
        store.reap(key)
    return store.start_run(settings.run_name, tags, settings.sweep.parent_run_id), False


def _is_interrupted(store: "Store", newest: "RunRecord", key: dict[str, str]) -> bool:
    """Whether a run was killed, or its process died."""
    if newest.status == "RUNNING":
        return newest.run_id in {run.run_id for run in store.stale_runs(key)}
    return newest.status == "KILLED"


def _carry_out(
    settings: Settings, folder: Path, work: Path, tracked: "Run", on_progress: Tell, *, is_new: bool
) -> dict[str, float]:
    """Run the pipeline and give the run an end state whatever happens.

    Returns:
        The figures of the chosen epoch.
    """

    def note_oom(text: str) -> None:
        tracked.set_tags({"frostline.on_oom": text})
        on_progress(text=text)

    try:
        describe(tracked, settings, is_new=is_new)
        figures = within_memory(
            settings,
            lambda fitting: run_distributed(fitting, folder, work, tracked, on_progress),
            note=note_oom,
        )
    except StopSignalError as stop:
        tracked.finish("KILLED", f"stopped by {signal.Signals(stop.signum).name}")
        raise
    except BaseException as error:
        record_failure(tracked, error)
        hint = hint_for(error)
        if hint is not None and not isinstance(error, FrostlineError):
            raise JobError(reason(error), todo=hint) from error
        raise
    tracked.finish("FINISHED")
    return figures


class JobError(FrostlineError):
    """A failure whose cause is known well enough to say what to do."""


@cache
def _origin() -> dict[str, Any]:
    """Where this process's code comes from: the same for all of its jobs."""
    from frostline.tracking.provenance import read_provenance

    return read_provenance(Path(__file__).parent, command=sys.argv, data={})


def describe(tracked: "Run", settings: Settings, *, is_new: bool) -> None:
    """Note what the run is, and where it was carried out last."""
    from frostline.tracking.provenance import provenance_tags

    origin = _origin()
    with tracked.at_once():
        tracked.set_tags(provenance_tags(origin))
        if is_new:
            record_strategy(tracked, settings)
            tracked.log_params(swept_params(settings))
    tracked.log_dict(origin, "provenance.json")
    if is_new:
        tracked.log_dict(settings.model_dump(mode="json"), "config.yaml")


def record_failure(tracked: "Run", error: BaseException) -> None:
    """End a run as failed, with the trace and, where the cause is known, what to do."""
    from frostline.training.task import TrainingDivergedError

    tracked.log_text(traceback.format_exc(), "traceback.txt")
    tags = {"frostline.failure_kind": type(error).__name__}
    if isinstance(error, TrainingDivergedError):
        tags["frostline.diverged"] = "true"
    hint = hint_for(error)
    if hint is not None:
        tags["frostline.hint"] = hint
    tracked.set_tags(tags)
    tracked.finish("FAILED", reason(error))


def reason(error: BaseException) -> str:
    """An error in one line or a few; those of ours without their class."""
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, FrostlineError) else f"{type(error).__name__}: {text}"


def swept_params(settings: Settings) -> dict[str, Any]:
    """What people sweep, under the names that the interface fixes; groups by their choice."""
    return {
        "backbone": settings.backbone,
        "freeze": settings.freeze,
        "weights": settings.weights,
        "data": data_name(settings.data),
        "augment": settings.augment.name,
        "mix": settings.mix.name,
        "loss": settings.loss.name,
        "head": settings.head.name,
        "schedule": settings.schedule.name,
        "strategy": settings.strategy.name,
        "optimizer": settings.optimizer.name,
        "lr_schedule": settings.lr_schedule.name,
        "lr": settings.lr,
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "frozen_bn": settings.frozen_bn,
        "data_fraction": settings.data.fraction,
        "seed": settings.seed,
    }
