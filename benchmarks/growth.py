"""Whether intervals of `python -m src.advise --more` hold the score of four times as many images.

    python -m benchmarks.growth --folder FOLDER [--draws 25] [--sd 0.06] [--write]

A case: a share of a set's groups is kept for testing, and of the rest a quarter is what the command
gets to see. Its projection to four times as many images is compared with the score that a head
solved on the whole rest reaches on the images kept for testing. Each draw divides the set anew.
`naive`: the score that the quarter itself reaches (the projection to 1x), as if more images brought
nothing. Errors are in points of macro accuracy. `--write` writes the table into docs/more.md.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.asked_sets import GROWTH_SETS, features_here, table_of
from benchmarks.docs_tables import write_between
from frostline.advice.growth.growth import LEVEL, MODEL_SD, growth_of
from frostline.advice.growth.subset_heads import recognised, subset
from frostline.advice.measures.table_features import TableFeatures
from frostline.data.sample_table import SampleTable
from frostline.training.engine import prepare_process

PAGE = Path(__file__).parents[1] / "docs" / "more.md"
TEST_SHARE = 0.4
# The sets on which the standard deviation of the law was chosen; the others check it.
CHOSEN_ON = ("single leaves", "cells")


def case(
    table: SampleTable, features: TableFeatures, seed: int, sd: float
) -> tuple[float, float, float, float, float] | str:
    """The true score, the projection with its interval, and the naive one; or why there is none."""
    labels, groups = table.labels, table.groups
    test = subset(labels, groups, TEST_SHARE, seed=2 * seed)
    rest = np.setdiff1d(np.arange(len(labels)), test)
    quarter = rest[subset(labels[rest], groups[rest], 0.25, seed=2 * seed + 1)]
    growth = growth_of(
        features.backbone,
        features.values[quarter],
        labels[quarter],
        groups[quarter],
        table.classes,
        seed=seed,
        model_sd=sd,
    )
    if growth.why_not:
        return growth.why_not
    hits = recognised(features.values, labels, rest, test, groups)
    truth = float(np.mean([hits[labels[test] == k].mean() for k in np.unique(labels[test])]))
    now, last = growth.projections[0], growth.projections[-1]
    return truth, last.score, last.low, last.high, now.score


def rows_of(name: str, cases: NDArray[np.float64], n_silent: int, table: SampleTable) -> str:
    truth, score, low, high, now = cases.T
    inside = (low <= truth) & (truth <= high)
    role = "chosen on" if name in CHOSEN_ON else "checked on" if name in GROWTH_SETS else ""
    return (
        "| "
        + " | ".join(
            [
                name,
                role,
                f"{len(table):,} / {len(table.classes)}" if role else "",
                str(len(cases)) + (f" ({n_silent} cannot tell)" if n_silent else ""),
                f"{truth.mean():.1%}",
                f"{100 * np.abs(score - truth).mean():.1f}",
                f"{100 * (score - truth).mean():+.1f}",
                f"{100 * np.abs(now - truth).mean():.1f}",
                f"{100 * (high - low).mean():.1f}",
                f"{inside.mean():.0%}",
            ]
        )
        + " |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stamps", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(GROWTH_SETS))
    parser.add_argument("--draws", type=int, default=25)
    parser.add_argument("--sd", type=float, default=MODEL_SD)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    prepare_process(None)
    lines = [
        "| set | the law's deviation | images / classes | cases | score with four times as many "
        "| error of the projection | its bias | error of naive | width of the "
        f"{LEVEL:.0%} interval | held |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    checked = []
    for name in given.sets:
        table = table_of(name, given.folder, given.stamps)
        features = features_here(table, given.folder)
        results = [case(table, features, seed, given.sd) for seed in range(given.draws)]
        told = np.array([one for one in results if not isinstance(one, str)])
        if not len(told):
            print(f"{name}: {results[0]}", flush=True)
            continue
        lines.append(rows_of(name, told, len(results) - len(told), table))
        print(lines[-1], flush=True)
        if name not in CHOSEN_ON:
            checked.append(told)
    if checked:
        lines.append(rows_of("all that check it", np.concatenate(checked), 0, table))
        print(lines[-1], flush=True)
    if given.write:
        write_between("growth", lines, PAGE)


if __name__ == "__main__":
    main()
