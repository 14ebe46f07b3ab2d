"""What the peers keep of a job: parameters, metrics once an epoch, the best weights."""

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from benchmarks.jobs import Job

EXPERIMENT = "benchmark"


class Records:
    """One store; the cheapest calls that MLflow has.

    Args:
        uri: A migrated store.
    """

    def __init__(self, uri: str) -> None:
        self.client = MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(EXPERIMENT)
        self.experiment: str = (
            found.experiment_id if found else self.client.create_experiment(EXPERIMENT)
        )

    def start(self, job: Job, **more: Any) -> str:
        run_id: str = self.client.create_run(self.experiment).info.run_id
        params = {**vars(job), **more}
        self.client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])
        return run_id

    def epoch(self, run_id: str, figures: dict[str, float], step: int) -> None:
        metrics = [Metric(name, value, 0, step) for name, value in figures.items()]
        self.client.log_batch(run_id, metrics=metrics)

    def finish(self, run_id: str) -> None:
        self.client.set_terminated(run_id)
