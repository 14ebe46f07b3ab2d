"""How often sets of `predict --coverage` hold the truth, over many resplits by group.

    python -m benchmarks.prediction_sets RUN [RUN ...] [--uri URI] [--resplits 200] [--write]

From what the runs recorded: their predictions for validation and test images are pooled and split
anew, groups whole, into halves; one half finds the threshold, the other is judged. `as given`: the
sets of the command, in which the most probable class always is. `by the rule alone`: without that,
as conformal prediction has it. `images for groups`: each image counted as one, as if its group were
not there. In brackets the 5 % and 95 % quantiles over the resplits. The last column is what the
command itself prints: found on validation, measured once on test. `--write` writes the table into
docs/trust.md.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.docs_tables import write_between
from frostline.errors import ConfigError
from frostline.inference.trust.coverage import prediction_sets
from frostline.stats.prediction_sets import grouped_quantile, held, sets_of, true_scores
from frostline.stats.predictions import Predictions
from frostline.tracking.lookup import find_run
from frostline.tracking.prediction_files import read_predictions
from frostline.tracking.store import open_store

PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
COVERAGES = (0.8, 0.9, 0.95)
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


def row(name: str, val: Predictions, test: Predictions, coverage: float, n: int) -> str:
    every = pooled(val, test)
    rng = np.random.default_rng(0)
    figures = np.array([one_resplit(every, coverage, rng) for _ in range(n)])
    means, (low, high) = figures.mean(axis=0), np.quantile(figures, [0.05, 0.95], axis=0)

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
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    store = open_store(given.uri, "Default", make=False)
    lines = [
        "| run | images / groups / classes | top class right | asked | as given "
        "| by the rule alone | images for groups | classes in a set | validation to test, once |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for text in given.runs:
        record = find_run(store, text)
        val, test = (
            read_predictions(store.fetch_artifact(record.run_id, f"predictions/{split}.parquet"))
            for split in ("val", "test")
        )
        name = record.tags.get("set") or f"{record.name} ({record.run_id[:8]})"
        for coverage in COVERAGES:
            lines.append(row(name, val, test, coverage, given.resplits))
            print(lines[-1], flush=True)
    if given.write:
        write_between("prediction sets", lines, PAGE)


if __name__ == "__main__":
    main()
