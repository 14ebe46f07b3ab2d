"""One job with its record in MLflow: whatever happens in it stands on that record."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from src.config.schema import Settings
from src.data.load import data_name
from src.sweep.workers import StopSignalError


def experiment_of(settings: Settings) -> str:
    """MLflow's experiment of a run: as configured, or the data set's name."""
    return settings.tracking.experiment or data_name(settings.data)


def run_job(settings: Settings, folder: Path, *, tell: Callable[..., None]) -> dict[str, Any]:
    """Carry out one job, and give its run an end state whatever happens.

    Args:
        settings: All that determines the run; `sweep.job_digest` is set.
        folder: The job's own folder.
        tell: Receives progress (see src.sweep.progress).

    Returns:
        `run_id`, `name`, `params` and `metrics`.
    """
    from src.tracking.provenance import provenance_tags, read_provenance
    from src.tracking.store import open_store
    from src.train import run

    store = open_store(
        settings.tracking.uri,
        experiment_of(settings),
        offline=settings.tracking.offline,
        must_answer=settings.sweep.id is None,
    )
    origin = read_provenance(Path(__file__).parent, command=sys.argv, data={})
    tags = provenance_tags(origin) | {
        "frostline.kind": "job",
        "frostline.job_digest": settings.sweep.job_digest or "",
        "frostline.sweep_id": settings.sweep.id or "",
    }
    tracked = store.start_run(settings.run_name, tags, settings.sweep.parent_run_id)
    try:
        tracked.log_params(swept_params(settings))
        tracked.log_dict(settings.model_dump(mode="json"), "config.yaml")
        tracked.log_dict(origin, "provenance.json")
        metrics = run(settings, folder, tracked, tell)
    except StopSignalError:
        tracked.finish("KILLED", "stopped by a signal")
        raise
    except BaseException as error:
        tracked.log_text(traceback.format_exc(), "traceback.txt")
        tracked.finish("FAILED", str(error).strip() or type(error).__name__)
        raise
    tracked.finish("FINISHED")
    return {
        "run_id": tracked.run_id,
        "name": settings.run_name,
        "params": dict(store.get_run(tracked.run_id).params),
        "metrics": metrics,
    }


def swept_params(settings: Settings) -> dict[str, Any]:
    """What people sweep, under the names that the interface fixes; groups by their choice."""
    return {
        "backbone": settings.backbone,
        "freeze": settings.freeze,
        "weights": settings.weights,
        "data": experiment_of(settings),
        "augment": settings.augment.name,
        "mix": settings.mix.name,
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
