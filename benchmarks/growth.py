"""Whether intervals of `python -m src.advise --more` hold the score of four times as many images.

    python -m benchmarks.growth --folder FOLDER [--draws 34] [--write]

A case: a share of a set's groups is kept for testing, and of the rest a quarter is what the command
gets to see. Its projection to four times as many images is compared with the score that a head
solved on the whole rest reaches on the images kept for testing. Each draw divides the set anew.
Cases are kept in the folder. `--draws` is for the sets that check; the deviation was chosen on 20
draws of the others. `naive`: the score that the quarter itself reaches (the projection to 1x), as
if more images brought nothing. Errors are in points of macro accuracy. `--write` writes the table
into docs/more.md.
"""

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.asked_sets import GROWTH_SETS, asked_parser, features_here, table_of
from benchmarks.docs_tables import write_between
from frostline.advice.growth.growth import (
    LEVEL,
    MODEL_SD,
    no_law,
    project,
    resampled_scores,
    shares_for,
)
from frostline.advice.growth.subset_heads import recognised, subset, subset_heads
from frostline.advice.measures.table_features import (
    MAX_WIDTH,
    TableFeatures,
    principal_components,
)
from frostline.data.sample_table import SampleTable
from frostline.training.engine import prepare_process

PAGE = Path(__file__).parents[1] / "docs" / "more.md"
Floats = NDArray[np.float64]
TEST_SHARE = 0.4
# Small, so that a hundred cases take minutes.
GROWTH_SIZE_PX = 64
# The sets on which the standard deviation of the law was chosen; the others check it.
CHOSEN_ON = ("single leaves", "cells")
CHOSEN_DRAWS = 20


@dataclass(frozen=True)
class Case:
    """What the command saw and what came true; kept, as it takes seconds.

    Attributes:
        images: Of the quarter.
        sizes: Of its parts, (S).
        scores: On them, (1 + B, S): see `project`.
        truth: The score of a head solved on four times as many images.
    """

    images: int
    sizes: Floats
    scores: Floats
    truth: float

    def judged(self, sd: float) -> tuple[float, float, float, float, float]:
        """The truth, the projection with its interval, and the projection to 1x."""
        projections, _ = project(self.sizes, self.scores, self.images, seed=0, model_sd=sd)
        now, last = projections[0], projections[-1]
        return self.truth, last.score, last.low, last.high, now.score


def case(table: SampleTable, features: TableFeatures, seed: int) -> Case | str:
    """Divide a set and measure; or why the command says nothing."""
    labels, groups = table.labels, table.groups
    test = subset(labels, groups, TEST_SHARE, seed=2 * seed)
    rest = np.setdiff1d(np.arange(len(labels)), test)
    quarter = rest[subset(labels[rest], groups[rest], 0.25, seed=2 * seed + 1)]
    shares = shares_for(labels[quarter], groups[quarter])
    if isinstance(shares, str):
        return shares
    values = principal_components(features.values, MAX_WIDTH)
    seen = principal_components(features.values[quarter], MAX_WIDTH)
    heads = subset_heads(seen, labels[quarter], groups[quarter], seed=seed, shares=shares)
    scores, _ = resampled_scores(heads, labels[quarter], groups[quarter], seed=seed)
    if why_not := no_law(scores, len(table.classes)):
        return why_not
    hits = recognised(values, labels, rest, test, groups)
    truth = float(np.mean([hits[labels[test] == k].mean() for k in np.unique(labels[test])]))
    return Case(len(quarter), heads.sizes, scores, truth)


def kept_case(name: str, given: argparse.Namespace, seed: int) -> Case | str:
    """The case from the folder, or measured now and kept there."""
    file = given.folder / "growth" / f"{name} {seed}.npz"
    if not file.exists():
        table, features = _loaded(name, given.folder, given.stamps)
        made = case(table, features, seed)
        file.parent.mkdir(exist_ok=True)
        values = {"why_not": made} if isinstance(made, str) else vars(made)
        np.savez(file, **values)
    kept = np.load(file)
    if "why_not" in kept:
        return str(kept["why_not"])
    return Case(int(kept["images"]), kept["sizes"], kept["scores"], float(kept["truth"]))


@cache
def _loaded(name: str, folder: Path, stamps: Path | None) -> tuple[SampleTable, TableFeatures]:
    table = table_of(name, folder, stamps)
    return table, features_here(table, folder, size_px=GROWTH_SIZE_PX)


def rows_of(name: str, cases: NDArray[np.float64], n_silent: int) -> str:
    truth, score, low, high, now = cases.T
    inside = (low <= truth) & (truth <= high)
    role = "chosen on" if name in CHOSEN_ON else "checked on" if name in GROWTH_SETS else ""
    return (
        "| "
        + " | ".join(
            [
                name,
                role,
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
    parser = asked_parser(__doc__, GROWTH_SETS)
    parser.add_argument("--draws", type=int, default=34)
    parser.add_argument("--sd", type=float, default=MODEL_SD)
    given = parser.parse_args()
    prepare_process(None)
    lines = [
        "| set | the deviation was | cases | score with four times as many "
        "| error of the projection | its bias | error of naive | width of the "
        f"{LEVEL:.0%} interval | held |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    checked = []
    for name in given.sets:
        draws = CHOSEN_DRAWS if name in CHOSEN_ON else given.draws
        results = [kept_case(name, given, seed) for seed in range(draws)]
        judged = np.array([one.judged(given.sd) for one in results if isinstance(one, Case)])
        if not len(judged):
            print(f"{name}: {results[0]}", flush=True)
            continue
        lines.append(rows_of(name, judged, len(results) - len(judged)))
        print(lines[-1], flush=True)
        if name not in CHOSEN_ON:
            checked.append(judged)
    if checked:
        lines.append(rows_of("all that check it", np.concatenate(checked), 0))
        print(lines[-1], flush=True)
    if given.write:
        write_between("growth", lines, PAGE)


if __name__ == "__main__":
    main()
