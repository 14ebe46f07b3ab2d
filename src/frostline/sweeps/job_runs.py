"""The runs that a job has in its store so far."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from frostline.config.recorded_identity import FACT_TAGS, has_own_digest
from frostline.config.schema import Settings
from frostline.data.load import data_name

if TYPE_CHECKING:
    from frostline.tracking.records import RunRecord
    from frostline.tracking.store import Store


def experiment_of(settings: Settings) -> str:
    """The experiment of a run: as configured, as in MLflow's variable, or the data set's name."""
    named = settings.tracking.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME", "").strip()
    return named or data_name(settings.data)


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
    """Those runs that read the inputs that their digest names.

    Args:
        settings: The job.
        runs: Runs with its digest.
    """
    planned = settings.sweep.model_dump(include=set(FACT_TAGS))
    return [run for run in runs if has_own_digest(settings, run.tags, planned)]


def _found(store: "Store", tags: Mapping[str, str]) -> "list[RunRecord]":
    from frostline.tracking.store_errors import StoreUnavailableError

    try:
        return store.find_runs(tags)
    except StoreUnavailableError:
        return []


def find_finished(runs: "list[RunRecord]") -> "RunRecord | None":
    """The newest run with all its epochs."""
    return next((run for run in runs if run.is_whole), None)
