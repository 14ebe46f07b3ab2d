"""What MLflow samples of the machine while a job runs."""

import time

import mlflow
import pytest

from frostline.tracking.store import open_store
from frostline.tracking.system_metrics import system_metrics


@pytest.fixture
def uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_the_machine_is_sampled_as_long_as_the_block_lasts(uri):
    store = open_store(uri, "leaves")
    run = store.start_run("one", {})
    client = mlflow.MlflowClient(uri)
    with system_metrics(run.run_id, uri):
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            found = client.get_run(run.run_id).data.metrics
            if "system/cpu_utilization_percentage" in found:
                break
            time.sleep(0.1)
    run.finish("FINISHED")
    after = client.get_run(run.run_id).data.metrics
    assert 0 <= after["system/cpu_utilization_percentage"] <= 100
    assert after["system/system_memory_usage_megabytes"] > 0
    steps = len(client.get_metric_history(run.run_id, "system/cpu_utilization_percentage"))
    time.sleep(0.5)
    assert steps == len(client.get_metric_history(run.run_id, "system/cpu_utilization_percentage"))


def test_a_run_that_waits_in_a_journal_gets_none(uri):
    store = open_store(uri, "leaves", offline=True)
    run = store.start_run("one", {})
    with system_metrics(run.run_id, uri):
        pass
