"""A job's run in MLflow: begun or resumed, and described.

A job is known by its digest. An interrupted run is resumed under the same run id.
"""

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.advice.auto_strategy import record_strategy
from frostline.config.freeze_value import LORA
from frostline.config.identity import config_digest
from frostline.config.schema import Settings
from frostline.config.tune_grid import grid_of, lr_from
from frostline.config.versions import RESULTS_VERSION, installed_libraries
from frostline.data.load import data_name
from frostline.errors import ConfigError, TrackingError
from frostline.sweeps.outcome import failed_around_training
from frostline.sweeps.own_code import keep_own_code
from frostline.tracking.records import DATA_SOURCE, DROPPED, PARENT_TAG
from frostline.tracking.run_contents import CONFIG_FILE

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store
    from frostline.tracking.tracked_run import Run


def open_run(
    store: "Store", settings: Settings, runs: "list[RunRecord]", work: Path | None
) -> "tuple[Run, bool]":
    """A new run, or the interrupted one to be resumed.

    An interrupted run is resumed even if it left no checkpoint, or left it on another machine: the
    same numbers are then computed again, and no step of a metric is logged twice.

    Args:
        store: Where runs are recorded.
        settings: The job.
        runs: Its runs so far, the newest first.
        work: Where a run that failed left its checkpoints. If there is one, and the failure was not
            the training's own, the run is resumed, too. None for heads that train together, which
            keep none: they train again under the same run.

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
        **settings.tags,
    }
    if settings.sweep.id is not None:
        tags["frostline.sweep_id"] = settings.sweep.id
    left = _to_resume(store, runs, key, work)
    if left is not None:
        run = store.resume_run(left.run_id)
        if settings.sweep.parent_run_id is not None:
            tags[PARENT_TAG] = settings.sweep.parent_run_id
        run.set_tags(tags)
    else:
        if settings.rerun and not store.offline:
            end_abandoned_runs(store, key)
        run = store.start_run(settings.run_name, tags, settings.sweep.parent_run_id)
    return run, left is not None


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


def _to_resume(
    store: "Store", runs: "list[RunRecord]", key: dict[str, str], work: Path | None
) -> "RunRecord | None":
    """The run of a job that is to be resumed; None if a new one begins.

    One that was killed counts wherever it stands: a clock that was set back makes it seem older
    than a failure before it.
    """
    for run in runs:
        if _is_interrupted(store, run, key):
            return run
    return runs[0] if runs and _can_go_on(runs[0], work) else None


def _is_interrupted(store: "Store", run: "RunRecord", key: dict[str, str]) -> bool:
    """Whether a run was killed, its process died, or a race paused or dropped it."""
    from frostline.tracking.abandoned import abandoned_runs

    if run.status == "RUNNING":
        return run.run_id in {each.run_id for each in abandoned_runs(store, key)}
    return run.status in {"KILLED", "SCHEDULED"} or DROPPED in run.tags


def _can_go_on(newest: "RunRecord", work: Path | None) -> bool:
    """Whether a run failed around its training, and has what it needs to go on from."""
    has_checkpoint = work is None or next(work.rglob("last-*.ckpt"), None) is not None
    return has_checkpoint and failed_around_training(newest)


@cache
def _provenance() -> dict[str, Any]:
    """Where this process's code comes from: the same for all of its jobs."""
    from frostline.tracking.provenance import read_provenance

    return read_provenance(Path(__file__).parent, command=sys.argv, data={})


def describe(store: "Store", run: "Run", settings: Settings, *, resumed: bool) -> None:
    """Record what the run is, and where it was carried out last.

    Args:
        store: Where the run is recorded.
        run: The run.
        settings: The job.
        resumed: Whether an earlier process began it, which may have been killed before it had
            described it.
    """
    from frostline.tracking.provenance import provenance_tags
    from frostline.training.engine import numerics_of

    origin = _provenance()
    accelerator = numerics_of(settings.trainer).partition(" ")[0]
    is_new = not (resumed and _is_described(store, run))
    with run.batched():
        run.set_tags(provenance_tags(origin, accelerator=accelerator))
        if is_new:
            record_strategy(run, settings)
            run.set_tags({"lr_from": lr_from(settings), DATA_SOURCE: settings.data.source})
            run.log_params(swept_params(settings))
    run.log_dict(origin, "provenance.json")
    if is_new:
        keep_own_code(run, settings)
        # The last one: where it stands, all of the others do.
        run.log_dict(settings.model_dump(mode="json"), CONFIG_FILE)


def _is_described(store: "Store", run: "Run") -> bool:
    try:
        store.fetch_artifact(run.run_id, CONFIG_FILE)
    except TrackingError:
        return False
    return True


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
    if settings.freeze == LORA:
        values["lora_rank"] = settings.lora_rank
    if settings.order_seed is not None:
        values["order_seed"] = settings.order_seed
    if settings.ema is not None:
        values["ema"] = settings.ema
    if settings.data.folds is not None and settings.data.split_file is None:
        values |= {"data_folds": settings.data.folds, "data_fold": settings.data.fold}
    tuned = grid_of(settings)
    return {key: value for key, value in values.items() if key not in tuned}
