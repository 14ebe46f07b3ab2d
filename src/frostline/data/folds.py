"""Cross-validation in k folds: every image is tested once; stratified, groups stay together."""

import numpy as np

from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, check_splits
from frostline.data.stratify import assign_groups
from frostline.errors import DataError


def fold_splits(table: SampleTable, *, folds: int, fold: int, seed: int) -> Splits:
    """Split by folds: one fold is the test, the next one validation, the others training.

    Args:
        table: The images; splits defined by the source are ignored.
        folds: k, at least 3.
        fold: The fold to test on, 0 .. k-1.
        seed: Determines the folds; another seed gives k other folds.

    Raises:
        DataError: If there is no such fold, or a class has fewer than k groups.
    """
    if folds < 3 or not 0 <= fold < folds:
        raise DataError(
            f"data.folds={folds} data.fold={fold}",
            "at least 3 folds (one for test, one for validation, the others for training), "
            "fold 0 .. folds-1",
        )
    shares = np.full(folds, 1 / folds)
    part = assign_groups(table.labels, table.groups, shares, seed=seed, classes=table.classes)
    test, val = part == fold, part == (fold + 1) % folds
    splits = Splits(np.flatnonzero(~test & ~val), np.flatnonzero(val), np.flatnonzero(test))
    check_splits(table, splits)
    return splits
