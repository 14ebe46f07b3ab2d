"""What suspects do to a verdict, and how long finding them takes with 5,000 images.

    python -m benchmarks.label_verdict --folder FOLDER [--repeats 3] [--write]

A set is divided by groups: 60 % to train on, 40 % to judge on. Labels of both are swapped on
purpose. Two backbones are compared by solved heads on their features, three times: with the labels
as given, without the suspects that `python -m src.data PATH --labels` names (slips; left out of
both parts), and with the right labels. Then the heads of the first two are judged by the right
labels: what leaving the suspects out brings in truth. Macro accuracy in points, means over repeats.
Last, 5,000 drawn leaves are checked from stored features. `--write` writes docs/labels.md.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.asked_sets import CLOTHES, LEAVES, asked_parser, features_here, table_of
from benchmarks.docs_tables import write_between
from benchmarks.wrong_labels import PAGE, swapped
from frostline.advice.growth.subset_heads import recognised, subset
from frostline.advice.labels.label_check import SLIP, judge, judged_rows
from frostline.advice.measures.simple_classifiers import macro_accuracy
from frostline.advice.measures.table_features import (
    MAX_WIDTH,
    TableFeatures,
    principal_components,
)
from frostline.data.sample_table import SampleTable
from frostline.data.sources.leaves import load_leaves
from frostline.training.engine import prepare_process

SETS = ("two crops", "symbols", CLOTHES)
SHARES = (0.05, 0.10)
BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
SIZE_PX = 64
TEST_SHARE = 0.4
MANY = 5000
Labels = NDArray[np.int64]


def score(
    values: Tensor, labels: Labels, train: Labels, test: Labels, groups: NDArray[np.str_]
) -> float:
    """Macro accuracy in points of a head that is solved on some rows, on others."""
    right = recognised(values, labels, train, test, groups)
    # Of what is right only whether it is matters: another class stands for all that is wrong.
    predicted = np.where(right > 0, labels[test], labels[test] + 1)
    return 100 * macro_accuracy(predicted, labels[test])


def verdicts(
    table: SampleTable, features: dict[str, TableFeatures], share: float, seed: int
) -> dict[str, list[float]]:
    """Scores of the backbones in each of the comparisons, and how many suspects there were."""
    wrong_table, wrong = swapped(table, share, seed, None)
    labels, truth, groups = wrong_table.labels, table.labels, table.groups
    first = features[BACKBONES[0]]
    check = judge(wrong_table, first, judged_rows(wrong_table)[0], seed=seed)
    named = {one.file for one in check.of_kind(SLIP)}
    kept = np.array([item not in named for item in table.items])
    test = subset(truth, groups, TEST_SHARE, seed)
    train = np.setdiff1d(np.arange(len(truth)), test)
    values = {name: principal_components(each.values, MAX_WIDTH) for name, each in features.items()}
    mixed = labels.copy()
    mixed[test] = truth[test]

    def both(given: Labels, on: Labels, by: Labels) -> list[float]:
        return [score(each, given, on, by, groups) for each in values.values()]

    return {
        "suspects": [len(named), len(named & wrong)],
        "as given": both(labels, train, test),
        "without": both(labels, train[kept[train]], test[kept[test]]),
        "right": both(truth, train, test),
        "in truth, as given": both(mixed, train, test),
        "in truth, without": both(mixed, train[kept[train]], test),
    }


def row_of(name: str, table: SampleTable, share: float, found: list[dict[str, list[float]]]) -> str:
    """A line of the table."""
    means = {key: np.mean([one[key] for one in found], axis=0) for key in found[0]}
    count, right = means.pop("suspects")
    cells = [name, f"{len(table):,}", f"{share:.0%}", f"{count:.0f} ({right:.0f} wrong)"]
    cells += [f"{a:.1f} / {b:.1f}" for a, b in means.values()]
    return f"| {' | '.join(cells)} |"


def time_of_many(folder: Path) -> str:
    """Check the labels of 5,000 drawn leaves, twice: the second time from stored features."""
    drawn = LEAVES | {"size_px": SIZE_PX, "photos_per_leaf": 1, "n_species": 4, "draw_seed": 4}
    table = load_leaves(n_images=MANY, background="lab", **drawn)  # type: ignore[arg-type]
    table, _ = swapped(table, 0.05, 0, None)
    features_here(table, folder, size_px=SIZE_PX)
    begun_s, begun_processor_s = time.monotonic(), time.process_time()
    features = features_here(table, folder, size_px=SIZE_PX)
    read_s = time.process_time() - begun_processor_s
    check = judge(table, features, judged_rows(table)[0], seed=0)
    took_s, processor_s = time.monotonic() - begun_s, time.process_time() - begun_processor_s
    return (
        f"{MANY:,} images of {len(table.classes)} classes from stored features: {processor_s:.0f} "
        f"processor seconds ({read_s:.1f} of them to read the features), {took_s:.0f} s on this "
        f"machine; {len(check.of_kind(SLIP))} slips named."
    )


def main() -> None:
    """The command line."""
    parser = asked_parser(__doc__, SETS)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    prepare_process(None)
    lines = [
        "| set | images | swapped | suspects | labels as given | without the suspects "
        "| right labels | by right labels: trained as given | trained without the suspects |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in given.sets:
        table = table_of(name, given.folder, given.stamps)
        features: dict[str, TableFeatures] = {
            backbone: features_here(table, given.folder, size_px=SIZE_PX, backbone=backbone)
            for backbone in BACKBONES
        }
        for share in SHARES:
            found = [verdicts(table, features, share, seed) for seed in range(given.repeats)]
            lines.append(row_of(name, table, share, found))
            print(lines[-1], flush=True)
    lines += ["", time_of_many(given.folder)]
    print(lines[-1], flush=True)
    if given.write:
        write_between("label verdict", lines, PAGE)


if __name__ == "__main__":
    main()
