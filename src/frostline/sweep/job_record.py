"""A job's run in MLflow: found or begun, described, ended, read back.

A job is known by its digest. An interrupted run is resumed under the same run id; success and every
kind of failure are recorded on it.
"""

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.advice.auto_strategy import record_strategy
from frostline.config.identity import config_digest
from frostline.config.schema import Settings
from frostline.config.tune_grid import grid_of, lr_from
from frostline.config.versions import RESULTS_VERSION, installed_libraries
from frostline.data.load import data_name
from frostline.errors import ConfigError, FrostlineError
from frostline.plugins.part import own_line
from frostline.redact import redacted
from frostline.sweep.failures import hint_for
from frostline.sweep.outcome import INPUT_TAGS, Outcome, has_inputs
from frostline.sweep.own_code import keep_own_code
from frostline.sweep.signals import StopSignalError
from frostline.tracking.records import PARENT_TAG

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


def experiment_of(settings: Settings) -> str:
    """MLflow's experiment of a run: as configured, or the data set's name."""
    return settings.tracking.experiment or data_name(settings.data)


def open_job_store(settings: Settings) -> "Store":
    """The store that a job records into; a job of a sweep goes on where the store is away.

    Raises:
        TrackingError: If no runs can be recorded there.
    """
    from frostline.tracking.store import open_store

    return open_store(
        settings.tracking.uri,
        experiment_of(settings),
        offline=settings.tracking.offline,
        must_answer=settings.sweep.id is None,
    )


def find_runs(store: "Store", settings: Settings) -> "list[RunRecord]":
    """All runs of a job, the newest first; none while the store is away."""
    return runs_of(
        settings, _found(store, {"frostline.job_digest": settings.sweep.job_digest or ""})
    )


def find_all_runs(store: "Store") -> "list[RunRecord]":
    """All runs of all jobs, the newest first; none while the store is away."""
    return _found(store, {"frostline.kind": "job"})


def runs_of(settings: Settings, runs: "Sequence[RunRecord]") -> "list[RunRecord]":
    """Those runs that read the inputs which a job is planned for; see `outcome.has_inputs`.

    Args:
        settings: The job.
        runs: Runs with its digest.
    """
    inputs = settings.sweep.model_dump(include=set(INPUT_TAGS))
    return [run for run in runs if has_inputs(run, inputs)]


def _found(store: "Store", tags: Mapping[str, str]) -> "list[RunRecord]":
    from frostline.tracking.store_errors import StoreUnavailableError

    try:
        return store.find_runs(tags)
    except StoreUnavailableError:
        return []


def find_finished(runs: "list[RunRecord]") -> "RunRecord | None":
    """The newest finished run."""
    return next((run for run in runs if run.status == "FINISHED"), None)


def open_run(store: "Store", settings: Settings, runs: "list[RunRecord]") -> "tuple[Run, bool]":
    """A new run, or the interrupted one to be resumed.

    An interrupted run is resumed even if it left no checkpoint, or left it on another machine: the
    same numbers are then computed again, and no step of a metric is logged twice.

    Args:
        store: Where runs are recorded.
        settings: The job.
        runs: Its runs so far, the newest first.

    Returns:
        The run, and whether it is resumed.

    Raises:
        ConfigError: If this machine would compute otherwise than the job was planned for.
    """
    from frostline.tracking.abandoned import end_abandoned_runs

    numerics = _planned_numerics(settings)
    key = {"frostline.job_digest": settings.sweep.job_digest or ""}
    tags = key | {
        "frostline.kind": "job",
        "frostline.config_digest": config_digest(settings),
        "frostline.results_version": str(RESULTS_VERSION),
        "frostline.libraries": installed_libraries(),
        "frostline.numerics": numerics,
    }
    if settings.sweep.id is not None:
        tags["frostline.sweep_id"] = settings.sweep.id
    resumed = bool(runs) and _is_interrupted(store, runs[0], key)
    if resumed:
        run = store.resume_run(runs[0].run_id)
        if settings.sweep.parent_run_id is not None:
            tags[PARENT_TAG] = settings.sweep.parent_run_id
        run.set_tags(tags)
    else:
        if settings.rerun and not store.offline:
            end_abandoned_runs(store, key)
        run = store.start_run(settings.run_name, tags, settings.sweep.parent_run_id)
    return run, resumed


def _planned_numerics(settings: Settings) -> str:
    """How this machine computes the job, which is part of what the job is recognised by.

    It can differ from the plan where a launcher of Hydra brings jobs to other machines.
    """
    from frostline.training.engine import numerics_of

    here, planned = numerics_of(settings.trainer), settings.sweep.numerics
    if planned is not None and here != planned:
        raise ConfigError(
            f"the job was planned for {planned}, but this machine computes with {here}",
            todo="name what `auto` should come to, such as trainer.accelerator=cuda "
            "trainer.precision=bf16-mixed",
        )
    return here


def _is_interrupted(store: "Store", newest: "RunRecord", key: dict[str, str]) -> bool:
    """Whether a run was killed, or its process died."""
    from frostline.tracking.abandoned import abandoned_runs

    if newest.status == "RUNNING":
        return newest.run_id in {run.run_id for run in abandoned_runs(store, key)}
    return newest.status == "KILLED"


@cache
def _provenance() -> dict[str, Any]:
    """Where this process's code comes from: the same for all of its jobs."""
    from frostline.tracking.provenance import read_provenance

    return read_provenance(Path(__file__).parent, command=sys.argv, data={})


def describe(run: "Run", settings: Settings, *, is_new: bool) -> None:
    """Record what the run is, and where it was carried out last."""
    from frostline.tracking.provenance import provenance_tags

    origin = _provenance()
    with run.batched():
        run.set_tags(provenance_tags(origin))
        if is_new:
            record_strategy(run, settings)
            run.set_tags({"lr_from": lr_from(settings)})
            run.log_params(swept_params(settings))
    run.log_dict(origin, "provenance.json")
    if is_new:
        keep_own_code(run, settings)
        run.log_dict(settings.model_dump(mode="json"), "config.yaml")


@contextmanager
def ending(run: "Run") -> Iterator[None]:
    """Give a run an end state, however the block ends.

    Raises:
        JobError: In place of an error of a library whose cause is known well enough for advice.
    """
    try:
        yield
    except StopSignalError as stop:
        run.finish("KILLED", f"stopped by {stop.name}")
        raise
    except BaseException as error:
        _record_failure(run, error)
        hint = hint_for(error)
        if hint is not None and not isinstance(error, FrostlineError):
            raise JobError(reason_of(error), todo=hint) from error
        if own_line(error) and isinstance(error, Exception | SystemExit):
            raise JobError(reason_of(error)) from error
        raise
    run.finish("FINISHED")


class JobError(FrostlineError):
    """A failure whose cause is known well enough to say what to do."""


def _record_failure(run: "Run", error: BaseException) -> None:
    """End a run as failed, with the trace and, where the cause is known, what to do."""
    from frostline.training.task import TrainingDivergedError

    run.log_text(redacted(traceback.format_exc()), "traceback.txt")
    tags = {"frostline.failure_kind": type(error).__name__}
    if isinstance(error, TrainingDivergedError):
        tags["frostline.diverged"] = "true"
    hint = hint_for(error)
    if hint is not None:
        tags["frostline.hint"] = hint
    run.set_tags(tags)
    run.finish("FAILED", reason_of(error))


def reason_of(error: BaseException) -> str:
    """An error in one line or a few; ours without their class, with the line of own code."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, FrostlineError):
        return text
    place = own_line(error)
    return redacted(f"{f'{place}: ' if place else ''}{type(error).__name__}: {text}")


def outcome_of(record: "RunRecord", settings: Settings, state: str) -> Outcome:
    """The outcome of a job that has a finished run.

    Args:
        record: The run.
        settings: The job.
        state: `done` or `reused`.
    """
    return Outcome(
        digest=settings.sweep.job_digest or "",
        name=record.name,
        state=state,
        run_id=record.run_id,
        params=dict(record.params),
        metrics=dict(record.metrics),
    )


def read_outcome(
    store: "Store", run: "Run", settings: Settings, metrics: Mapping[str, float]
) -> Outcome:
    """The outcome of a run that has just finished, as far as it is known while the store is away.

    Args:
        store: Where the run is recorded.
        run: The run.
        settings: The job.
        metrics: Of the chosen epoch.
    """
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store_errors import StoreUnavailableError

    try:
        record = store.get_run(run.run_id)
    except StoreUnavailableError:
        params = {key: str(value) for key, value in swept_params(settings).items()}
        record = RunRecord(
            run.run_id, run.name, store.experiment, "FINISHED", params, metrics, {}, 0, None
        )
    return outcome_of(record, settings, "done")


def swept_params(settings: Settings) -> dict[str, Any]:
    """What people sweep, under the names that the interface fixes; groups by their choice.

    Values that the job chooses are recorded once they are chosen.
    """
    values = {
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
    tuned = grid_of(settings)
    return {key: value for key, value in values.items() if key not in tuned}
