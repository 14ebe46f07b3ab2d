"""Evaluate a rebuilt run: predictions, scores, intervals, evidence; in files and on the run."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from frostline.data.progress_bar import show_progress
from frostline.data.views import n_views_of
from frostline.errors import TrackingError
from frostline.files import replacing
from frostline.inference.evaluation_images import find_images_to_evaluate, own_splits
from frostline.inference.rebuild import Rebuilt
from frostline.inference.run_engine import engine_here
from frostline.inference.run_network import evaluate_rows
from frostline.inference.score_intervals import few_groups_note, intervals_of
from frostline.inference.test_time import (
    TtaResult,
    check_views,
    differences_of,
    evaluate_views,
    predictions_of,
)
from frostline.tracking.prediction_files import read_predictions, write_predictions
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from frostline.training.probabilities import probabilities

_FIGURES = "figures.json"
VALIDATION = "predictions/val.parquet"
CURVES = ("train/loss", "val/loss", "val/acc_micro", "val/f1_macro")
# The prefix under which training logs the metrics of a split.
LOGGED_PREFIX = {"val": "val_best", "test": "test"}


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        run: The run's name.
        name: Short name of the images, for metrics and folders.
        where: Description of the images.
        figures: `loss` and scores; NaN for those that images of one class cannot give.
        intervals: 95 % intervals of the scores.
        logged: The figures that the run logged for the same images; empty if there are none.
        n_images: Number of images.
        n_groups: Number of groups that they form.
        notes: What was left out or mapped, in sentences.
        folder: Where the files are.
        cost: Latency, memory and so on; empty if not measured.
        tta: What test-time augmentation adds, where `figures` are with it; None without.
        caution: Why intervals are too narrow, in a sentence; empty if they are not.
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
    tta: TtaResult | None = None
    caution: str = ""

    @property
    def largest_difference(self) -> float:
        """Largest difference of the image alone from the logged figures; 0 if all are equal."""
        plain = self.figures if self.tta is None else self.tta.plain
        return max((abs(plain[k] - v) for k, v in self.logged.items()), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "run": self.run,
            "on": self.where,
            "images": self.n_images,
            "groups": self.n_groups,
            "figures": {k: None if math.isnan(v) else v for k, v in self.figures.items()},
            "intervals_95": self.intervals,
            "logged": self.logged,
            "largest_difference": self.largest_difference,
            "notes": list(self.notes),
            "caution": self.caution,
            "cost": self.cost,
            "folder": str(self.folder),
            **({} if self.tta is None else {"tta": self.tta.as_dict()}),
        }


def evaluate_run(
    rebuilt: Rebuilt,
    out: Path,
    *,
    store: Reader | None,
    split: str | None,
    data: Sequence[str],
    class_names: Mapping[str, str],
    evidence: str,
    cost: bool,
    tta: str | None = None,
    on_progress: Callable[[str], None],
) -> Evaluation:
    """Evaluate a run and write predictions, figures and evidence.

    Args:
        rebuilt: The run.
        out: The folder of this evaluation is made in it.
        store: Where the run is recorded; None for a checkpoint given by its path.
        split: As for `find_images_to_evaluate`.
        data: As for `find_images_to_evaluate`.
        class_names: As for `find_images_to_evaluate`.
        evidence: `full`, `light` or `off`.
        cost: Whether to measure latency, throughput and memory.
        tta: Views over which probabilities are averaged, one of `TTA`; None for the image alone.
        on_progress: Receives lines of progress.

    Raises:
        DataError: If the data cannot be read, have changed, or share no class with the run.
    """
    from frostline.inference.explain.evidence import write_evidence
    from frostline.inference.explain.subject import Subject

    images = find_images_to_evaluate(rebuilt, split, data, class_names)
    engine = engine_here(rebuilt)
    if tta is not None:
        check_views(rebuilt, tta)
        # Metrics, files and the folder on the run: plain results keep theirs.
        images = replace(
            images,
            name=f"{images.name}-tta_{tta}",
            description=f"{images.description}, --tta {tta}",
        )
    on_progress(f"{rebuilt.name} on {images.description}: {len(images.rows)} images")
    plain = None
    with show_progress("evaluating", len(images.rows) * n_views_of(tta)) as advance:
        if tta is None:
            evaluated = evaluate_rows(
                rebuilt, images.table, images.rows, engine, mapped=images.mapped, advance=advance
            )
        else:
            plain, evaluated = evaluate_views(
                rebuilt,
                images.table,
                images.rows,
                engine,
                tta,
                mapped=images.mapped,
                advance=advance,
            )
    folder = out / images.name
    folder.mkdir(parents=True, exist_ok=True)
    # Written last: those of an earlier evaluation must not stand beside other predictions.
    (folder / _FIGURES).unlink(missing_ok=True)
    predictions = evaluated.predictions(images.table)
    recorded = _recorded_evidence(store, rebuilt.record)
    added = None
    if tta is not None and plain is not None:
        validation = None
        if images.split == "test":
            on_progress("the same on its validation split, which is to decide whether it is used")
            rows = own_splits(rebuilt, images.table).val
            validation = predictions_of(rebuilt, images.table, rows, tta)
        # A temperature fitted on plain predictions is not that of averaged ones.
        recorded["validation"] = None if validation is None else validation[1]
        added = TtaResult(
            tta,
            plain.figures,
            differences_of(predictions, plain.predictions(images.table)),
            None if validation is None else differences_of(validation[1], validation[0]),
        )
    write_predictions(
        folder / "predictions.parquet",
        items=[images.table.items[row] for row in evaluated.rows.tolist()],
        groups=[str(group) for group in images.table.groups[evaluated.rows]],
        labels=evaluated.labels.numpy(),
        probs=probabilities(evaluated.logits).numpy(),
    )
    costs: dict[str, float] = {}
    if cost:
        from frostline.inference.cost import cost_of

        on_progress("measuring latency, throughput and memory")
        costs = cost_of(
            rebuilt.network,
            shape=rebuilt.backbone.input.shape,
            checkpoint_bytes=rebuilt.checkpoint_bytes,
            engine=engine,
        )
    if evidence != "off":
        subject = Subject(
            table=images.table,
            classes=rebuilt.classes,
            predictions=predictions,
            geometry=rebuilt.geometry,
            network=rebuilt.network,
            backbone=rebuilt.backbone,
            preprocess=rebuilt.preprocess,
            **recorded,
        )
        on_progress("writing the evidence: confusion, calibration, errors, attributions")
        write_evidence(subject, folder, level=evidence, on_progress=on_progress)
    logged = _logged_figures(rebuilt.record, images.split, list(evaluated.figures))
    notes = images.notes
    if logged and (limit := rebuilt.settings.trainer.limit_batches) is not None:
        logged = {}
        notes += (f"its logged figures are of {limit} batches (trainer.limit_batches): not shown",)
    done = Evaluation(
        run=rebuilt.name,
        name=images.name,
        where=images.description,
        figures=evaluated.figures,
        intervals=intervals_of(predictions),
        logged=logged,
        n_images=len(evaluated.rows),
        n_groups=len(np.unique(predictions.groups)),
        notes=notes,
        folder=folder,
        cost=costs,
        tta=added,
        caution=few_groups_note(predictions, rebuilt.classes),
    )
    text = json.dumps(done.as_dict(), indent=2, ensure_ascii=False)
    with replacing(folder / _FIGURES) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return done


def log_on_run(store: Store, record: RunRecord, done: Evaluation) -> None:
    """Log an evaluation on the run; its state and end time stay as they are.

    A repeated evaluation is the next step of the same metrics.
    """
    first = f"test_on/{done.name}/{next(iter(done.figures))}"
    step = len(store.metric_history(record.run_id, first))
    given = {name: value for name, value in done.figures.items() if not math.isnan(value)}
    metrics = {f"test_on/{done.name}/{name}": value for name, value in given.items()}
    metrics |= {f"use_cost/{name}": value for name, value in done.cost.items()}
    with store.amend_run(record.run_id) as run:
        run.log_metrics(metrics, step=step)
        run.log_artifact(done.folder, "evaluations")


def _logged_figures(
    record: RunRecord | None, split: str | None, names: Sequence[str]
) -> dict[str, float]:
    """What training logged for a split of the run's own data; empty if it logged nothing."""
    if record is None or split not in LOGGED_PREFIX:
        return {}
    keys = {name: f"{LOGGED_PREFIX[split]}/{name}" for name in names}
    return {name: record.metrics[key] for name, key in keys.items() if key in record.metrics}


def _recorded_evidence(store: Reader | None, record: RunRecord | None) -> dict[str, Any]:
    """Validation predictions and curves of the run, which are added to the evidence."""
    if store is None or record is None:
        return {}
    try:
        validation = read_predictions(store.fetch_artifact(record.run_id, VALIDATION))
    except TrackingError:  # a failed run may not have logged them
        validation = None
    history = {
        name: {point.step: point.value for point in store.metric_history(record.run_id, name)}
        for name in CURVES
    }
    return {"validation": validation, "history": history}
