"""k folds: every image is tested once; stratified, with groups kept together."""

import numpy as np

from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, assign_groups, check_splits
from frostline.errors import DataError


def fold_splits(table: SampleTable, *, folds: int, fold: int, seed: int) -> Splits:
    """One of k ways to split: fold k is the test, the next one validation, the others training.

    Args:
        table: The images; splits that the source brings are not looked at.
        folds: k, at least 3.
        fold: Which one, 0 .. k-1.
        seed: Decides the folds; another seed repeats the k folds with other borders.

    Raises:
        DataError: If there is no such fold, or a class has fewer than k groups.
    """
    if folds < 3 or not 0 <= fold < folds:
        raise DataError(
            f"data.folds={folds} data.fold={fold}",
            "folds from 3 on (one tests, one validates, the others train), fold 0 .. folds-1",
        )
    shares = np.full(folds, 1 / folds)
    part = assign_groups(table.labels, table.groups, shares, seed=seed, classes=table.classes)
    test, val = part == fold, part == (fold + 1) % folds
    splits = Splits(np.flatnonzero(~test & ~val), np.flatnonzero(val), np.flatnonzero(test))
    check_splits(table, splits)
    return splits
