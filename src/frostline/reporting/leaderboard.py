"""The page's tables: leaderboard, costs, what failed, how it was done."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from frostline.reporting.details import HeldOutResult
from frostline.reporting.tables import Column, Table, Value
from frostline.reporting.verdict_figures import LATENCY_MS
from frostline.stats.cells import FINGERPRINT, SPLIT, Selection
from frostline.stats.scores import SCORES, SHORT_WORDS
from frostline.stats.verdict import TRAIN_S, Row, Verdict
from frostline.tracking.records import RunRecord

ENERGY_WH = "energy/total_wh"
SAVED_S = "time/saved_by_reuse_s"
STANDING_WORDS = {
    "top": "highest",
    "alike": "as good in practice",
    "open": "cannot be told apart",
    "behind": "probably worse, not proven",
    "worse": "worse",
    "not tested": "not tested",
}
_HOW_TAGS = (
    ("frostline.weights_source", "weights"),
    ("frostline.python", "Python"),
    ("frostline.torch", "torch"),
    ("frostline.timm", "timm"),
    ("frostline.device", "device"),
    ("frostline.engine", "engine"),
    ("mlflow.source.git.commit", "commit"),
    ("mlflow.source.name", "command"),
    (FINGERPRINT, "data fingerprint"),
)


def leaderboard(verdict: Verdict, look: HeldOutResult) -> Table:
    """All configurations, best on validation first."""
    score = verdict.rules.score
    words = SHORT_WORDS[score]
    others = [name for name in SCORES if name != score]
    level = f"{100 * verdict.rules.level:g} %"
    columns = [
        Column("configuration"),
        Column("verdict"),
        Column(f"val {words} %", "percent"),
        Column(f"low {level}", "percent"),
        Column(f"high {level}", "percent"),
        Column("sd of seeds", "percent"),
        Column("seeds", "count"),
        Column("from top, points", "points"),
        Column("low", "points"),
        Column("high", "points"),
        Column("p (Holm)", "p"),
        *(Column(f"val {SHORT_WORDS[name]} %", "percent") for name in others),
        Column(f"test {words} %", "percent"),
        Column("test not used for choosing"),
        Column("training of a run", "seconds"),
        Column("trained parameters", "count"),
        Column("latency, ms", "number"),
    ]
    rows = [_leader(row, verdict, others, look) for row in verdict.rows]
    marked = frozenset(k for k, row in enumerate(verdict.rows) if row is verdict.recommended)
    return Table("leaderboard", "Leaderboard", columns, rows, marked).without_empty_columns()


def comparisons(verdict: Verdict) -> Table | None:
    """Each tested configuration against the top, in detail."""
    columns = [
        Column("configuration"),
        Column("seeds shared", "count"),
        Column("images (once a seed)", "count"),
        Column("groups", "count"),
        Column("only the top right", "count"),
        Column("only this right", "count"),
        Column("difference, points", "points"),
        Column("low", "points"),
        Column("high", "points"),
        Column("p", "p"),
        Column("p (Holm)", "p"),
        Column("test"),
    ]
    rows: list[list[Value]] = []
    for row in verdict.rows:
        c = row.comparison
        if c is not None:
            test = "McNemar, exact below 25" if c.exact else "t, by group and seed"
            rows.append(
                [
                    *(row.cell.name, c.spread.n_seeds, c.n_items, c.spread.n_groups),
                    *(c.only_top, c.only_other, c.difference.value, *c.interval),
                    *(c.p, c.p_holm, test),
                ]
            )
    if not rows:
        return None
    title = f"Against {verdict.top.cell.name}, on the same validation images"
    return Table("comparisons", title, columns, rows, folded=True)


def costs(verdict: Verdict) -> Table:
    """What the runs of each configuration took together."""
    columns = [
        Column("configuration"),
        Column("runs", "count"),
        Column("training, all runs", "seconds"),
        Column("training of a run", "seconds"),
        Column("energy, Wh", "number"),
        Column("saved by reuse", "seconds"),
        Column("saved, %", "percent"),
        Column("latency, ms", "number"),
    ]
    rows: list[list[Value]] = []
    for row in verdict.rows:
        spent, saved = (_total(row, metric) for metric in (TRAIN_S, SAVED_S))
        rows.append(
            [
                row.cell.name,
                len(row.cell.runs),
                spent,
                row.cell.mean(TRAIN_S),
                _total(row, ENERGY_WH),
                saved,
                saved / (spent + saved) if spent + saved > 0 else None,
                row.cell.mean(LATENCY_MS),
            ]
        )
    rows.append(["all", *_sums(rows)])
    return Table("costs", "What the sweep took", columns, rows).without_empty_columns()


def failures(selection: Selection) -> Table:
    """Runs that are not compared, with the reason."""
    columns = [Column("run"), Column("what"), Column("reason"), Column("id")]
    rows: list[list[Value]] = [
        [left.run.name, left.kind, " ".join(left.reason.split())[:500], left.run.run_id]
        for left in sorted(selection.left, key=lambda left: (left.kind, left.run.name))
    ]
    return Table("left-out", "Runs that are not compared", columns, rows)


def how(
    verdict: Verdict, selection: Selection, records: Iterable[RunRecord], parent: RunRecord | None
) -> Table:
    """Data, splits, seeds, versions and command, as recorded with the runs."""
    used = [run for cell in selection.cells for run in cell.runs.values()]
    rows: list[list[Value]] = []
    if parent is not None:
        rows.append(["sweep", f"{parent.name} ({parent.run_id})"])
        note = parent.tags.get("mlflow.note.content", "").strip("` \n")
        rows += [["command", note.splitlines()[0].strip("`")]] if note else []
    rows.append(["runs", f"{len(used)} compared, of {len(list(records))} found"])
    rows.append(["data", _listed(run.params.get("data", "?") for run in used)])
    if verdict.top.spread is not None:
        groups = f"{verdict.top.spread.n_groups:,} groups on the top's validation sides"
        rows.append(["validation", groups])
    rows.append(["seeds", ", ".join(selection.seeds)])
    splits = {run.tags[SPLIT] for run in used if SPLIT in run.tags}
    rows.append(["splits", f"{len(splits)} different" if splits else "not recorded"])
    shared = {
        key: value for key, value in selection.cells[0].params.items() if key not in selection.swept
    }
    rows.append(["the same in all", ", ".join(f"{k}={v}" for k, v in shared.items())])
    rows.append(["swept", ", ".join(selection.swept) or "nothing"])
    for tag, words in _HOW_TAGS:
        known = [run.tags[tag] for run in used if tag in run.tags]
        if known and not (words == "command" and parent is not None):
            rows.append([words, _listed(known)])
    return Table("how", "How it was done", [Column("what"), Column("value")], rows)


def _leader(row: Row, verdict: Verdict, others: Sequence[str], look: HeldOutResult) -> list[Value]:
    low, high = row.interval or (row.seeds.low, row.seeds.high)
    c = row.comparison
    is_taken = row is verdict.recommended
    test = look.value if is_taken else row.cell.mean(f"test/{verdict.rules.score}")
    took = "recommended" if is_taken else STANDING_WORDS[row.standing]
    if is_taken and row.standing != "top":
        took += f", {STANDING_WORDS[row.standing]}"
    return [
        row.cell.name,
        took,
        row.value,
        low,
        high,
        row.seeds.sd,
        len(row.cell.runs),
        None if c is None else c.difference.value,
        *((None, None) if c is None else c.interval),
        None if c is None else c.p_holm,
        *(row.cell.mean(f"val_best/{name}") for name in others),
        test,
        "for the choice made" if is_taken else "not used",
        row.cell.mean(TRAIN_S),
        row.cell.number("trainable_params"),
        row.cell.mean(LATENCY_MS),
    ]


def _total(row: Row, metric: str) -> float:
    values = row.cell.values(metric)
    return float(np.sum(values)) if values else float("nan")


def _sums(rows: Sequence[Sequence[Value]]) -> list[Value]:
    def total(place: int) -> float:
        values = [float(row[place] or 0) for row in rows if isinstance(row[place], float | int)]
        finite = [value for value in values if np.isfinite(value)]
        return sum(finite) if finite else float("nan")

    spent, saved = total(2), total(5)
    share = saved / (spent + saved) if spent + saved > 0 else None
    return [int(total(1)), spent, None, total(4), saved, share, None]


def _listed(values: Iterable[str]) -> str:
    counts: Mapping[str, int] = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{value} ({n} runs)" for value, n in list(counts.items())[:6]]
    return ", ".join(shown) + (f" and {len(counts) - 6} more" if len(counts) > 6 else "")
