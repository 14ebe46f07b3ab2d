"""CPU, memory, disk, network and GPU of the machine while a job runs, in MLflow's own charts."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.tracking.address import resolve_address
from frostline.tracking.offline_runs import is_offline_id


@contextmanager
def system_metrics(run_id: str, uri: str | None) -> Iterator[None]:
    """A block during which MLflow samples the machine every ten seconds into a run.

    What it writes is a convenience: where the store does not take it, the job goes on.

    Args:
        run_id: The run; one that waits in a journal gets none.
        uri: The store, as `open_store` takes it.
    """
    if is_offline_id(run_id):
        yield
        return
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    # It announces its start and its end.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
        run_id, resume_logging=True, tracking_uri=resolve_address(uri, Path.cwd()).uri
    )
    monitor.start()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        monitor.finish()  # type: ignore[no-untyped-call]
