"""What `frostline.sweep` returns: the sweep's table, verdict, report and best run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.api.run_table import run_table

if TYPE_CHECKING:
    import pandas as pd

    from frostline.api.model import Model
    from frostline.tracking.store import Store


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended.

    Attributes:
        sweep_id: By which the commands know it: `best:ID`, `report --sweep ID`.
        jobs: Each job's name, state (`done`, `reused`, `failed`, `not run`), run id and reason.
        folder: Of this call; its report lies there if one was written.
        uri: Of the tracking store; None for the default one of the current folder.
    """

    sweep_id: str
    jobs: Sequence[dict[str, str]] = field(repr=False)
    folder: Path = field(repr=False)
    uri: str | None = None

    def table(self) -> "pd.DataFrame":
        """One row a job, best on validation first: what it was, its scores, seconds, its end."""
        store = self._store()
        records = [store.get_run(job["run_id"]) for job in self.jobs if job["run_id"]]
        table = run_table(records)
        ended = {job["run_id"]: job for job in self.jobs if job["run_id"]}
        table["state"] = [ended[run_id]["state"] for run_id in table["run_id"]]
        table["reason"] = [ended[run_id]["reason"] for run_id in table["run_id"]]
        for job in self.jobs:
            if not job["run_id"]:
                new = {"name": job["name"], "state": job["state"], "reason": job["reason"]}
                for key, value in new.items():
                    table.loc[len(table) if key == "name" else len(table) - 1, key] = value
        return table

    def verdict(self) -> dict[str, Any]:
        """What the report says, as values: verdict.json."""
        from frostline.reporting.report_folder import VERDICT

        content = (self.report().parent / VERDICT).read_text(encoding="utf-8")
        values: dict[str, Any] = json.loads(content)
        return values

    def report(self) -> Path:
        """The page with intervals and the verdict; written now if it is not there."""
        from frostline.reporting.report_folder import PAGE
        from frostline.reporting.write_report import write_sweep_report

        page = self.folder / "report" / PAGE
        if not page.is_file():
            write_sweep_report(self._store(), self.sweep_id, page.parent)
        return page

    def best(self) -> "Model":
        """The model that `best:ID` stands for, ready to classify images."""
        from frostline.api.model import load

        return load(f"best:{self.sweep_id}", uri=self.uri)

    def _store(self) -> "Store":
        from frostline.tracking.store import open_store

        return open_store(self.uri, "Default")
