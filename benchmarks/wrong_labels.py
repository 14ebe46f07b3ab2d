"""How many wrong labels `python -m src.data PATH --labels` finds, and how many it names wrongly.

    python -m benchmarks.wrong_labels --folder FOLDER [--stamps STAMPS] [--repeats 5] [--write]

In each set 3, 5 and 10 % of the labels are swapped for another class, each class as likely, and
looked for; `5 % alike`: for the class that the image looks most like besides its own, the hardest
case. Precision: of the images named, the share that had been swapped. Recall: of the images
swapped, the share named. Each figure is the mean over repeats with other swaps. Beside it stands
what the command itself says it found, by further swaps that it makes without knowing the truth;
then how many are named with those that cleanlab adds (`mixed up`), and precision and recall of all.
`--write` writes the table into docs/labels.md. `--page FILE` writes the command's page about one
of the sets, with 10 % swapped, and nothing else.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.asked_sets import SETS, asked_parser, features_here, table_of
from benchmarks.docs_tables import write_between
from frostline.advice.labels.label_check import SLIP, judge, judged_rows
from frostline.advice.labels.out_of_fold import out_of_fold
from frostline.advice.labels.planted_labels import swap_labels
from frostline.advice.labels.suspects_page import suspects_page
from frostline.advice.measures.table_features import TableFeatures
from frostline.data.sample_table import SampleTable
from frostline.training.engine import prepare_process

RANDOM, ALIKE = "", " alike"
CASES = ((0.0, RANDOM), (0.03, RANDOM), (0.05, RANDOM), (0.10, RANDOM), (0.05, ALIKE))
Labels = NDArray[np.int64]
PAGE = Path(__file__).parents[1] / "docs" / "labels.md"
GOAL_PRECISION, GOAL_RECALL = 0.8, 0.7


def swapped(
    table: SampleTable, share: float, seed: int, alike: Labels | None
) -> tuple[SampleTable, set[str]]:
    """The table with a share of its labels swapped, and the items whose labels are wrong.

    Args:
        table: With right labels.
        share: Of the images.
        seed: Of what is swapped.
        alike: (N) the class that each gets; None for any other class, each as likely.
    """
    rng = np.random.default_rng([seed, round(1000 * share)])
    rows = np.sort(rng.permutation(len(table))[: round(share * len(table))])
    labels = swap_labels(table.labels, rows, seed=seed)
    if alike is not None:
        labels = table.labels.copy()
        labels[rows] = alike[rows]
    return replace(table, labels=labels), {table.items[row] for row in rows.tolist()}


def most_alike(table: SampleTable, features: TableFeatures) -> Labels:
    """The class that each image looks most like besides its own, (N)."""
    probs = out_of_fold(features.values, table.labels, table.groups).probs
    probs[np.arange(len(table)), table.labels] = -1
    return np.asarray(probs.argmax(axis=1), dtype=np.int64)


def quality(named: set[str], wrong: set[str]) -> tuple[float, float]:
    """Precision and recall."""
    return len(named & wrong) / max(len(named), 1), len(named & wrong) / len(wrong)


def measured(
    name: str,
    table: SampleTable,
    features: TableFeatures,
    share: float,
    alike: Labels | None,
    repeats: int,
) -> list[str]:
    """One row of the table."""
    rounds = repeats if share else 1
    own, said, both, accuracies, named, seconds = [], [], [], [], [], []
    for seed in range(rounds):
        wrong_table, wrong = swapped(table, share, seed, alike)
        begun_s = time.monotonic()
        check = judge(wrong_table, features, judged_rows(wrong_table)[0], seed=seed)
        seconds.append(time.monotonic() - begun_s)
        assert check.planted is not None
        accuracies.append(check.accuracy)
        if check.why_not:
            continue
        slips = {one.file for one in check.of_kind(SLIP)}
        named.append(len(slips))
        said.append((check.planted.precision, check.planted.recall))
        if share:
            own.append(quality(slips, wrong))
            every = {one.file for one in check.suspects}
            both.append((len(every), *quality(every, wrong)))
    precision, recall = np.mean(own, axis=0) if own else (None, None)
    return [
        name,
        f"{len(table):,} / {len(table.classes)}",
        f"{np.mean(accuracies):.0%}",
        f"{share:.0%}" + (ALIKE if alike is not None else RANDOM),
        f"{np.mean(named):.0f}" if named else "–",
        goal(precision, GOAL_PRECISION),
        goal(recall, GOAL_RECALL),
        pair(said),
        f"{np.mean(both, axis=0)[0]:.0f}: {pair([each[1:] for each in both])}" if both else "–",
        f"{rounds - len(named)} of {rounds}",
        f"{np.mean(seconds):.1f}",
    ]


def page_of(table: SampleTable, features: TableFeatures) -> str:
    """The page that the command writes where 10 % of the labels are swapped."""
    wrong_table, _ = swapped(table, 0.10, 0, None)
    check = judge(wrong_table, features, *judged_rows(wrong_table), seed=0)
    return suspects_page(check, file="labels.csv")


def goal(value: float | None, at_least: float) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" + (" (missed)" if value < at_least else "")


def pair(values: list[tuple[float, float]]) -> str:
    return " / ".join(f"{one:.2f}" for one in np.mean(values, axis=0)) if values else "–"


def main() -> None:
    parser = asked_parser(__doc__, SETS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write this page of the one set")
    given = parser.parse_args()
    if given.page and len(given.sets) != 1:
        parser.error("--page is about one set: give --sets NAME")
    prepare_process(None)
    if given.page:
        table = table_of(given.sets[0], given.folder, given.stamps)
        given.page.write_text(page_of(table, features_here(table, given.folder)), "utf-8")
        return
    lines = [
        "| set | images / classes | recognised | swapped | named | precision | recall | the "
        "command's own precision / recall | with those mixed up | cannot tell | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in given.sets:
        table = table_of(name, given.folder, given.stamps)
        features = features_here(table, given.folder)
        alike = most_alike(table, features)
        for share, kind in CASES:
            to = alike if kind == ALIKE else None
            row = measured(name, table, features, share, to, given.repeats)
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    if given.write:
        write_between("wrong labels", lines, PAGE)


if __name__ == "__main__":
    main()
