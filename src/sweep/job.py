"""One job with its record in MLflow: whatever happens in it stands on that record.

A job is known by its digest. Its checkpoints lie in a folder of that name until it is finished, so
that whoever asks for the same job next goes on where it stopped, in the same run.
"""

import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config.schema import Settings
from src.data.load import data_name
from src.sweep.workers import StopSignalError

if TYPE_CHECKING:
    from src.tracking.records import RunRecord
    from src.tracking.run import Run
    from src.tracking.store import Store

Tell = Callable[..., None]


def experiment_of(settings: Settings) -> str:
    """MLflow's experiment of a run: as configured, or the data set's name."""
    return settings.tracking.experiment or data_name(settings.data)


def run_job(settings: Settings, folder: Path, *, tell: Tell) -> dict[str, Any]:
    """Carry out one job, go on with it, or take the result of whoever has just carried it out.

    Args:
        settings: All that determines the run; `sweep.job_digest` is set.
        folder: The job's own output folder.
        tell: Receives progress (see src.sweep.progress).

    Returns:
        `run_id`, `name`, `params`, `metrics` and `state` (`done` or `reused`).
    """
    from src.tracking.store import open_store

    digest = settings.sweep.job_digest
    assert digest is not None
    store = open_store(
        settings.tracking.uri,
        experiment_of(settings),
        offline=settings.tracking.offline,
        must_answer=settings.sweep.id is None,
    )
    owner = store.claim(digest[:32], on_wait=lambda who: tell(text=f"waiting for {who}, same job"))
    assert owner is not None
    with owner:
        finished = None if settings.rerun else finished_run(store, digest)
        if finished is not None:
            return _result(finished, "reused")
        work = store.address.state_dir / "jobs" / digest[:32]
        tracked = _begin(store, settings, work, tell)
        _carry_out(settings, folder, work, tracked, tell)
        shutil.rmtree(work, ignore_errors=True)
        return _result(store.get_run(tracked.run_id), "done")


def finished_run(store: "Store", digest: str) -> "RunRecord | None":
    """The newest finished run of a job, if there is one."""
    runs = store.find_runs({"frostline.job_digest": digest}, status=["FINISHED"])
    return runs[0] if runs else None


def _result(record: "RunRecord", state: str) -> dict[str, Any]:
    return {
        "run_id": record.run_id,
        "name": record.name,
        "params": dict(record.params),
        "metrics": dict(record.metrics),
        "state": state,
    }


def _begin(store: "Store", settings: Settings, work: Path, tell: Tell) -> "Run":
    """A new run, or the interrupted one whose checkpoints are still there."""
    from src.tracking.provenance import provenance_tags, read_provenance

    origin = read_provenance(Path(__file__).parent, command=sys.argv, data={})
    key = {"frostline.job_digest": settings.sweep.job_digest or ""}
    tags = provenance_tags(origin) | key | {"frostline.kind": "job"}
    if settings.sweep.id is not None:
        tags["frostline.sweep_id"] = settings.sweep.id
    interrupted = None if settings.rerun else _interrupted_run(store, key)
    if interrupted is not None and work.is_dir():
        tracked = store.resume_run(interrupted.run_id)
        if settings.sweep.parent_run_id is not None:
            tags["mlflow.parentRunId"] = settings.sweep.parent_run_id
        tracked.set_tags(tags)
        tell(text="goes on where it was interrupted")
        return tracked
    shutil.rmtree(work, ignore_errors=True)
    tracked = store.start_run(settings.run_name, tags, settings.sweep.parent_run_id)
    tracked.log_params(swept_params(settings))
    tracked.log_dict(settings.model_dump(mode="json"), "config.yaml")
    tracked.log_dict(origin, "provenance.json")
    return tracked


def _interrupted_run(store: "Store", key: dict[str, str]) -> "RunRecord | None":
    """The newest run of a job, if it was killed or its process died."""
    runs = store.find_runs(key)
    if not runs:
        return None
    stale = {run.run_id for run in store.stale_runs(key)}
    newest = runs[0]
    return newest if newest.status == "KILLED" or newest.run_id in stale else None


def _carry_out(settings: Settings, folder: Path, work: Path, tracked: "Run", tell: Tell) -> None:
    """Run the pipeline and give the run an end state whatever happens."""
    from src.train import run

    try:
        run(settings, folder, work, tracked, tell)
    except StopSignalError:
        tracked.finish("KILLED", "stopped by a signal")
        raise
    except BaseException as error:
        tracked.log_text(traceback.format_exc(), "traceback.txt")
        tracked.set_tags({"frostline.failure_kind": type(error).__name__})
        tracked.finish("FAILED", str(error).strip() or type(error).__name__)
        raise
    tracked.finish("FINISHED")


def swept_params(settings: Settings) -> dict[str, Any]:
    """What people sweep, under the names that the interface fixes; groups by their choice."""
    return {
        "backbone": settings.backbone,
        "freeze": settings.freeze,
        "weights": settings.weights,
        "data": experiment_of(settings),
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
