"""Runs as MLflow returns them, turned into plain records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from frostline.errors import TrackingError
from frostline.tracking.machinery import check_searchable, unfolded
from frostline.tracking.records import RunRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE_ROWS = 1000


def read_run(client: "MlflowClient", run_id: str) -> RunRecord:
    """Read one run.

    Raises:
        MlflowException: If there is no such run, or the store does not answer.
    """
    run = client.get_run(run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    return _record(run, experiment.name)


def search_runs(
    client: "MlflowClient", experiment_ids: Sequence[str], tags: Mapping[str, str]
) -> Iterator[RunRecord]:
    """Find runs that carry all these tags.

    Args:
        client: The store's client.
        experiment_ids: Where to look; empty for all experiments.
        tags: Tag to value; empty for all runs.

    Raises:
        TrackingError: If a value cannot be written in MLflow's query language.
        ValueError: If a tag is one of those that the store keeps folded.
        MlflowException: If the store does not answer.
    """
    check_searchable(tags)
    names = {item.experiment_id: item.name for item in client.search_experiments()}
    query = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    token = None
    while True:
        page = client.search_runs(
            list(experiment_ids) or list(names), query, max_results=_PAGE_ROWS, page_token=token
        )
        for run in page:
            yield _record(run, names.get(run.info.experiment_id, ""))
        token = page.token
        if not token:
            return


def _quoted(value: str) -> str:
    quote = '"' if "'" in value else "'"
    if quote in value:
        raise TrackingError(f"a tag's value cannot be searched for with both quotes in it: {value}")
    return f"{quote}{value}{quote}"


def _record(run: "Run", experiment: str) -> RunRecord:
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        status=run.info.status,
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags=unfolded(run.data.tags),
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        artifact_uri=run.info.artifact_uri,
    )
