"""From the `data` group of the config, or from a path, to a table and its splits."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from frostline.config.conf_files import group_defaults
from frostline.config.data_settings import (
    RGB_CHANNELS,
    ArchiveData,
    CsvData,
    DataChoice,
    DataSettings,
    FolderData,
    HubData,
    IdxData,
    LeavesData,
)
from frostline.data.early_check import check_is_text
from frostline.data.sample_table import SampleTable
from frostline.data.source_kind import READABLE_PATHS, source_kind
from frostline.data.splits import (
    Splits,
    carry_over,
    check_splits,
    fold_splits,
    keep_fraction,
    split_table,
)
from frostline.errors import DataError

# Keys for splitting and holding a table, which the sources do not take.
NOT_FOR_SOURCES = {*DataSettings.model_fields, "source"}


def load_table(
    data: DataChoice, *, min_classes: int = 2, in_chans: int = RGB_CHANNELS
) -> SampleTable:
    """Load the table of the chosen source.

    Args:
        data: The source and its settings.
        min_classes: 2, as training needs; 1 where a trained run is judged on the images.
        in_chans: Channels that the network takes; for others than colour arrays are images, too.

    Raises:
        DataError: If the source cannot be read, or cannot be trained on.
    """
    if not isinstance(data, LeavesData):
        check_is_text(data.path)
    with _garbage_collection_paused():
        table = _load(data, min_classes, in_chans)
    if data.corrections is None:
        return table
    from frostline.data.corrections import corrected

    return corrected(table, data.corrections)


def load_path(
    path: str, *, on_bad_image: str, group_by: str | None, corrections: str | None = None
) -> SampleTable:
    """Load the data set at a path with the defaults of its source.

    Args:
        path: A folder, table, archive or saved data set; or `leaves` for the built-in drawings.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        group_by: As for `group_images`.
        corrections: As for `corrected`.

    Raises:
        DataError: If there is nothing that can be read, or it cannot be trained on.
    """
    source = source_kind(path)
    given: dict[str, Any] = {"path": path, "on_bad_image": on_bad_image, "group_by": group_by}
    if path == "leaves" and source is None:
        source, given = "leaves", {}
    given["corrections"] = corrections
    if source is None:
        raise DataError(
            f"{path} is not a data set that can be read (working directory: {Path.cwd()})",
            f"{READABLE_PATHS}, or leaves",
        )
    data: TypeAdapter[DataChoice] = TypeAdapter(DataChoice)
    return load_table(data.validate_python(group_defaults("data", source) | given))


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause Python's cycle collector while a listing grows.

    A listing is many small tuples without cycles; scanning them repeatedly took a quarter of the
    time of listing 100,000 files.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(data: DataChoice, min_classes: int, in_chans: int) -> SampleTable:
    options: dict[str, Any] = data.model_dump(exclude=NOT_FOR_SOURCES)
    if not isinstance(data, LeavesData):
        options |= {"min_classes": min_classes, "in_chans": in_chans}
    elif in_chans not in {1, RGB_CHANNELS}:
        raise DataError(
            f"in_chans={in_chans}: the built-in leaves are drawn in colour",
            f"in_chans={RGB_CHANNELS}, or 1 for their grey",
            f"give a data set of {in_chans} channels: data.path=DIR",
        )
    match data:
        case LeavesData():
            from frostline.data.sources.leaves import load_leaves

            return load_leaves(**options)
        case FolderData():
            from frostline.data.sources.folder import load_folder

            return load_folder(**options)
        case ArchiveData():
            from frostline.data.sources.folder import load_archive

            return load_archive(**options)
        case CsvData():
            from frostline.data.sources.csv_table import load_csv

            return load_csv(**options)
        case HubData():
            from frostline.data.sources.hub_dataset import load_hub

            return load_hub(**options)
        case IdxData():
            from frostline.data.sources.idx_dataset import load_idx

            return load_idx(**options)


def split_of(table: SampleTable, data: DataChoice, *, seed: int) -> Splits:
    """Split a table as the config asks: by a file, into folds, or by fractions.

    The splits follow `data.split_seed`, or the run's own seed where that is null. Corrections of
    labels move no image to another split: it is the table before them that is split.

    Raises:
        DataError: If the table cannot be split this way.
    """
    if table.uncorrected is not None:
        before = split_of(table.uncorrected, data, seed=seed)
        splits = carry_over(before, table.uncorrected, table)
        try:
            check_splits(table, splits, missing_class=data.missing_class)
        except DataError as error:
            raise DataError(
                f"after data.corrections={data.corrections} {error.given}",
                error.allowed,
                "add images of that class, or take another data.split_seed",
            ) from None
        return splits
    split_seed = seed if data.split_seed is None else data.split_seed
    if data.split_file is not None:
        from frostline.data.split_file import load_splits

        splits = load_splits(data.split_file, table, missing_class=data.missing_class)
    elif data.folds is not None:
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
    train = keep_fraction(table, splits.train, fraction=data.fraction, seed=split_seed)
    return Splits(train, splits.val, splits.test)


def data_name(data: DataChoice) -> str:
    """Return a short name for the data set without reading it: MLflow's experiment."""
    if isinstance(data, LeavesData):
        return "leaves"
    path = Path(data.path).expanduser()
    return path.absolute().name if path.exists() else data.path.replace("/", "-")
