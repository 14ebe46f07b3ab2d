"""Reading runs from the store, together with what waits in local journals."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.errors import TrackingError
from frostline.tracking.address import Address
from frostline.tracking.artifacts import find_in_folder, find_in_journal, is_local_uri
from frostline.tracking.journal_file import Entry, journal_path, read_entries
from frostline.tracking.offline_runs import find_offline_run, is_offline_id, local_name
from frostline.tracking.records import MetricPoint, RunRecord, apply_entries, matches
from frostline.tracking.run_queries import read_run, search_runs
from frostline.tracking.store_client import StoreClient
from frostline.tracking.store_errors import explained_errors, is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Reader:
    """The reading half of a store.

    Args:
        address: Where the store is.
        store_client: The client of it.
    """

    def __init__(self, address: Address, store_client: StoreClient) -> None:
        self.address = address
        self._store_client = store_client

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client, for what only MLflow has, such as its model registry."""
        return self._store_client.client

    @property
    def experiment(self) -> str:
        """Name of the experiment for new runs."""
        return self._store_client.experiment

    @property
    def offline(self) -> bool:
        """Whether everything goes to local journals."""
        return self._store_client.offline

    def get_run(self, run_id: str) -> RunRecord:
        """Read one run, from the store or from its journal.

        Raises:
            TrackingError: If there is no such run, or the store does not answer.
        """
        if is_offline_id(run_id):
            record = apply_entries(run_id, self._waiting_entries(run_id))
            if record is not None:
                return record
        if self.offline:
            raise TrackingError(
                f"run {run_id}: not in {self.address.journals_dir}, and with tracking.offline=true "
                "the store is not read",
                todo="give the command without tracking.offline",
            )
        with explained_errors(self.address):
            client = self._store_client.client
            stored_id = find_offline_run(client, run_id) if is_offline_id(run_id) else run_id
            try:
                record = None if stored_id is None else read_run(client, stored_id)
            except Exception as error:
                if not is_missing(error):
                    raise
                record = None
        if record is None:
            raise TrackingError(f"run {run_id}: there is no such run in {self.address.shown}")
        return self._with_waiting(record)

    def find_runs(
        self,
        tags: Mapping[str, str],
        *,
        status: Sequence[str] | None = None,
        everywhere: bool = False,
    ) -> list[RunRecord]:
        """Find runs that carry all these tags, the newest first.

        Runs that so far exist in a journal only are found too.

        Args:
            tags: Tag to value, all of which must match; empty for all runs.
            status: Allowed states; None for any.
            everywhere: Look in all experiments, not only in this store's own.

        Raises:
            TrackingError: If the store does not answer.
        """
        waiting = [
            record
            for record in self._waiting_runs()
            if everywhere or record.experiment == self.experiment
        ]
        stored: list[RunRecord] = []
        if not self.offline:
            with explained_errors(self.address):
                client = self._store_client.client
                own = [] if everywhere else [self._store_client.experiment_id(self.experiment)]
                stored = [self._with_waiting(record) for record in search_runs(client, own, tags)]
        delivered = {local_name(record) for record in stored}
        runs = stored + [record for record in waiting if record.run_id not in delivered]
        return sorted(
            (record for record in runs if matches(record, tags, status)),
            key=lambda record: -record.start_ms,
        )

    def metric_history(self, run_id: str, key: str) -> list[MetricPoint]:
        """All values of one metric, one for each step, in the order of steps.

        Raises:
            TrackingError: If there is no such run, or the store does not answer.
        """
        record = self.get_run(run_id)
        points = {
            int(entry["step"]): MetricPoint(
                int(entry["step"]), float(entry["values"][key]), int(entry["t"])
            )
            for entry in self._waiting_entries(local_name(record))
            if entry["op"] == "metrics" and key in entry["values"]
        }
        if not is_offline_id(record.run_id) and not self.offline:
            with explained_errors(self.address):
                for row in self._store_client.client.get_metric_history(record.run_id, key):
                    points[int(row.step)] = MetricPoint(int(row.step), row.value, row.timestamp)
        return [points[step] for step in sorted(points)]

    def list_artifacts(self, run_id: str, folder: str = "") -> list[str]:
        """Paths of a run's artifacts in one folder, as far as the store has them.

        Raises:
            TrackingError: If there is no such run, or the store does not answer.
        """
        with explained_errors(self.address):
            return [
                item.path
                for item in self._store_client.client.list_artifacts(run_id, folder or None)
            ]

    def fetch_artifact(self, run_id: str, path: str, into: Path | None = None) -> Path:
        """The local path of an artifact, which is downloaded if it is not on this machine.

        Args:
            run_id: The run.
            path: Path within the run's artifacts, such as `checkpoints/best.ckpt`.
            into: Folder for a download; None means a new temporary folder.

        Raises:
            TrackingError: If there is no such artifact, or the store does not answer.
        """
        record = self.get_run(run_id)
        if into is not None:
            into.mkdir(parents=True, exist_ok=True)
        waiting = find_in_journal(self._waiting_entries(local_name(record)), path, into)
        if waiting is not None:
            return waiting
        missing = TrackingError(
            f"run {record.name} ({run_id}) has no artifact {path}",
            todo="look in MLflow's page at those it has; a failed run may have ended before this",
        )
        if is_offline_id(record.run_id):
            raise missing
        if is_local_uri(record.artifact_uri):
            file = find_in_folder(record.artifact_uri, path, self.address.artifact_root)
            if file is None:
                raise missing
            return file
        folder = path.rpartition("/")[0]
        if path not in self.list_artifacts(record.run_id, folder):
            raise missing
        with explained_errors(self.address):
            target = None if into is None else str(into)
            return Path(self._store_client.client.download_artifacts(record.run_id, path, target))

    def _waiting_entries(self, name: str) -> list[Entry]:
        """The entries of a run's journal.

        Args:
            name: Name of the journal.
        """
        return read_entries(journal_path(self.address.journals_dir, name))

    def _with_waiting(self, record: RunRecord) -> RunRecord:
        """A run from the store, with what its journal adds."""
        entries = self._waiting_entries(local_name(record))
        return apply_entries(record.run_id, entries, onto=record) or record

    def _waiting_runs(self) -> Iterator[RunRecord]:
        """Runs that so far exist in a journal only."""
        for path in sorted(self.address.journals_dir.glob("*.jsonl")):
            if is_offline_id(path.stem):
                record = apply_entries(path.stem, read_entries(path))
                if record is not None:
                    yield record
