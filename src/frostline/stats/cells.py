"""From runs as MLflow holds them to cells that may be compared: same data, splits, all but seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from frostline.tracking.records import RunRecord

# What follows from other parameters, or tells runs of one cell apart.
DERIVED_PARAMS = (
    "frozen_stages",
    "frozen_params_frac",
    "frozen_flops_frac",
    "trainable_params",
)
FINGERPRINT = "frostline.data_fingerprint"
SPLIT = "frostline.split_digest"
FAILURE = "frostline.failure"
NOT_KNOWN = "not recorded"


@dataclass(frozen=True)
class Cell:
    """Runs of one configuration that differ in their seed only.

    Attributes:
        name: What tells it from the other cells, such as `resnet50 freeze=2`.
        params: The configuration, without seed and derived values.
        facts: Derived values, such as `trainable_params`, as text.
        runs: Seed to run, in the order of the seeds.
    """

    name: str
    params: Mapping[str, str]
    facts: Mapping[str, str]
    runs: Mapping[str, RunRecord]

    def values(self, metric: str) -> list[float]:
        """A metric of each seed that has a finite one."""
        found = [run.metrics[metric] for run in self.runs.values() if metric in run.metrics]
        return [value for value in found if np.isfinite(value)]

    def mean(self, metric: str) -> float:
        """Mean over seeds; NaN where no seed has it."""
        values = self.values(metric)
        return float(np.mean(values)) if values else float("nan")

    def number(self, fact: str) -> float:
        """A derived value as a number; NaN where it is missing."""
        try:
            return float(self.facts[fact])
        except (KeyError, ValueError):
            return float("nan")


@dataclass(frozen=True)
class Left:
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
        left: Runs that are not compared.
        fingerprint: The data of the cells.
    """

    cells: Sequence[Cell]
    swept: Sequence[str]
    left: Sequence[Left] = field(default_factory=tuple)
    fingerprint: str = NOT_KNOWN

    @property
    def seeds(self) -> list[str]:
        """All seeds, in order."""
        return sorted({seed for cell in self.cells for seed in cell.runs}, key=natural)

    def left_by(self, kind: str) -> list[Left]:
        """The runs left out for one kind of reason."""
        return [left for left in self.left if left.kind == kind]


def select(records: Iterable[RunRecord], score_metric: str) -> Selection:
    """Sort runs into cells.

    Left out, each with its reason: `running`, `failed`, `no score`, `other data` (than most runs),
    `other split` (than most runs of the seed), `duplicate` (an older run of the same cell and
    seed).

    Args:
        records: Runs of single jobs, in any order.
        score_metric: The metric that a run must have, such as `val_best/f1_macro`.
    """
    left: list[Left] = []
    usable: list[RunRecord] = []
    for run in records:
        reason = _not_usable(run, score_metric)
        if reason is None:
            usable.append(run)
        else:
            left.append(Left(run, *reason))
    usable, fingerprint = _same_data(usable, left)
    usable = _same_splits(usable, left)
    swept = swept_params([run.params for run in usable])
    groups: dict[tuple[tuple[str, str], ...], list[RunRecord]] = defaultdict(list)
    for run in usable:
        groups[tuple(sorted(configuration(run.params).items()))].append(run)
    cells = [_cell(dict(key), runs, swept, left) for key, runs in groups.items()]
    return Selection(tuple(cells), tuple(swept), tuple(left), fingerprint)


def configuration(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that make a cell."""
    return {k: v for k, v in params.items() if k != "seed" and k not in DERIVED_PARAMS}


def swept_params(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Parameters with several values, `backbone` and `freeze` first, then as logged.

    The image size is left out where it follows from the backbone.
    """
    seen: dict[str, set[str | None]] = {}
    for one in params:
        for key in configuration(one):
            seen.setdefault(key, set())
    for key, values in seen.items():
        values.update(one.get(key) for one in params)
    swept = [key for key, values in seen.items() if len(values) > 1]
    pairs = {(one.get("backbone"), one.get("image_size")) for one in params}
    if "image_size" in swept and len(pairs) == len({one.get("backbone") for one in params}):
        swept.remove("image_size")
    return sorted(swept, key=lambda key: {"backbone": 0, "freeze": 1}.get(key, 2))


def natural(text: str) -> tuple[int, float, str]:
    """Sort key: numbers by value, then words, `all` last."""
    try:
        return 0, float(text), ""
    except ValueError:
        return (2, 0.0, text) if text == "all" else (1, 0.0, text)


def is_drawn(records: Iterable[RunRecord]) -> bool:
    """Whether runs were trained on the built-in leaves."""
    return any(
        value.split("-")[0] == "leaves"
        for run in records
        for value in (run.params.get("data", ""), run.tags.get("frostline.data_source", ""))
    )


def _not_usable(run: RunRecord, metric: str) -> tuple[str, str] | None:
    if run.status in {"RUNNING", "SCHEDULED"}:
        return "running", "not finished when this page was made"
    if run.status != "FINISHED":
        return "failed", run.tags.get(FAILURE) or f"{run.status}, without a recorded reason"
    value = run.metrics.get(metric)
    if value is None:
        return "no score", f"it has no {metric}"
    if not np.isfinite(value):
        return "no score", f"its {metric} is {value}"
    return None


def _same_data(runs: list[RunRecord], left: list[Left]) -> tuple[list[RunRecord], str]:
    """Keep the data set with most runs; the newer of equals."""
    if not runs:
        return [], NOT_KNOWN
    counts = Counter(_fingerprint(run) for run in runs)
    newest = {_fingerprint(run): run.start_ms for run in sorted(runs, key=lambda r: r.start_ms)}
    kept = max(counts, key=lambda name: (counts[name], newest[name]))
    for run in runs:
        if _fingerprint(run) != kept:
            data = run.params.get("data", "?")
            left.append(
                Left(
                    run,
                    "other data",
                    f"trained on other data ({data}, fingerprint {_fingerprint(run)[:12]}) than "
                    f"the {counts[kept]} runs compared here ({kept[:12]})",
                )
            )
    return [run for run in runs if _fingerprint(run) == kept], kept


def _same_splits(runs: list[RunRecord], left: list[Left]) -> list[RunRecord]:
    """Keep, for each seed and share of the data, the split of most runs."""
    by_seed: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for run in runs:
        by_seed[_split_key(run)][run.tags.get(SPLIT, NOT_KNOWN)] += 1
    kept = []
    for run in runs:
        most = by_seed[_split_key(run)].most_common(1)[0][0]
        own = run.tags.get(SPLIT, NOT_KNOWN)
        if own == most:
            kept.append(run)
        else:
            reason = (
                f"split {own[:12]}, while most runs of seed {run.params.get('seed', '?')} have "
                f"{most[:12]}: scores on different images cannot be compared"
            )
            left.append(Left(run, "other split", reason))
    return kept


def _cell(
    params: dict[str, str], runs: list[RunRecord], swept: Sequence[str], left: list[Left]
) -> Cell:
    newest: dict[str, RunRecord] = {}
    for run in sorted(runs, key=lambda r: -r.start_ms):
        seed = run.params.get("seed", NOT_KNOWN)
        kept = newest.setdefault(seed, run)
        if kept is not run:
            left.append(Left(run, "duplicate", _duplicate_reason(run, kept)))
    ordered = {seed: newest[seed] for seed in sorted(newest, key=natural)}
    first = next(iter(ordered.values()))
    facts = {key: first.params[key] for key in DERIVED_PARAMS if key in first.params}
    return Cell(cell_name(params, swept), params, facts, ordered)


def _duplicate_reason(run: RunRecord, kept: RunRecord) -> str:
    digests = {r.tags.get("frostline.job_digest", "") for r in (run, kept)}
    same = (
        f"same parameters and seed as {kept.name} ({kept.run_id[:8]}), which is newer and is used"
    )
    if len(digests) > 1:
        return (
            f"{same}; their job digests differ, so they differ in code, or in a setting not shown"
        )
    return same


def cell_name(params: Mapping[str, str], swept: Sequence[str]) -> str:
    """Backbone and depth, then whatever else differs in the sweep and is known of this one."""
    backbone = params.get("backbone", "?")
    rest = [key for key in swept if key not in {"backbone", "freeze"}]
    words = [backbone, f"freeze={params.get('freeze', '?')}"]
    return " ".join(words + [f"{key}={params[key]}" for key in rest if key in params])


def _fingerprint(run: RunRecord) -> str:
    return run.tags.get(FINGERPRINT) or f"{NOT_KNOWN}, data={run.params.get('data', '?')}"


def _split_key(run: RunRecord) -> tuple[str, str]:
    return run.params.get("seed", ""), run.params.get("data_fraction", "")
