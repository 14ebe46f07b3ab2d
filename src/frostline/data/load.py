"""From the `data` group of the config to a table and its splits: the one place that knows both."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frostline.config.data_settings import (
    ArchiveData,
    CsvData,
    DataChoice,
    DataSettings,
    FolderData,
    HubData,
    LeavesData,
)
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, keep_fraction, split_table

# Keys that say how a table is split or kept, not where it comes from.
NOT_FOR_SOURCES = {*DataSettings.model_fields, "source"}


def load_table(data: DataChoice) -> SampleTable:
    """The table of the chosen source.

    Raises:
        DataError: If the source cannot be read, or holds what cannot be trained on.
    """
    with _collector_paused():
        return _load(data)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python's cycle collector from walking a listing while it grows.

    A listing is many small tuples and no cycle; going over them again and again took a quarter of
    the time of 100,000 files.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(data: DataChoice) -> SampleTable:
    options: dict[str, Any] = data.model_dump(exclude=NOT_FOR_SOURCES)
    match data:
        case LeavesData():
            from frostline.data.sources.leaves import load_leaves

            return load_leaves(**options)
        case FolderData():
            from frostline.data.sources.folder import load_folder

            return load_folder(**options)
        case ArchiveData():
            from frostline.data.sources.archive import load_archive

            return load_archive(**options)
        case CsvData():
            from frostline.data.sources.csv_table import load_csv

            return load_csv(**options)
        case HubData():
            from frostline.data.sources.hub_dataset import load_hub

            return load_hub(**options)


def split_of(table: SampleTable, data: DataChoice, *, seed: int) -> Splits:
    """The splits of a run: from a file, as a fold, or by fractions.

    They follow `data.split_seed`, or the run's own seed where that is null.

    Raises:
        DataError: If the data cannot be split so.
    """
    split_seed = seed if data.split_seed is None else data.split_seed
    if data.split_file is not None:
        from frostline.data.split_file import load_splits

        splits = load_splits(data.split_file, table, missing_class=data.missing_class)
    elif data.folds is not None:
        from frostline.data.folds import fold_splits

        splits = fold_splits(table, folds=data.folds, fold=data.fold, seed=split_seed)
    else:
        splits = split_table(
            table,
            val_frac=data.val_frac,
            test_frac=data.test_frac,
            seed=split_seed,
            missing_class=data.missing_class,
        )
    if data.fraction == 1.0:
        return splits
    kept = keep_fraction(table, splits.train, fraction=data.fraction, seed=split_seed)
    return Splits(kept, splits.val, splits.test)


def data_name(data: DataChoice) -> str:
    """A short name for the data set, known without reading it: MLflow's experiment."""
    if isinstance(data, LeavesData):
        return "leaves"
    path = Path(data.path).expanduser()
    return path.absolute().name if path.exists() else data.path.replace("/", "-")
