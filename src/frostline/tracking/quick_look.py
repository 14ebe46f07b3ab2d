"""A look at a local store without MLflow, whose import takes longer than a whole answer.

Read only, and only where nothing waits to be delivered: whatever else is the case, the store itself
is asked. The tables are those of MLflow's schema; a store that lacks one is not looked at.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from frostline.tracking.address import Address, escaped_path
from frostline.tracking.artifacts import find_in_folder, is_local_uri
from frostline.tracking.machinery import check_searchable, unfolded
from frostline.tracking.records import RunRecord

_MAX_VALUES = 500  # of one query; sqlite allows 999 in old versions
_RUNS = (
    "SELECT r.run_uuid, r.name, e.name, r.status, r.start_time, r.end_time, r.artifact_uri "
    "FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
    "WHERE r.lifecycle_stage = 'active' AND r.run_uuid IN ({})"
)


def runs_tagged(
    address: Address, experiment: str, tag: str, values: Iterable[str]
) -> list[RunRecord] | None:
    """The runs of an experiment of which a tag has one of these values, the newest first.

    Args:
        address: Of the store.
        experiment: Its name.
        tag: The tag.
        values: Values of the tag.

    Returns:
        None where the store must be asked itself: it is no file, entries wait for it, or the file
        cannot be read.
    """
    check_searchable([tag])
    database = address.database
    if database is None or not database.is_file() or any(address.journals_dir.glob("*.jsonl")):
        return None
    wanted = sorted(set(values))
    records: list[RunRecord] = []
    try:
        connection = sqlite3.connect(f"file:{escaped_path(database)}?mode=ro", uri=True, timeout=1)
        try:
            for start in range(0, len(wanted), _MAX_VALUES):
                records += _read(connection, tag, wanted[start : start + _MAX_VALUES])
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    own = [record for record in records if record.experiment == experiment]
    return sorted(own, key=lambda record: -record.start_ms)


def artifact_of(address: Address, run: RunRecord, path: str) -> Path | None:
    """An artifact of a run where artifacts are on this machine; None if it is not there."""
    if not is_local_uri(run.artifact_uri):
        return None
    return find_in_folder(run.artifact_uri, path, address.artifact_root)


def _read(connection: sqlite3.Connection, tag: str, values: list[str]) -> list[RunRecord]:
    marks = ",".join("?" * len(values))
    found = connection.execute(
        f"SELECT run_uuid FROM tags WHERE key = ? AND value IN ({marks})",
        [tag, *values],
    )
    ids = [run_id for (run_id,) in found]
    records = []
    for start in range(0, len(ids), _MAX_VALUES):
        some = ids[start : start + _MAX_VALUES]
        marks = ",".join("?" * len(some))
        tags = _pairs(connection, "tags", some)
        params = _pairs(connection, "params", some)
        metrics = _pairs(connection, "latest_metrics", some)
        for row in connection.execute(_RUNS.format(marks), some):
            run_id, name, experiment, status, start_ms, end_ms, uri = row
            records.append(
                RunRecord(
                    run_id=run_id,
                    name=name or "",
                    experiment=experiment,
                    status=status,
                    params=params.get(run_id, {}),
                    metrics={key: float(value) for key, value in metrics.get(run_id, {}).items()},
                    tags=unfolded(tags.get(run_id, {})),
                    start_ms=start_ms or 0,
                    end_ms=end_ms,
                    artifact_uri=uri or "",
                )
            )
    return records


def _pairs(
    connection: sqlite3.Connection, table: str, run_ids: list[str]
) -> Mapping[str, dict[str, str]]:
    """Key to value of each run; a metric that is not a number is left out."""
    marks = ",".join("?" * len(run_ids))
    numbers = "AND NOT is_nan" if table == "latest_metrics" else ""
    query = f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN ({marks}) {numbers}"
    pairs: dict[str, dict[str, str]] = {}
    for run_id, key, value in connection.execute(query, run_ids):
        pairs.setdefault(run_id, {})[key] = value
    return pairs
