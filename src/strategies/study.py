"""The tables of experiments/quadrants.md, from the recorded runs of the study.

python -m src.strategies.study --into experiments/quadrants.md

Run it where the study ran: the data must lie where the runs found it, since the scores whose
rankings are judged are measured here, on the training images of each run.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from src.advice.hint import BASELINE, MEASURES, RELIABILITY
from src.errors import FrostlineError, TrackingError, end_with
from src.strategies.standing import Standing, mean_by_cell, rank_correlation, standing_of

if TYPE_CHECKING:
    from src.analysis.paired import Scored
    from src.analysis.predictions import Predictions
    from src.analysis.source import StoreSource
    from src.config.schema import Settings
    from src.data.table import SampleTable
    from src.strategies.choose import Choice
    from src.strategies.features import StageFeatures
    from src.tracking.records import RunRecord

EARLY = "early_classifier"
BEGIN, END = "<!-- tables: python -m src.strategies.study -->", "<!-- end of tables -->"
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
        """How a strategy stands among the arms."""
        val = {arm: float(np.mean(values)) for arm, values in self.val.items()}
        return standing_of(strategy, val, self.test)


class DataAtHand:
    """A data set of the study: its features at the runs' size, where it stands on the axes."""

    def __init__(self, settings: "Settings") -> None:
        from src.backbones.build import build_backbone
        from src.data.geometry import evaluation_geometry
        from src.data.load import load_table, split_of
        from src.data.pixels import FlyPixels
        from src.strategies.choose import decide, kept_measure
        from src.strategies.features import stage_features

        self.table: SampleTable = load_table(settings.data)
        model = build_backbone(
            settings.backbone, weights=settings.weights, image_size=settings.image_size, seed=0
        )
        fly = FlyPixels(self.table.open_image, self.table.items, evaluation_geometry(model.input))
        rows = np.arange(len(self.table))
        self.features: StageFeatures = stage_features(model, fly.take, rows)
        whole = settings.data.model_copy(update={"fraction": 1.0})
        train = split_of(self.table, whole, seed=settings.seed).train
        self.choice: Choice = decide(
            kept_measure(
                self.table,
                train,
                backbone=settings.backbone,
                weights=settings.weights,
                image_size=None,
                seed=settings.seed,
                tell=lambda _: None,
            )
        )

    @property
    def by_stage(self) -> "list[np.ndarray[Any, np.dtype[np.float64]]]":
        """Features of stage 0 (the image) to S."""
        return [self.features.pixels, *self.features.stages]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.strategies.study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--experiment", default="quadrants", help="MLflow's; default: quadrants")
    parser.add_argument("--uri", help="the tracking store; default: as for src.train")
    parser.add_argument("--into", type=Path, metavar="FILE.md", help="write the tables into it")
    given = parser.parse_args()
    try:
        text = tables(given.experiment, given.uri)
        if given.into is None:
            print(text)
        else:
            put_into(given.into, text)
    except FrostlineError as error:
        end_with(error)


def put_into(file: Path, text: str) -> None:
    """Put the tables between the two marks of a Markdown file.

    Raises:
        FrostlineError: If the file lacks the marks.
    """
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    if BEGIN not in old or END not in old:
        raise FrostlineError(f"{file} has no place for the tables", f"{BEGIN} ... {END}")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def tables(experiment: str, uri: str | None) -> str:
    """All tables as Markdown; also writes the reliability of rankings for src.advise.

    Raises:
        TrackingError: If the experiment has no finished runs with a strategy.
    """
    from src.analysis.source import StoreSource
    from src.tracking.store import open_store

    store = open_store(uri, experiment)
    runs = store.find_runs({"frostline.kind": "job"}, status=["FINISHED"])
    runs = [run for run in runs if run.params.get("strategy", "none") != "none"]
    if not runs:
        raise TrackingError(
            f"experiment {experiment} has no finished runs with a strategy",
            todo=f"python -m src.train -m +experiments={experiment}",
        )
    source = StoreSource(store)
    cells, at_hand = gather(runs, source)
    found = rankings(cells)
    RELIABILITY.write_text(json.dumps({"study": experiment, "rankings": found}, indent=1) + "\n")
    backbones = sorted({run.params["backbone"] for run in runs})
    head = f"{len(runs)} runs of {', '.join(backbones)}."
    return "\n".join(
        [
            head,
            "",
            *_where(at_hand),
            "",
            *_verdicts(cells, at_hand),
            "",
            *_scores(cells),
            "",
            *_rank_lines(found),
        ]
    )


def gather(
    runs: "Sequence[RunRecord]", source: "StoreSource"
) -> tuple[list[Cell], dict[str, DataAtHand]]:
    """Sort the runs into cells, and measure what the rankings need."""
    import yaml

    from src.analysis.paired import scored
    from src.config.older import recorded_settings

    cells: dict[str, Cell] = {}
    settings_of: dict[tuple[str, str], Settings] = {}
    at_hand: dict[str, DataAtHand] = {}
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
            continue  # runs are listed the newest first
        cell.runs[strategy, seed] = run
        cell.val[strategy].append(run.metrics["val_best/acc_micro"])
        cell.test[strategy][seed] = scored(predictions, "acc_micro")
        cell.seconds[strategy].append(run.metrics["time/train_s"])
        settings_of[cell.name, seed] = settings
        if data not in at_hand:
            at_hand[data] = DataAtHand(settings)
    for (name, seed), settings in settings_of.items():
        look_closer(cells[name], seed, settings, at_hand[cells[name].data])
    return sorted(cells.values(), key=lambda cell: (cell.data, -cell.fraction)), at_hand


def look_closer(cell: Cell, seed: str, settings: "Settings", data: DataAtHand) -> None:
    """Add the classifier on earlier activations, and how the scores ranked the depths."""
    from src.analysis.paired import scored
    from src.data.load import split_of
    from src.strategies.measure import score_stage
    from src.strategies.probe import fit_predict

    table = data.table
    splits = split_of(table, settings.data, seed=settings.seed)
    labels, groups = table.labels[splits.train], table.groups[splits.train]
    cell.per_class += len(splits.train) / len(table.classes) / _seeds(cell)
    scores = [
        score_stage(number, features[splits.train], labels, groups, seed=settings.seed)
        for number, features in enumerate(data.by_stage)
    ]
    best = data.by_stage[max(scores, key=lambda score: score.probe).stage]
    answers = {}
    for split, rows in (("val", splits.val), ("test", splits.test)):
        predicted = fit_predict(best[splits.train], labels, best[rows])
        answers[split] = as_predictions(table, rows, predicted)
    cell.val[EARLY].append(float(answers["val"].correct.mean()))
    cell.test[EARLY][seed] = scored(answers["test"], "acc_micro")
    known = [cell.runs[arm, seed] for arm in BY_DEPTH if (arm, seed) in cell.runs]
    if len(known) < len(BY_DEPTH):
        return
    depths = [int(run.params["frozen_stages"]) for run in known]
    outcomes = [run.metrics["test/acc_micro"] for run in known]
    for measure in MEASURES:
        values = [float(getattr(scores[depth], measure)) for depth in depths]
        cell.taus[measure].append(rank_correlation(values, outcomes))
    cell.taus[BASELINE].append(rank_correlation([-depth for depth in depths], outcomes))


def as_predictions(
    table: "SampleTable",
    rows: "np.ndarray[Any, np.dtype[np.int64]]",
    predicted: "np.ndarray[Any, np.dtype[np.int64]]",
) -> "Predictions":
    """A classifier's answers in the form of a run's, sorted by item."""
    from src.analysis.predictions import Predictions

    items = np.array([table.items[row] for row in rows.tolist()])
    order = np.argsort(items)
    sure = np.eye(len(table.classes), dtype=np.float16)[predicted]
    return Predictions(
        items[order], table.groups[rows][order], table.labels[rows][order], sure[order]
    )


def _seeds(cell: Cell) -> int:
    return len({seed for _, seed in cell.runs})


def rankings(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Each measure's mean rank correlation with its interval, plain values."""
    found = []
    for measure in (*MEASURES, BASELINE):
        by_cell = {cell.name: cell.taus.get(measure, []) for cell in cells}
        tau, low, high, count = mean_by_cell(by_cell)
        found.append(
            {
                "measure": measure,
                "tau": round(tau, 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "cells": count,
            }
        )
    return found


def prior_of(cell: Cell, at_hand: Mapping[str, DataAtHand], fractions: Sequence[float]) -> str:
    """The table's strategy for a cell; `large` is the study's own word for the largest share."""
    quadrant = at_hand[cell.data].choice.quadrant
    similar = quadrant is not None and quadrant.similar
    size = "large" if cell.fraction == max(fractions) else "small"
    return f"{size}_{'similar' if similar else 'different'}"


def _where(at_hand: Mapping[str, DataAtHand]) -> list[str]:
    lines = [
        "| data | top-1 confidence | prototypes | place (0 drawings, 1 photographs) | by measure |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, data in sorted(at_hand.items()):
        known, quadrant = data.choice.measured.familiarity, data.choice.quadrant
        if known is None or quadrant is None:
            lines.append(f"| {name} | | | | cannot tell: {data.choice.why_not} |")
            continue
        place = quadrant.similarity
        lines.append(
            f"| {name} | {known.confidence:.3f} | {known.agreement:.3f} | {place.position:.2f} "
            f"± {2 * place.error:.2f} | {quadrant.name} |"
        )
    return lines


def _verdicts(cells: Sequence[Cell], at_hand: Mapping[str, DataAtHand]) -> list[str]:
    fractions = [cell.fraction for cell in cells]
    lines = [
        "| data | share | images a class | the table says | against (best other on validation) | "
        "difference, points | verdict | its seconds | the other's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in cells:
        prior = prior_of(cell, at_hand, fractions)
        if prior not in cell.test:
            continue
        found = cell.standing(prior)
        lines.append(
            f"| {cell.data} | {cell.fraction:g} | {cell.per_class:.0f} | {prior} | {found.other} | "
            f"{_points(found.difference)} ({_points(found.low)} to {_points(found.high)}) | "
            f"{found.verdict} | {_mean_s(cell, prior)} | {_mean_s(cell, found.other)} |"
        )
    return lines


def _scores(cells: Sequence[Cell]) -> list[str]:
    arms = list(dict.fromkeys(arm for cell in cells for arm in (*BY_DEPTH, *sorted(cell.test))))
    lines = [
        "Test accuracy in %, mean of the seeds, and seconds of training:",
        "",
        f"| data | share | seeds | {' | '.join(arms)} |",
        "| " + " | ".join(["---"] * (len(arms) + 3)) + " |",
    ]
    for cell in cells:
        shown = []
        for arm in arms:
            own = [run.value for run in cell.test.get(arm, {}).values()]
            text = f"{100 * float(np.mean(own)):.1f}" if own else ""
            shown.append(f"{text} ({_mean_s(cell, arm)})" if cell.seconds.get(arm) else text)
        lines.append(f"| {cell.data} | {cell.fraction:g} | {_seeds(cell)} | {' | '.join(shown)} |")
    return lines


def _rank_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| ranking of the depths by | rank correlation with test accuracy | 95 % interval | "
        "rankings |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one['measure'].replace('_', ' ')} | {one['tau']:+.2f} | {one['low']:+.2f} to "
        f"{one['high']:+.2f} | {one['cells']} |"
        for one in found
    ]
    return lines


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _mean_s(cell: Cell, arm: str) -> str:
    own = cell.seconds.get(arm)
    return f"{np.mean(own):.0f} s" if own else "–"


if __name__ == "__main__":
    main()
