"""One evaluation from a rebuilt run to files and to the run's record."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from frostline.data.load import load_table
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.splits import Splits
from frostline.errors import DataError, TrackingError
from frostline.inference.class_map import ClassMap, map_classes
from frostline.inference.other_data import data_of
from frostline.inference.rebuild import Rebuilt
from frostline.inference.run_network import Rows, engine_here, judge, own_data, own_splits
from frostline.inference.score_intervals import intervals_of
from frostline.tracking.prediction_files import read_predictions, write_predictions
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from frostline.training.metrics import probabilities

VALIDATION = "predictions/val.parquet"
CURVES = ("train/loss", "val/loss", "val/acc_micro", "val/f1_macro")
# Which of a run's metrics are the figures of its split.
LOGGED = {"val": "val_best", "test": "test"}


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        run: The run's name.
        name: Short name of what it was judged on, for metrics and folders.
        where: The same in words.
        figures: `loss` and scores.
        intervals: 95 % intervals of the scores.
        logged: The figures that the run logged for the same images; empty if there are none.
        n_images: Images judged.
        n_groups: Groups that they form.
        notes: What was left out or mapped, in sentences.
        folder: Where the files are.
        cost: What the model costs; empty if it was not measured.
    """

    run: str
    name: str
    where: str
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    logged: dict[str, float]
    n_images: int
    n_groups: int
    notes: tuple[str, ...]
    folder: Path
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def largest_difference(self) -> float:
        """Between now and what was logged; 0 if they are equal to the last digit."""
        return max((abs(self.figures[k] - v) for k, v in self.logged.items()), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "run": self.run,
            "on": self.where,
            "images": self.n_images,
            "groups": self.n_groups,
            "figures": self.figures,
            "intervals_95": self.intervals,
            "logged": self.logged,
            "largest_difference": self.largest_difference,
            "notes": list(self.notes),
            "cost": self.cost,
            "folder": str(self.folder),
        }


@dataclass(frozen=True)
class _Target:
    """Images to be judged."""

    table: SampleTable
    rows: Rows
    name: str
    where: str
    split: str | None
    mapped: ClassMap | None
    notes: tuple[str, ...]


def evaluate_run(
    rebuilt: Rebuilt,
    out: Path,
    *,
    store: Reader | None,
    split: str | None,
    data: Sequence[str],
    by_hand: Mapping[str, str],
    evidence: str,
    cost: bool,
    on_progress: Callable[[str], None],
) -> Evaluation:
    """Judge a run and write predictions, figures and evidence.

    Args:
        rebuilt: The run.
        out: Where a folder for this evaluation is made.
        store: Tells the run's history; None for a checkpoint given by its path.
        split: `train`, `val`, `test` or `all`; None for the test split of the run's own data, or
            all images of another data set.
        data: What stands behind --data; empty for the run's own.
        by_hand: Classes of the other data set to the run's, where their names differ.
        evidence: `full`, `light` or `off`.
        cost: Whether to measure what the model costs.
        on_progress: Receives what takes long, in words.

    Raises:
        DataError: If the data cannot be read, are not what they were, or share no class.
    """
    from frostline.inference.explain.evidence import Subject, write_evidence

    target = _target(rebuilt, split, data, by_hand)
    engine = engine_here(rebuilt)
    on_progress(f"{rebuilt.name} on {target.where}: {len(target.rows)} images")
    judged = judge(rebuilt, target.table, target.rows, engine, mapped=target.mapped)
    folder = out / target.name
    folder.mkdir(parents=True, exist_ok=True)
    predictions = judged.predictions(target.table)
    write_predictions(
        folder / "predictions.parquet",
        items=[target.table.items[row] for row in judged.rows.tolist()],
        groups=[str(group) for group in target.table.groups[judged.rows]],
        labels=judged.labels.numpy(),
        probs=probabilities(judged.logits).numpy(),
    )
    metrics = rebuilt.record.metrics if rebuilt.record and target.split else {}
    prefix = LOGGED.get(target.split or "", "")
    logged = {
        name: metrics[f"{prefix}/{name}"]
        for name in judged.figures
        if f"{prefix}/{name}" in metrics
    }
    costs: dict[str, float] = {}
    if cost:
        from frostline.inference.cost import cost_of

        on_progress("measuring latency, throughput and memory")
        costs = cost_of(
            rebuilt.network,
            size_px=rebuilt.size_px,
            checkpoint_bytes=rebuilt.checkpoint_bytes,
            engine=engine,
        )
    if evidence != "off":
        subject = Subject(
            table=target.table,
            classes=rebuilt.classes,
            predictions=predictions,
            geometry=rebuilt.geometry,
            network=rebuilt.network,
            backbone=rebuilt.backbone,
            preprocess=rebuilt.preprocess,
            **_told_by(store, rebuilt.record),
        )
        write_evidence(subject, folder, level=evidence)
    done = Evaluation(
        rebuilt.name, target.name, target.where, judged.figures, intervals_of(predictions), logged,
        len(judged.rows), len(np.unique(predictions.groups)), target.notes, folder, costs,
    )  # fmt: skip
    text = json.dumps(done.as_dict(), indent=2, ensure_ascii=False)
    (folder / "figures.json").write_text(text, encoding="utf-8")
    return done


def log_on_run(store: Store, record: RunRecord, done: Evaluation) -> None:
    """Log an evaluation on the run that was judged; its state stays as it is.

    Judging again is the next step of the same metrics.
    """
    first = f"eval/{done.name}/{next(iter(done.figures))}"
    step = len(store.metric_history(record.run_id, first))
    metrics = {f"eval/{done.name}/{name}": value for name, value in done.figures.items()}
    metrics |= {f"cost/{name}": value for name, value in done.cost.items()}
    with store.amend_run(record.run_id) as run:
        run.log_metrics(metrics, step=step)
        run.log_artifact(done.folder, "evaluations")


def _told_by(store: Reader | None, record: RunRecord | None) -> dict[str, Any]:
    """What the run's record adds to the evidence: its validation answers and its curves."""
    if store is None or record is None:
        return {}
    try:
        validation = read_predictions(store.fetch_artifact(record.run_id, VALIDATION))
    except TrackingError:  # a run may have ended before it wrote them
        validation = None
    history = {
        name: {point.step: point.value for point in store.metric_history(record.run_id, name)}
        for name in CURVES
    }
    return {"validation": validation, "history": history}


def _target(
    rebuilt: Rebuilt, split: str | None, data: Sequence[str], by_hand: Mapping[str, str]
) -> _Target:
    tags = rebuilt.record.tags if rebuilt.record else {}
    if not data:
        table, splits = own_data(rebuilt)
        return _own(table, splits, split or "test")
    table = load_table(data_of(data, rebuilt.settings))
    if table.fingerprint == tags.get("frostline.data_fingerprint"):
        # The same images at another place.
        return _own(table, own_splits(rebuilt, table), split or "test")
    rows = np.arange(len(table))
    if split in {"train", "val", "test"}:
        if table.given_split is None or not (table.given_split == split).any():
            raise DataError(
                f"--split {split}: {table.name} brings no such split",
                "--split all",
                "leave --split out: all of its images are judged",
            )
        rows = np.flatnonzero(table.given_split == split)
    mapped = map_classes(table.classes, rebuilt.classes, by_hand)
    known = mapped.index[table.labels[rows]] >= 0
    name = re.sub(r"[^\w.-]", "_", table.name)
    if not any("/" in word or "=" not in word for word in data):
        name = re.sub(r"[^\w.-]", "_", "-".join([table.name, *data]))
    where = f"{table.name}" + (f", split {split}" if split in {"train", "val", "test"} else "")
    notes = _mapping_notes(mapped, table, rows[~known])
    return _Target(table, rows[known], name, where, None, mapped, notes)


def _own(table: SampleTable, splits: Splits, split: str) -> _Target:
    named = splits.named()
    rows = np.sort(np.concatenate(list(named.values()))) if split == "all" else named[split]
    notes = () if split != "all" else ("these include the images that it was trained on",)
    where = f"its own {split} split" if split != "all" else "all images of its own data"
    return _Target(table, rows, split, where, split, None, notes)


def _mapping_notes(mapped: ClassMap, table: SampleTable, left_out: Rows) -> tuple[str, ...]:
    found = len(mapped.theirs) - len(mapped.unknown)
    notes = [f"{found} of its {len(mapped.theirs)} classes are classes of the run"]
    if mapped.respelt:
        pairs = [f"{theirs} -> {ours}" for theirs, ours in mapped.respelt.items()]
        notes.append(f"spelt otherwise: {name_some(pairs)}")
    if mapped.unknown:
        notes.append(
            f"not among the run's classes, {len(left_out)} images left out: "
            f"{name_some(mapped.unknown)}"
        )
    if mapped.absent:
        notes.append(
            f"no image of {len(mapped.absent)} of the run's {len(mapped.ours)} classes; macro "
            f"figures are over the others: {name_some(mapped.absent)}"
        )
    notes += table.notes
    return tuple(notes)
