"""From the `data` group of the config to a table and its splits: the one place that knows both."""

from pathlib import Path

from src.config.schema import FolderData, LeavesData
from src.data.splits import Splits, split_table
from src.data.table import SampleTable

DataChoice = LeavesData | FolderData
# Keys that say how a table is split or kept, not where it comes from.
NOT_FOR_SOURCES = {"source", "val_frac", "test_frac", "split_seed", "fraction", "memory_gib"}


def load_table(data: DataChoice) -> SampleTable:
    """The table of the chosen source.

    Raises:
        DataError: If the source cannot be read, or holds what cannot be trained on.
    """
    match data:
        case LeavesData():
            from src.data.sources.leaves import load_leaves

            return load_leaves(**data.model_dump(exclude=NOT_FOR_SOURCES | {"on_bad_image"}))
        case FolderData():
            from src.data.sources.folder import load_folder

            return load_folder(**data.model_dump(exclude=NOT_FOR_SOURCES))


def split_of(table: SampleTable, data: DataChoice, *, seed: int) -> Splits:
    """The splits of a run: by `data.split_seed`, or by the run's own seed where that is null."""
    return split_table(
        table,
        val_frac=data.val_frac,
        test_frac=data.test_frac,
        seed=seed if data.split_seed is None else data.split_seed,
        train_fraction=data.fraction,
    )


def data_name(data: DataChoice) -> str:
    """A short name for the data set, known without reading it: MLflow's experiment."""
    match data:
        case LeavesData():
            return "leaves"
        case FolderData():
            return Path(data.path).expanduser().absolute().name
