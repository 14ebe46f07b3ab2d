"""Select which runs may be compared, and sort them into cells: same data, splits, all but seed.

The folds of a data set are one cell, as its seeds are.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from frostline.reporting.cell_settings import (
    DERIVED_PARAMS,
    FOLD,
    FOLDS,
    cell_name,
    configuration,
    swept_params,
)
from frostline.stats.cell import Cell
from frostline.stats.folds import key_order, run_key
from frostline.tracking.records import DATA_SOURCE, DROPPED, WAITS, RunRecord

FINGERPRINT = "frostline.data_fingerprint"
SPLIT = "frostline.split_digest"
FAILURE = "frostline.failure"
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class LeftOut:
    """A run that is not compared, and why."""

    run: RunRecord
    kind: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """What can be compared, and what cannot.

    Attributes:
        cells: Cells with at least one run that has a score.
        swept: Parameters that differ between the cells.
        runs: The runs of the cells, cell by cell.
        left_out: Runs that are not compared.
        tried: Of a cell that is shown at the best of several typed learning rates, by name: each
            rate's own cell.
    """

    cells: Sequence[Cell]
    swept: Sequence[str]
    runs: Sequence[RunRecord] = field(default_factory=tuple)
    left_out: Sequence[LeftOut] = field(default_factory=tuple)
    tried: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)

    @property
    def seeds(self) -> list[str]:
        """All seeds, or folds, in order."""
        return sorted({seed for cell in self.cells for seed in cell.run_ids}, key=key_order)

    @property
    def n_dropped(self) -> int:
        """Configurations that a race dropped before any of their runs was whole."""
        whole = [configuration(run.params) for run in self.runs]
        dropped = [configuration(left.run.params) for left in self.left_out_as("dropped")]
        return len({tuple(sorted(one.items())) for one in dropped if one not in whole})

    def left_out_as(self, kind: str) -> list[LeftOut]:
        """The runs left out for one kind of reason."""
        return [left for left in self.left_out if left.kind == kind]


def select(
    records: Iterable[RunRecord],
    score_metric: str,
    damage: Callable[[RunRecord], str | None] | None = None,
) -> Selection:
    """Sort runs into cells.

    Left out, each with its reason: `running`, `dropped` (by a race), `failed`, `no score`,
    `damaged` (files), `other data` (than most runs), `other split` (than most runs of the seed),
    `duplicate` (an older run of the same cell and seed), `missing folds` (of its cell).

    Args:
        records: Runs of single jobs, in any order.
        score_metric: The metric that a run must have, such as `val_best/f1_macro`.
        damage: What is wrong with the files of a run that has one; None if nothing is.
    """
    left_out: list[LeftOut] = []
    usable: list[RunRecord] = []
    for run in records:
        reason = _unusable(run, score_metric)
        if reason is None and damage is not None and (wrong := damage(run)) is not None:
            reason = ("damaged", wrong)
        if reason is None:
            usable.append(run)
        else:
            left_out.append(LeftOut(run, *reason))
    usable = _of_same_data(usable, left_out)
    usable = _of_same_splits(_of_same_scheme(usable, left_out), left_out)
    usable = _with_all_folds(usable, left_out)
    swept = swept_params([run.params for run in usable])
    groups: dict[tuple[tuple[str, str], ...], list[RunRecord]] = defaultdict(list)
    for run in usable:
        groups[tuple(sorted(configuration(run.params).items()))].append(run)
    cells: list[Cell] = []
    compared: list[RunRecord] = []
    for key, runs in groups.items():
        by_seed = _newest_by_seed(runs, left_out)
        compared += by_seed.values()
        cells.append(_cell(dict(key), by_seed, swept))
    return Selection(tuple(cells), tuple(swept), tuple(compared), tuple(left_out))


def are_drawings(records: Iterable[RunRecord]) -> bool:
    """Whether runs were trained on the built-in leaves, whatever a folder of photos is called."""
    return any(run.tags.get(DATA_SOURCE) == "leaves" for run in records)


def _unusable(run: RunRecord, metric: str) -> tuple[str, str] | None:
    if run.status in {"RUNNING", "SCHEDULED"}:
        return "running", run.tags.get(WAITS) or "not finished when this page was made"
    if DROPPED in run.tags:
        return "dropped", run.tags[DROPPED]
    if run.status != "FINISHED":
        return "failed", run.tags.get(FAILURE) or f"{run.status}, without a recorded reason"
    value = run.metrics.get(metric)
    if value is None:
        return "no score", f"it has no {metric}"
    if not np.isfinite(value):
        return "no score", f"its {metric} is {value}"
    return None


def _of_same_data(runs: list[RunRecord], left_out: list[LeftOut]) -> list[RunRecord]:
    """The runs on the data set with most runs; on the newer of two with equally many."""
    if not runs:
        return []
    counts = Counter(_fingerprint(run) for run in runs)
    newest = {_fingerprint(run): run.start_ms for run in sorted(runs, key=lambda r: r.start_ms)}
    chosen = max(counts, key=lambda name: (counts[name], newest[name]))
    for run in runs:
        if _fingerprint(run) != chosen:
            data = run.params.get("data", "?")
            reason = (
                f"trained on other data ({data}, fingerprint {_fingerprint(run)[:12]}) than "
                f"the {counts[chosen]} runs compared here ({chosen[:12]})"
            )
            left_out.append(LeftOut(run, "other data", reason))
    return [run for run in runs if _fingerprint(run) == chosen]


def _of_same_splits(runs: list[RunRecord], left_out: list[LeftOut]) -> list[RunRecord]:
    """For each seed and share of the data, the runs with the split that most of them have."""
    by_seed: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for run in runs:
        by_seed[_split_key(run)][run.tags.get(SPLIT, UNKNOWN)] += 1
    usable = []
    for run in runs:
        most = by_seed[_split_key(run)].most_common(1)[0][0]
        own = run.tags.get(SPLIT, UNKNOWN)
        if own == most:
            usable.append(run)
        else:
            reason = (
                f"split {own[:12]}, while most runs of seed {run.params.get('seed', '?')} have "
                f"{most[:12]}: scores on different images cannot be compared (to repeat splits or "
                "folds, sweep over seed, not over data.split_seed)"
            )
            left_out.append(LeftOut(run, "other split", reason))
    return usable


def _of_same_scheme(runs: list[RunRecord], left_out: list[LeftOut]) -> list[RunRecord]:
    """The runs with as many folds, or with none, as most of them."""
    if not runs:
        return []
    counts = Counter(run.params.get(FOLDS) for run in runs)
    chosen = counts.most_common(1)[0][0]
    for run in runs:
        if run.params.get(FOLDS) != chosen:
            reason = (
                f"{_scheme(run.params.get(FOLDS))}, while most runs are of {_scheme(chosen)}: "
                "they train and are scored on other shares of the images"
            )
            left_out.append(LeftOut(run, "other split", reason))
    return [run for run in runs if run.params.get(FOLDS) == chosen]


def _scheme(folds: str | None) -> str:
    return "one split by fractions" if folds is None else f"data.folds={folds}"


def _with_all_folds(runs: list[RunRecord], left_out: list[LeftOut]) -> list[RunRecord]:
    """The runs of cells that have, of a seed, the folds that most cells have.

    A mean over other folds is one over other images; nor may a fold be left out because it failed.
    """
    had: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for run in runs:
        had[_cell_and_seed(run)].add(run.params.get(FOLD, ""))
    by_seed: dict[str, Counter[frozenset[str]]] = defaultdict(Counter)
    for (_, seed), folds in had.items():
        by_seed[str(seed)][frozenset(folds)] += 1
    usual = {
        seed: max(counts, key=lambda folds, c=counts: (c[folds], len(folds)))  # type: ignore[misc]
        for seed, counts in by_seed.items()
    }
    usable = []
    for run in runs:
        seed, fold = run.params.get("seed", UNKNOWN), run.params.get(FOLD, "")
        missing = sorted(usual[seed] - had[_cell_and_seed(run)], key=int)
        if not missing and fold in usual[seed]:
            usable.append(run)
            continue
        reason = (
            f"its configuration lacks fold {', '.join(missing)} of seed {seed}, which the others "
            "have: its mean would be one over other images. The same command runs what is missing"
            if missing
            else f"fold {fold} of seed {seed} is there for few configurations only"
        )
        left_out.append(LeftOut(run, "missing folds", reason))
    return usable


def _cell_and_seed(run: RunRecord) -> tuple[object, ...]:
    return tuple(sorted(configuration(run.params).items())), run.params.get("seed", UNKNOWN)


def _newest_by_seed(runs: list[RunRecord], left_out: list[LeftOut]) -> dict[str, RunRecord]:
    newest: dict[str, RunRecord] = {}
    for run in sorted(runs, key=lambda r: -r.start_ms):
        key = run_key(run.params.get("seed", UNKNOWN), run.params.get(FOLD))
        used = newest.setdefault(key, run)
        if used is not run:
            left_out.append(LeftOut(run, "duplicate", _duplicate_reason(run, used)))
    return {seed: newest[seed] for seed in sorted(newest, key=key_order)}


def _cell(params: dict[str, str], by_seed: dict[str, RunRecord], swept: Sequence[str]) -> Cell:
    first = next(iter(by_seed.values()))
    return Cell(
        name=cell_name(params, swept),
        params=params,
        facts={key: first.params[key] for key in DERIVED_PARAMS if key in first.params},
        run_ids={seed: run.run_id for seed, run in by_seed.items()},
        metrics={seed: run.metrics for seed, run in by_seed.items()},
    )


def _duplicate_reason(run: RunRecord, used: RunRecord) -> str:
    digests = {one.tags.get("frostline.job_digest", "") for one in (run, used)}
    same = (
        f"same parameters and seed as {used.name} ({used.run_id[:8]}), which is newer and is used"
    )
    if len(digests) > 1:
        return (
            f"{same}; their job digests differ, so they differ in code, or in a setting not shown"
        )
    return same


def _fingerprint(run: RunRecord) -> str:
    return run.tags.get(FINGERPRINT) or f"{UNKNOWN}, data={run.params.get('data', '?')}"


def _split_key(run: RunRecord) -> tuple[str, str, str]:
    params = run.params
    return params.get("seed", ""), params.get("data_fraction", ""), params.get(FOLD, "")
