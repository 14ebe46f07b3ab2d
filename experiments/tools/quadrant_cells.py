"""Collect the runs of the study on strategies in cells, with the rankings of their depths."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tools.standing import Standing, mean_by_cell, rank_correlation, standing_of
from frostline.advice.ranking import BASELINE, MEASURES

if TYPE_CHECKING:
    from frostline.advice.choose import Choice
    from frostline.advice.measures.stage_features import StageFeatures
    from frostline.config.schema import Settings
    from frostline.data.sample_table import SampleTable
    from frostline.stats.paired import Scored
    from frostline.stats.predictions import Predictions
    from frostline.tracking.records import RunRecord
    from frostline.tracking.run_contents import StoreSource

EARLY = "early_classifier"
BY_DEPTH = ("large_different", "small_different", "large_similar", "small_similar")


@dataclass
class Cell:
    """The runs of one data set at one share of its training images.

    Attributes:
        data: The data set.
        fraction: Share of the training groups.
        per_class: Training images a class, mean over the seeds.
        runs: Strategy and seed to the run.
        val: Arm to its validation accuracies.
        test: Arm to its scored test predictions by seed.
        seconds: Arm to seconds of training.
        taus: Measure to rank correlations, one a seed.
    """

    data: str
    fraction: float
    per_class: float = 0.0
    runs: "dict[tuple[str, str], RunRecord]" = field(default_factory=dict)
    val: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    test: "dict[str, dict[str, Scored]]" = field(default_factory=lambda: defaultdict(dict))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    taus: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def name(self) -> str:
        """Data set and share."""
        return f"{self.data} {self.fraction:g}"

    def standing(self, strategy: str) -> Standing:
        """Compare a strategy with the best other arm."""
        val = {arm: float(np.mean(values)) for arm, values in self.val.items()}
        return standing_of(strategy, val, self.test)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len({seed for _, seed in self.runs})


class StudyData:
    """A data set of the study: its features at the image size of the runs, and its quadrant."""

    def __init__(self, settings: "Settings") -> None:
        from frostline.advice.choose import decide
        from frostline.advice.measures.measurement_cache import cached_measure
        from frostline.advice.measures.stage_features import stage_features
        from frostline.backbones.build import build_backbone
        from frostline.data.geometry import evaluation_geometry
        from frostline.data.load import load_table, split_of
        from frostline.data.pixel_access import OnTheFlyPixels

        self.table: SampleTable = load_table(settings.data)
        model = build_backbone(
            settings.backbone, weights=settings.weights, image_size=settings.image_size, seed=0
        )
        pixels = OnTheFlyPixels(
            self.table.open_image, self.table.items, evaluation_geometry(model.input)
        )
        rows = np.arange(len(self.table))
        self.features: StageFeatures = stage_features(model, pixels.take, rows)
        whole = settings.data.model_copy(update={"fraction": 1.0})
        train = split_of(self.table, whole, seed=settings.seed).train
        self.choice: Choice = decide(
            cached_measure(
                self.table,
                train,
                backbone=settings.backbone,
                weights=settings.weights,
                image_size=None,
                seed=settings.seed,
                on_progress=lambda _: None,
            )
        )

    @property
    def by_stage(self) -> "list[np.ndarray[Any, np.dtype[np.float64]]]":
        """Features of stage 0 (the image) to S."""
        return [self.features.pixels, *self.features.stages]


def collect_cells(
    runs: "Sequence[RunRecord]", source: "StoreSource"
) -> tuple[list[Cell], dict[str, StudyData]]:
    """Sort the runs into cells, and measure the scores that rank the depths."""
    import yaml

    from frostline.config.recorded_config import recorded_settings
    from frostline.stats.paired import scored

    cells: dict[str, Cell] = {}
    settings_of: dict[tuple[str, str], Settings] = {}
    data_sets: dict[str, StudyData] = {}
    for run in runs:
        text = source.text(run.run_id, "config.yaml")
        predictions = source.predictions(run.run_id, "test")
        if text is None or predictions is None:
            continue
        settings = recorded_settings(yaml.safe_load(text))
        data, seed = run.params["data"], run.params["seed"]
        cell = Cell(data, float(run.params["data_fraction"]))
        cell = cells.setdefault(cell.name, cell)
        strategy = run.params["strategy"]
        if (strategy, seed) in cell.runs:
            continue  # the newest run comes first
        cell.runs[strategy, seed] = run
        cell.val[strategy].append(run.metrics["val_best/acc_micro"])
        cell.test[strategy][seed] = scored(predictions, "acc_micro")
        cell.seconds[strategy].append(run.metrics["time/train_s"])
        settings_of[cell.name, seed] = settings
        if data not in data_sets:
            data_sets[data] = StudyData(settings)
    for (name, seed), settings in settings_of.items():
        add_measures(cells[name], seed, settings, data_sets[cells[name].data])
    return sorted(cells.values(), key=lambda cell: (cell.data, -cell.fraction)), data_sets


def add_measures(cell: Cell, seed: str, settings: "Settings", data: StudyData) -> None:
    """Add the linear classifier on earlier activations, and the rank correlations of the scores."""
    from frostline.advice.measures.measurement import score_stage
    from frostline.advice.measures.simple_classifiers import fit_predict
    from frostline.data.load import split_of
    from frostline.stats.paired import scored

    table = data.table
    splits = split_of(table, settings.data, seed=settings.seed)
    labels, groups = table.labels[splits.train], table.groups[splits.train]
    cell.per_class += len(splits.train) / len(table.classes) / cell.seeds
    scores = [
        score_stage(number, features[splits.train], labels, groups)
        for number, features in enumerate(data.by_stage)
    ]
    best = data.by_stage[max(scores, key=lambda score: score.probe).stage]
    predictions = {}
    for split, rows in (("val", splits.val), ("test", splits.test)):
        predicted = fit_predict(best[splits.train], labels, best[rows])
        predictions[split] = as_predictions(table, rows, predicted)
    cell.val[EARLY].append(float(predictions["val"].correct.mean()))
    cell.test[EARLY][seed] = scored(predictions["test"], "acc_micro")
    runs = [cell.runs[arm, seed] for arm in BY_DEPTH if (arm, seed) in cell.runs]
    if len(runs) < len(BY_DEPTH):
        return
    depths = [int(run.params["frozen_stages"]) for run in runs]
    outcomes = [run.metrics["test/acc_micro"] for run in runs]
    for measure in MEASURES:
        values = [float(getattr(scores[depth], measure)) for depth in depths]
        cell.taus[measure].append(rank_correlation(values, outcomes))
    cell.taus[BASELINE].append(rank_correlation([-depth for depth in depths], outcomes))


def as_predictions(
    table: "SampleTable",
    rows: "np.ndarray[Any, np.dtype[np.int64]]",
    predicted: "np.ndarray[Any, np.dtype[np.int64]]",
) -> "Predictions":
    """Convert predicted classes to the predictions of a run, sorted by item."""
    from frostline.stats.predictions import Predictions

    items = np.array([table.items[row] for row in rows.tolist()])
    order = np.argsort(items)
    probs = np.eye(len(table.classes), dtype=np.float16)[predicted]
    return Predictions(
        items[order], table.groups[rows][order], table.labels[rows][order], probs[order]
    )


def rankings(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Average each measure's rank correlations, with intervals, as plain values."""
    entries = []
    for measure in (*MEASURES, BASELINE):
        by_cell = {cell.name: cell.taus.get(measure, []) for cell in cells}
        tau, low, high, count = mean_by_cell(by_cell)
        entries.append(
            {
                "measure": measure,
                "tau": round(tau, 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "cells": count,
            }
        )
    return entries
