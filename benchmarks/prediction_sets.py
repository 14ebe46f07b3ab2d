"""How often sets of `predict --coverage` hold the truth, over many resplits by group.

    python -m benchmarks.prediction_sets RUN [RUN ...] [--uri URI] [--resplits 200]
                                          [--figure FILE.png] [--write]

From what the runs recorded: their predictions for validation and test images are pooled and split
anew, groups whole, into halves; one half finds the threshold, the other is judged. `as given`: the
sets of the command, in which the most probable class always is. `by the rule alone`: without that,
as conformal prediction has it. `images for groups`: each image counted as one, as if its group were
not there. In brackets the 5 % and 95 % quantiles over the resplits. The last column is what the
command itself prints: found on validation, measured once on test. `--figure` draws the share that
sets hold over what was asked; `--write` writes the table into docs/trust.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.docs_tables import write_between
from frostline.errors import ConfigError
from frostline.inference.trust.coverage import prediction_sets
from frostline.reporting.page import COLOURS, Figure, Series
from frostline.reporting.png_figures import write_png
from frostline.reporting.tables import Table
from frostline.stats.prediction_sets import grouped_quantile, held, sets_of, true_scores
from frostline.stats.predictions import Predictions
from frostline.tracking.lookup import find_run
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import open_store

PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
COVERAGES = (0.8, 0.9, 0.95)
DRAWN = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
Floats = NDArray[np.float64]
LOW, HIGH = 0.02, 0.02  # of the goal: 88-92 % where 90 % were asked for


def part(predictions: Predictions, rows: NDArray[np.bool_]) -> Predictions:
    return Predictions(
        predictions.items[rows],
        predictions.groups[rows],
        predictions.labels[rows],
        predictions.probs[rows],
    )


def pooled(one: Predictions, other: Predictions) -> Predictions:
    return Predictions(
        np.concatenate([one.items, other.items]),
        np.concatenate([one.groups, other.groups]),
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.probs, other.probs]),
    )


def one_resplit(
    every: Predictions, coverage: float, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Coverage as given, by the rule alone, with images for groups; and the mean size of sets."""
    names, codes = np.unique(every.groups, return_inverse=True)
    first = np.zeros(len(names), dtype=bool)
    first[rng.permutation(len(names))[: len(names) // 2]] = True
    calibration, rest = part(every, first[codes]), part(every, ~first[codes])
    scores, judged = true_scores(calibration), true_scores(rest)
    threshold = grouped_quantile(scores, calibration.groups, coverage)
    single = grouped_quantile(scores, calibration.items, coverage)
    return (
        float(held(rest, threshold).mean()),
        float((judged <= threshold).mean()),
        float((judged <= single).mean()),
        float(sets_of(rest.probs, threshold).sum(axis=1).mean()),
    )


def once(val: Predictions, test: Predictions, coverage: float) -> str:
    """What the command prints for this run; a dash where it refuses."""
    try:
        return str(prediction_sets(val, coverage).measured(test))
    except ConfigError:
        return "–"


def resplits(every: Predictions, coverage: float, n: int) -> tuple[Floats, Floats, Floats]:
    """Means, 5 % and 95 % quantiles of `one_resplit`, (4) each."""
    rng = np.random.default_rng(0)
    figures = np.array([one_resplit(every, coverage, rng) for _ in range(n)])
    low, high = np.quantile(figures, [0.05, 0.95], axis=0)
    return figures.mean(axis=0), low, high


def coverage_figure(runs: Sequence[tuple[str, Predictions]], n: int) -> Figure:
    """The share of images whose set holds the truth over the share that was asked for."""
    asked = [100 * coverage for coverage in DRAWN]
    ends = [asked[0], asked[-1]]
    series = [Series("as asked", ends, ends, style="line", colour=len(COLOURS) - 1, dashed=True)]
    for place, (name, every) in enumerate(runs):
        found = [resplits(every, coverage, n) for coverage in DRAWN]
        for column, label in enumerate(("as given", "by the rule alone")):
            means, low, high = (
                [100 * part[column] for part in each] for each in zip(*found, strict=True)
            )
            # Side by side, or intervals would lie on each other.
            aside = 0.35 * (2 * place + column - len(runs) + 0.5)
            series.append(
                Series(
                    f"{name}: {label}",
                    [share + aside for share in asked],
                    means,
                    low=low,
                    high=high,
                    colour=2 * place + column,
                    style="points",
                )
            )
    return Figure(
        "coverage",
        f"How often sets hold the truth: {n} resplits by group",
        "",
        "asked for, %",
        "held, % (bars: 90 % of resplits)",
        Table("coverage", "", [], []),
        series,
    )


def draw(figure: Figure, file: Path) -> None:
    with TemporaryDirectory() as folder:
        file.write_bytes(write_png(figure, Path(folder)).read_bytes())


def row(name: str, val: Predictions, test: Predictions, coverage: float, n: int) -> str:
    every = pooled(val, test)
    means, low, high = resplits(every, coverage, n)

    def shown(place: int) -> str:
        return f"{means[place]:.1%} ({low[place]:.1%}-{high[place]:.1%})"

    missed = not coverage - LOW <= means[0] <= coverage + HIGH
    cells = [
        name,
        f"{len(every.items):,} / {len(np.unique(every.groups)):,} / {every.probs.shape[1]}",
        f"{every.correct.mean():.1%}",
        f"{coverage:.0%}",
        shown(0) + (" (missed)" if missed else ""),
        shown(1),
        shown(2),
        f"{means[3]:.2f}",
        once(val, test, coverage),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--uri")
    parser.add_argument("--resplits", type=int, default=200)
    parser.add_argument("--figure", type=Path, metavar="FILE.png")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    store = open_store(given.uri, "Default", make=False)
    lines = [
        "| run | images / groups / classes | top class right | asked | as given "
        "| by the rule alone | images for groups | classes in a set | validation to test, once |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    runs = []
    for text in given.runs:
        record = find_run(store, text)
        val, test = (
            read_predictions(store.fetch_artifact(record.run_id, f"predictions/{split}.parquet"))
            for split in ("val", "test")
        )
        name = record.tags.get("set") or f"{record.name} ({record.run_id[:8]})"
        runs.append((name, pooled(val, test)))
        for coverage in COVERAGES:
            lines.append(row(name, val, test, coverage, given.resplits))
            print(lines[-1], flush=True)
    if given.figure:
        draw(coverage_figure(runs, given.resplits), given.figure)
    if given.write:
        write_between("prediction sets", lines, PAGE)


if __name__ == "__main__":
    main()
