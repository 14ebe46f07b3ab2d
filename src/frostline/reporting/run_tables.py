"""Tables about the runs: what they took, which were left out, how they were done."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from frostline.reporting.cell_settings import PARTIAL_WEIGHTS
from frostline.reporting.cost_figures import LATENCY_MS
from frostline.reporting.select import FINGERPRINT, SPLIT, Selection
from frostline.reporting.tables import Column, Table, Value
from frostline.stats.cell import TRAIN_S, TUNE_S
from frostline.stats.folds import are_folds, word_for
from frostline.stats.verdict import Verdict
from frostline.tracking.records import RunRecord

ENERGY_WH = "energy/total_wh"
SAVED_S = "time/saved_by_reuse_s"
_METHOD_TAGS = (
    ("frostline.weights_source", "weights"),
    ("frostline.weights_path", "weights found under"),
    ("frostline.weights_adapted", "weights adapted"),
    ("frostline.weights_partial", "PARTIAL WEIGHTS, the rest random"),
    ("frostline.python", "Python"),
    ("frostline.torch", "torch"),
    ("frostline.timm", "timm"),
    ("frostline.device", "device"),
    ("frostline.engine", "engine"),
    ("mlflow.source.git.commit", "commit"),
    ("mlflow.source.name", "command"),
    (FINGERPRINT, "data fingerprint"),
)


def cost_table(verdict: Verdict) -> Table:
    """What the runs of each configuration took together."""
    columns = [
        Column("configuration"),
        Column("runs", "count"),
        Column("training, all runs", "seconds"),
        Column("of it values not chosen", "seconds"),
        Column("paid for a run", "seconds"),
        Column("a run alone", "seconds"),
        Column("energy, Wh", "number"),
        Column("saved by reuse", "seconds"),
        Column("saved, %", "percent"),
        Column("latency, ms", "number"),
    ]
    rows: list[list[Value]] = []
    for row in verdict.rows:
        cell = row.cell
        tuning, saved = cell.total(TUNE_S), cell.total(SAVED_S)
        spent = float(np.nansum([cell.total(TRAIN_S), tuning])) or float("nan")
        rows.append(
            [
                cell.name,
                len(cell.run_ids),
                spent,
                tuning,
                cell.paid_s,
                cell.alone_s,
                cell.total(ENERGY_WH),
                saved,
                saved / (spent + saved) if spent + saved > 0 else None,
                cell.mean(LATENCY_MS),
            ]
        )
    rows.append(["all", *_sums(rows)])
    return Table("costs", "What the sweep took", columns, rows).without_empty_columns()


def left_out_table(selection: Selection) -> Table:
    """Runs that are not compared, with the reason."""
    columns = [Column("run"), Column("what"), Column("reason"), Column("id")]
    rows: list[list[Value]] = [
        [left.run.name, left.kind, " ".join(left.reason.split())[:500], left.run.run_id]
        for left in sorted(selection.left_out, key=lambda left: (left.kind, left.run.name))
    ]
    return Table("left-out", "Runs that are not compared", columns, rows)


def method_table(
    verdict: Verdict, selection: Selection, records: Iterable[RunRecord], sweep: RunRecord | None
) -> Table:
    """Data, splits, seeds, versions and command, as recorded with the runs."""
    rows: list[list[Value]] = []
    if sweep is not None:
        rows.append(["sweep", f"{sweep.name} ({sweep.run_id})"])
        note = sweep.tags.get("mlflow.note.content", "").strip("` \n")
        rows += [["command", note.splitlines()[0].strip("`")]] if note else []
    rows.append(["runs", f"{len(selection.runs)} compared, of {len(list(records))} found"])
    rows.append(["data", _listed(run.params.get("data", "?") for run in selection.runs)])
    if verdict.top.spread is not None:
        groups = f"{verdict.top.spread.n_groups:,} groups on the top's validation sides"
        rows.append(["validation", groups])
    seeds = selection.seeds
    named = [f"seed {one}" for one in seeds] if are_folds(seeds) else seeds
    rows.append([word_for(seeds), ", ".join(named)])
    splits = {run.tags[SPLIT] for run in selection.runs if SPLIT in run.tags}
    rows.append(["splits", f"{len(splits)} different" if splits else "not recorded"])
    shared = {
        key: value for key, value in selection.cells[0].params.items() if key not in selection.swept
    }
    shared.pop(PARTIAL_WEIGHTS, None)
    swept = list(selection.swept)
    if selection.tried:
        shared.pop("lr", None)
        swept.append("lr (each configuration is shown at its best)")
    rows.append(["the same in all", ", ".join(f"{k}={v}" for k, v in shared.items())])
    rows.append(["swept", ", ".join(swept) or "nothing"])
    for tag, name in _METHOD_TAGS:
        values = [run.tags[tag] for run in selection.runs if tag in run.tags]
        if values and not (name == "command" and sweep is not None):
            rows.append([name, _listed(values)])
    return Table("how", "How it was done", [Column("what"), Column("value")], rows)


def _sums(rows: Sequence[Sequence[Value]]) -> list[Value]:
    def total(place: int) -> float:
        values = [float(row[place] or 0) for row in rows if isinstance(row[place], float | int)]
        finite = [value for value in values if np.isfinite(value)]
        return sum(finite) if finite else float("nan")

    spent, saved = total(2), total(7)
    share = saved / (spent + saved) if spent + saved > 0 else None
    return [int(total(1)), spent, total(3), None, None, total(6), saved, share, None]


def _listed(values: Iterable[str]) -> str:
    counts: Mapping[str, int] = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{value} ({n} runs)" for value, n in list(counts.items())[:6]]
    return ", ".join(shown) + (f" and {len(counts) - 6} more" if len(counts) > 6 else "")
