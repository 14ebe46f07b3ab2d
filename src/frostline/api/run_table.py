"""Runs as a table: one row each, what was varied, scores and seconds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from frostline.tracking.records import RunRecord

_ALWAYS = ("backbone", "freeze", "seed", "lr")
SCORES = (
    "val_best/f1_macro", "val_best/acc_micro", "test/f1_macro", "test/acc_micro",
    "time/train_s", "time/tune_s",
)  # fmt: skip


def runs(experiment: str | None = None, *, uri: str | None = None) -> "pd.DataFrame":
    """All recorded jobs, the best on validation first.

    Args:
        experiment: Of this MLflow experiment alone.
        uri: Of the tracking store; None for the default one of the current folder.

    Raises:
        TrackingError: If the store cannot be read.
    """
    from frostline.tracking.store import open_store

    records = open_store(uri, "Default").find_runs({"frostline.kind": "job"}, everywhere=True)
    kept = [one for one in records if experiment is None or one.experiment == experiment]
    table = run_table(kept)
    ends = {record.run_id: record for record in kept}
    table["state"] = [ends[run_id].status for run_id in table["run_id"]]
    table["experiment"] = [ends[run_id].experiment for run_id in table["run_id"]]
    return table


def run_table(records: "Sequence[RunRecord]") -> "pd.DataFrame":
    """One row a run: `run_id`, `name`, the parameters that differ, scores (shares of 1), seconds.

    Args:
        records: The runs, in any order.
    """
    import pandas as pd

    keys = {key for record in records for key in record.params}
    varied = {key for key in keys if len({record.params.get(key) for record in records}) > 1}
    columns = [*_ALWAYS, *sorted(varied - set(_ALWAYS))]
    rows: list[dict[str, Any]] = []
    for record in records:
        values = {key: _number(record.params.get(key)) for key in columns}
        scores = {name: record.metrics.get(name) for name in SCORES}
        rows.append({"run_id": record.run_id, "name": record.name, **values, **scores})
    table = pd.DataFrame(rows, columns=["run_id", "name", *columns, *SCORES])
    return table.sort_values(
        "val_best/f1_macro", ascending=False, kind="stable", na_position="last", ignore_index=True
    )


def _number(text: str | None) -> Any:
    """A parameter as the number that it spells, if it spells one."""
    if text is None:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
