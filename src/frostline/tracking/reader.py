"""Questions to the store, answered together with what waits in local journals."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from frostline.errors import TrackingError
from frostline.tracking.address import Address
from frostline.tracking.availability import Link
from frostline.tracking.delivery import find_local, is_local
from frostline.tracking.journal import read_entries
from frostline.tracking.owner import journal_name
from frostline.tracking.records import MetricPoint, RunRecord, fold_entries, matches
from frostline.tracking.store_errors import explained_errors, is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE_ROWS = 1000


class Reader:
    """The reading half of a store.

    Args:
        address: Where the store is.
        link: The link to it.
    """

    def __init__(self, address: Address, link: Link) -> None:
        self.address = address
        self._link = link
        self._journals = address.state_dir / "journal"
        self._locks = address.state_dir / "locks"

    @property
    def experiment(self) -> str:
        """Name of the experiment that new runs belong to."""
        return self._link.experiment

    @property
    def offline(self) -> bool:
        """Whether everything goes to local journals."""
        return self._link.offline

    def get_run(self, run_id: str) -> RunRecord:
        """Read one run, from the store or from its journal.

        Raises:
            TrackingError: If there is no such run, or the store is away.
        """
        if is_local(run_id):
            record = fold_entries(run_id, read_entries(self._journal_path(run_id)))
            if record is not None:
                return record
        if self.offline:
            raise TrackingError(
                f"run {run_id}: not in {self._journals}, and tracking.offline=true leaves the "
                "store unread",
                todo="call again without tracking.offline",
            )
        with explained_errors(self.address):
            client = self._link.client
            found = find_local(client, run_id) if is_local(run_id) else run_id
            try:
                record = None if found is None else _read(client, found)
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

        Runs that only a journal knows yet are found too.

        Args:
            tags: Tag to value, all of which must match; empty for all runs.
            status: Allowed states; None for any.
            everywhere: Look in all experiments, not only in this store's own.

        Raises:
            TrackingError: If the store is away.
        """
        waiting = [
            record
            for record in self._waiting_runs()
            if everywhere or record.experiment == self.experiment
        ]
        stored: list[RunRecord] = []
        if not self.offline:
            with explained_errors(self.address):
                client = self._link.client
                own = [] if everywhere else [self._link.experiment_id(self.experiment)]
                stored = [self._with_waiting(record) for record in _search(client, own, tags)]
        known = {journal_name(record) for record in stored}
        found = stored + [record for record in waiting if record.run_id not in known]
        return sorted(
            (record for record in found if matches(record, tags, status)),
            key=lambda record: -record.start_ms,
        )

    def metric_history(self, run_id: str, key: str) -> list[MetricPoint]:
        """All values of one metric, one a step, by step.

        Raises:
            TrackingError: If there is no such run, or the store is away.
        """
        record = self.get_run(run_id)
        points = {
            int(entry["step"]): MetricPoint(
                int(entry["step"]), float(entry["values"][key]), int(entry["t"])
            )
            for entry in read_entries(self._journal_path(journal_name(record)))
            if entry["op"] == "metrics" and key in entry["values"]
        }
        if not is_local(record.run_id) and not self.offline:
            with explained_errors(self.address):
                for row in self._link.client.get_metric_history(record.run_id, key):
                    points[int(row.step)] = MetricPoint(int(row.step), row.value, row.timestamp)
        return [points[step] for step in sorted(points)]

    def list_artifacts(self, run_id: str, folder: str = "") -> list[str]:
        """Paths of a run's artifacts in one folder, as the store has them.

        Raises:
            TrackingError: If there is no such run, or the store is away.
        """
        with explained_errors(self.address):
            return [item.path for item in self._link.client.list_artifacts(run_id, folder or None)]

    def fetch_artifact(self, run_id: str, path: str, into: Path | None = None) -> Path:
        """The local path of an artifact; downloaded only where it is not on this machine.

        Args:
            run_id: The run.
            path: Path within the run's artifacts, such as `checkpoints/best.ckpt`.
            into: Folder for what must be downloaded; None means a new temporary folder.

        Raises:
            TrackingError: If there is no such artifact, or the store is away.
        """
        record = self.get_run(run_id)
        if into is not None:
            into.mkdir(parents=True, exist_ok=True)
        waiting = self._waiting_artifact(journal_name(record), path, into)
        if waiting is not None:
            return waiting
        missing = TrackingError(
            f"run {record.name} ({run_id}) has no artifact {path}",
            todo="see what it has in MLflow's page; a failed run may have ended before this file",
        )
        if is_local(record.run_id):
            raise missing
        if record.artifact_uri.startswith("file://"):
            root = Path(url2pathname(urlsplit(record.artifact_uri).path))
            for place in (root, *self._moved(root)):
                if (place / path).exists():
                    return place / path
            raise missing
        folder = path.rpartition("/")[0]
        if path not in self.list_artifacts(record.run_id, folder):
            raise missing
        with explained_errors(self.address):
            where = None if into is None else str(into)
            return Path(self._link.client.download_artifacts(record.run_id, path, where))

    def _moved(self, root: Path) -> list[Path]:
        """Where artifacts lie if the store's folder was moved: MLflow keeps the old place."""
        if self.address.artifact_root is None:
            return []
        return [self.address.artifact_root.joinpath(*root.parts[-3:])]

    def _journal_path(self, name: str) -> Path:
        return self._journals / f"{name}.jsonl"

    def _with_waiting(self, record: RunRecord) -> RunRecord:
        entries = read_entries(self._journal_path(journal_name(record)))
        return fold_entries(record.run_id, entries, onto=record) or record

    def _waiting_runs(self) -> Iterator[RunRecord]:
        for path in sorted(self._journals.glob("offline-*.jsonl")):
            record = fold_entries(path.stem, read_entries(path))
            if record is not None:
                yield record

    def _waiting_artifact(self, name: str, path: str, into: Path | None) -> Path | None:
        found = None
        for entry in read_entries(self._journal_path(name)):
            if entry["op"] == "text" and entry["path"] == path:
                found = (into or Path(tempfile.mkdtemp())) / Path(path).name
                found.write_text(entry["text"], encoding="utf-8")
            if entry["op"] != "artifact":
                continue
            file = Path(entry["file"])
            logged_as = f"{entry['folder']}/{file.name}".lstrip("/")
            if logged_as == path:
                found = file
            elif path.startswith(f"{logged_as}/"):
                found = file / path.removeprefix(f"{logged_as}/")
        return found if found is not None and found.exists() else None


def _read(client: "MlflowClient", run_id: str) -> RunRecord:
    run = client.get_run(run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    return _record(run, experiment.name)


def _search(
    client: "MlflowClient", experiment_ids: list[str], tags: Mapping[str, str]
) -> Iterator[RunRecord]:
    names = {item.experiment_id: item.name for item in client.search_experiments()}
    wanted = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    token = None
    while True:
        page = client.search_runs(
            experiment_ids or list(names), wanted, max_results=_PAGE_ROWS, page_token=token
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


def _record(run: Any, experiment: str) -> RunRecord:
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        status=run.info.status,
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        artifact_uri=run.info.artifact_uri,
    )
